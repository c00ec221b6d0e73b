"""Images of one domain, from anywhere, as batches for any Keras backend."""

from keras_mdl.data import decathlon as decathlon
from keras_mdl.data import embedded as embedded
from keras_mdl.data.domain_data import DomainData as DomainData
from keras_mdl.data.epoch import EpochCounter as EpochCounter
from keras_mdl.data.epoch import SetEpoch as SetEpoch
from keras_mdl.data.preprocess import Preprocess as Preprocess
from keras_mdl.data.specs import load as load

__all__ = [
    "decathlon",
    "DomainData",
    "embedded",
    "EpochCounter",
    "load",
    "Preprocess",
    "SetEpoch",
]
