"""keras_mdl: one network for many visual domains."""

import importlib
import sys

__version__ = "0.1.0"

# Names are imported when they are first used, so that `keras-mdl --help`
# answers at once: Keras and its backend take seconds to load.
_HOMES = {
    "Domain": "keras_mdl.domains",
    "DomainBatchNormalization": "keras_mdl.layers",
    "DomainHead": "keras_mdl.layers",
    "FreezePlan": "keras_mdl.models",
    "MultiDomainModel": "keras_mdl.models",
    "PerDomainLayer": "keras_mdl.layers",
    "SharedLayer": "keras_mdl.layers",
    "SharedPointwiseDepthwiseConv": "keras_mdl.layers",
    "SoftmaxDomainGate": "keras_mdl.layers",
    "build_efficientnet_lite0": "keras_mdl.models",
    "build_mobilenet_v2": "keras_mdl.models",
    "build_resnet26": "keras_mdl.models",
    "build_timm": "keras_mdl.models",
    "data_parallel": "keras_mdl.devices",
    "from_keras": "keras_mdl.models",
    "load_model": "keras_mdl.models",
}
__all__ = [
    "Domain",
    "DomainBatchNormalization",
    "DomainHead",
    "FreezePlan",
    "MultiDomainModel",
    "PerDomainLayer",
    "SharedLayer",
    "SharedPointwiseDepthwiseConv",
    "SoftmaxDomainGate",
    "build_efficientnet_lite0",
    "build_mobilenet_v2",
    "build_resnet26",
    "build_timm",
    "data_parallel",
    "from_keras",
    "load_model",
]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_HOMES})


# Where Keras is loaded anyway, `keras.models.load_model` should know our
# classes at once. Otherwise `keras_mdl.load_model` registers them.
if "keras" in sys.modules:
    importlib.import_module("keras_mdl.models")
