"""Models: a trunk, slots, and trainable views of them."""

from keras_mdl.models.dense_resnet26 import build_dense_resnet26, dense_resnet26
from keras_mdl.models.folding import fold
from keras_mdl.models.freezing import PHASES, FreezePlan
from keras_mdl.models.loading import load_model
from keras_mdl.models.multi_domain import MultiDomainModel
from keras_mdl.models.resnet26 import build_resnet26, resnet26
from keras_mdl.models.views import DomainModel, JointModel

__all__ = [
    "PHASES",
    "DomainModel",
    "FreezePlan",
    "JointModel",
    "MultiDomainModel",
    "build_dense_resnet26",
    "build_resnet26",
    "dense_resnet26",
    "fold",
    "load_model",
    "resnet26",
]
