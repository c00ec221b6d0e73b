"""Models: a trunk, slots, and trainable views of them."""

from keras_mdl.models.backbones.dense_resnet26 import (
    build_dense_resnet26,
    dense_resnet26,
)
from keras_mdl.models.backbones.from_keras import from_keras
from keras_mdl.models.backbones.record import Backbone, backbone
from keras_mdl.models.backbones.resnet26 import build_resnet26, resnet26
from keras_mdl.models.folding import fold
from keras_mdl.models.freezing import PHASES, FreezePlan
from keras_mdl.models.loading import load_model
from keras_mdl.models.multi_domain import MultiDomainModel
from keras_mdl.models.pretrained.efficientnet_lite import (
    build_efficientnet_lite0,
    build_efficientnet_lite1,
    build_efficientnet_lite2,
)
from keras_mdl.models.pretrained.mobilenet import (
    build_mobilenet_v2,
    build_mobilenet_v3_large,
    build_mobilenet_v3_small,
)
from keras_mdl.models.pretrained.timm_trunks import build_timm
from keras_mdl.models.slots import SlotSpec
from keras_mdl.models.views import DomainModel, JointModel

__all__ = [
    "PHASES",
    "Backbone",
    "DomainModel",
    "FreezePlan",
    "JointModel",
    "MultiDomainModel",
    "SlotSpec",
    "backbone",
    "build_dense_resnet26",
    "build_efficientnet_lite0",
    "build_efficientnet_lite1",
    "build_efficientnet_lite2",
    "build_mobilenet_v2",
    "build_mobilenet_v3_large",
    "build_mobilenet_v3_small",
    "build_resnet26",
    "build_timm",
    "dense_resnet26",
    "fold",
    "from_keras",
    "load_model",
    "resnet26",
]
