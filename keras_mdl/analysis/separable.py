"""Which endpoints of a network are depthwise halves, and which pointwise."""

from typing import NamedTuple

import keras

from keras_mdl.analysis.activations import endpoints


class Separable(NamedTuple):
    """A depthwise convolution and the pointwise one that follows it.

    Attributes:
        number: From 1 on, in the order of the network; in the paper's network
            that of the paper.
        depthwise, pointwise: Names of the endpoints with their outputs.
    """

    number: int
    depthwise: str
    pointwise: str


def separable_layers(network):
    """The `Separable`s of a view, or of any functional model."""
    found, first = [], None
    for name, tensor in endpoints(network).items():
        layer = tensor._keras_history.operation
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            first = name
        elif first == f"{name}/depthwise" or (first and _mixes(layer, tensor)):
            found.append(Separable(len(found) + 1, first, name))
            first = None
    return found


def late_layers(network):
    """The paper's layers 18, 20 and 22 of 25, or those as deep elsewhere.

    Raises:
        ValueError: If the network has no separable convolutions.
    """
    found = separable_layers(network)
    if not found:
        raise ValueError(
            f"The network {network.name!r} has no separable convolutions: say "
            f"which layers. It has {', '.join(endpoints(network))}"
        )
    depths = {max(round(n * len(found) / 25), 1) for n in (18, 20, 22)}
    return [found[n - 1] for n in sorted(depths)]


def _mixes(layer, tensor):
    """Whether it is a 1x1 convolution over an image (not a squeezed one)."""
    return (
        isinstance(layer, keras.layers.Conv2D)
        and tuple(layer.kernel_size) == (1, 1)
        and tuple(tensor.shape[1:3]) != (1, 1)
    )
