"""keras_mdl: one network for many visual domains."""

from keras_mdl.domains import Domain
from keras_mdl.layers import (
    DomainBatchNormalization,
    DomainHead,
    PerDomainLayer,
    SharedLayer,
    SharedPointwiseDepthwiseConv,
)
from keras_mdl.models import (
    FreezePlan,
    MultiDomainModel,
    build_resnet26,
    load_model,
)

__version__ = "0.1.0"
__all__ = [
    "Domain",
    "DomainBatchNormalization",
    "DomainHead",
    "FreezePlan",
    "MultiDomainModel",
    "PerDomainLayer",
    "SharedLayer",
    "SharedPointwiseDepthwiseConv",
    "build_resnet26",
    "load_model",
]
