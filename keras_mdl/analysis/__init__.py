"""What a trained network sees, what it gets wrong, what domains changed."""

from keras_mdl.analysis.mistakes import Mistakes

__all__ = ["Mistakes"]
