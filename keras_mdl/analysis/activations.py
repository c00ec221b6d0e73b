"""What stands inside a network: its endpoints, and their values on images."""

import keras
import numpy as np
from PIL import Image

from keras_mdl.models.phased import PhasedModel


def endpoints(network):
    """`{name: symbolic output}` of a view, or of any functional model."""
    if hasattr(network, "attached") and network.attached:
        return network.endpoints
    return {layer.name: layer.output for layer in network.layers}


def with_maps(network):
    """`{name: symbolic output}` of the endpoints `(b, h, w, units)`."""
    known = endpoints(network)
    return {n: t for n, t in known.items() if len(t.shape) == 4}


def last_maps(network):
    """Name of the last endpoint with maps of more than one place."""
    known = with_maps(network).items()
    return [n for n, t in known if tuple(t.shape[1:3]) != (1, 1)][-1]


def layer_outputs(network, layers):
    """`{layer: symbolic output}`.

    Raises:
        ValueError: For an unknown layer, or one without maps.
    """
    known = with_maps(network)
    unknown = [n for n in layers if n not in known]
    if unknown or not layers:
        raise ValueError(
            f"`layers` must name layers with maps (h, w, units). Received: "
            f"{', '.join(unknown) or 'none'}. {network.name!r} has "
            f"{', '.join(known)}"
        )
    return {name: known[name] for name in layers}


def forward(network, tensors):
    """A function of images that gives outputs of a network as float32 arrays.

    Args:
        network: A view, or any functional model.
        tensors: Symbolic outputs, a list.
    """
    # It keeps its variables whatever happens while it predicts.
    model = PhasedModel(network.inputs, tensors)
    dtype = keras.backend.standardize_dtype(network.inputs[0].dtype)

    def run(images):
        found = model.predict_on_batch(np.asarray(images).astype(dtype))
        return [np.asarray(x, np.float32) for x in keras.tree.flatten(found)]

    return run


def unit_maps(network, layer, images):
    """Activations `(n, h, w, units)` of one layer on fitted images."""
    run = forward(network, list(layer_outputs(network, [layer]).values()))
    return run(images)[0]


def fitted(image, network):
    """An image resized to what the network takes, uint8."""
    size = [n or m for n, m in zip(network.inputs[0].shape[1:3], image.shape,
                                   strict=False)]  # fmt: skip
    if tuple(size) == image.shape[:2]:
        return image
    picture = Image.fromarray(image).resize(size[::-1], Image.BILINEAR)
    return np.asarray(picture)
