"""Images of one domain, from anywhere, as batches for any Keras backend."""

from keras_mdl.data import decathlon as decathlon
from keras_mdl.data import embedded as embedded
from keras_mdl.data.arrays import from_arrays as from_arrays
from keras_mdl.data.check import Finding as Finding
from keras_mdl.data.check import check as check
from keras_mdl.data.domain_data import DomainData as DomainData
from keras_mdl.data.epoch import EpochCounter as EpochCounter
from keras_mdl.data.folder import from_folder as from_folder
from keras_mdl.data.preprocess import Preprocess as Preprocess
from keras_mdl.data.published import InputPipeline as InputPipeline
from keras_mdl.data.published import published_pipeline as published_pipeline
from keras_mdl.data.specs import load as load
from keras_mdl.data.tfds_reader import from_decathlon as from_decathlon
from keras_mdl.data.tfds_reader import from_tfds as from_tfds
from keras_mdl.data.tfds_reader import (
    from_tfds_directory as from_tfds_directory,
)

__all__ = [
    "check",
    "decathlon",
    "DomainData",
    "embedded",
    "EpochCounter",
    "Finding",
    "from_arrays",
    "from_decathlon",
    "from_folder",
    "from_tfds",
    "from_tfds_directory",
    "InputPipeline",
    "load",
    "Preprocess",
    "published_pipeline",
    "SetEpoch",
]


def __getattr__(name):
    # A callback needs Keras; to read images nothing else here does.
    if name == "SetEpoch":
        from keras_mdl.data.set_epoch import SetEpoch

        return SetEpoch
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
