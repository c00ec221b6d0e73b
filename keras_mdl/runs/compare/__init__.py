"""Methods x domains x seeds: trained side by side, resumable, reported."""

from keras_mdl.runs.compare.run import compare as compare
from keras_mdl.runs.compare.settings import CompareSettings as CompareSettings
from keras_mdl.runs.compare.settings import read_settings as read_settings

__all__ = ["CompareSettings", "compare", "read_settings"]
