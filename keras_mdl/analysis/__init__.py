"""What a trained network sees, what it gets wrong, what domains changed."""

from keras_mdl.analysis.attributions import explain, imagine
from keras_mdl.analysis.changes import (
    feature_similarity,
    gate_weights,
    importance,
    moved,
    slot_similarity,
)
from keras_mdl.analysis.dissection import LayerDissection, dissect
from keras_mdl.analysis.mistakes import Mistakes
from keras_mdl.analysis.probes import Broden, DrawnProbe

__all__ = [
    "Broden",
    "DrawnProbe",
    "LayerDissection",
    "Mistakes",
    "dissect",
    "explain",
    "feature_similarity",
    "gate_weights",
    "imagine",
    "importance",
    "moved",
    "slot_similarity",
]
