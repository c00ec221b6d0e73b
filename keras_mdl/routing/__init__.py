"""Which domain an image is of, or none: a router over a trained model."""

from keras_mdl.routing.features import default_layer
from keras_mdl.routing.network import router_network
from keras_mdl.routing.normal import Normal
from keras_mdl.routing.router import (
    LEAST_IMAGES,
    Route,
    Router,
    require_images,
)

__all__ = [
    "LEAST_IMAGES",
    "Normal",
    "Route",
    "Router",
    "default_layer",
    "require_images",
    "router_network",
]
