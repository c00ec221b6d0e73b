"""Layers: shared parts, and slots that belong to one domain each."""

from keras_mdl.layers.batch_norm import FusedBatchNormalization
from keras_mdl.layers.depthwise import DepthwiseConv2D
from keras_mdl.layers.do_conv import DOConv2D
from keras_mdl.layers.do_depthwise import DODepthwiseConv2D
from keras_mdl.layers.domain_depthwise import DomainDepthwiseConv2D
from keras_mdl.layers.domain_head import DomainHead
from keras_mdl.layers.domain_norm import DomainBatchNormalization
from keras_mdl.layers.gate import SoftmaxDomainGate
from keras_mdl.layers.shared_conv import SharedConv2D
from keras_mdl.layers.shared_pointwise import SharedPointwiseDepthwiseConv
from keras_mdl.layers.slotted import SlottedLayer
from keras_mdl.layers.wrappers import PerDomainLayer, SharedLayer

__all__ = [
    "DOConv2D",
    "DODepthwiseConv2D",
    "DepthwiseConv2D",
    "DomainBatchNormalization",
    "DomainDepthwiseConv2D",
    "DomainHead",
    "FusedBatchNormalization",
    "PerDomainLayer",
    "SharedConv2D",
    "SharedLayer",
    "SharedPointwiseDepthwiseConv",
    "SlottedLayer",
    "SoftmaxDomainGate",
]
