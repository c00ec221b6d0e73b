"""Multiply-accumulates of the layers that a domain runs through."""

import math

import keras

# Per output number they cost less than a multiply-accumulate each, and no
# published figure counts them.
_UNCOUNTED_ABOVE = 1  # axes of the largest variable


def layer_macs(layer, inputs, output):
    """Multiply-accumulates of one image through one call of a layer.

    Convolutions, dense layers and what says so of itself (a method `macs`)
    count; normalisation, activations and pooling do not, as is usual.

    Args:
        layer: The layer.
        inputs: Symbolic tensors that it was called with.
        output: What it returned.

    Returns:
        An integer, or `None` where it is not known: the image size is open,
        or a layer with matrices is of a kind that is not known here.
    """
    layers = keras.layers
    if hasattr(layer, "macs"):
        return layer.macs(inputs, output)
    if isinstance(layer, keras.Model):
        return _of_model(layer, inputs[0])
    if isinstance(layer, layers.Dense):
        return _positions(output.shape[1:-1], math.prod(layer.kernel.shape))
    if isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D)):
        return _positions(output.shape[1:3], math.prod(layer.kernel.shape))
    if isinstance(layer, layers.SeparableConv2D):
        kernels = (layer.depthwise_kernel, layer.pointwise_kernel)
        size = sum(math.prod(k.shape) for k in kernels)
        return _positions(output.shape[1:3], size)
    axes = [len(v.shape) for v in layer.weights]
    return 0 if max(axes, default=0) <= _UNCOUNTED_ABOVE else None


def total(counts):
    """The sum, or `None` if one of them is not known."""
    counts = list(counts)
    return None if None in counts else sum(counts)


def _positions(sides, each):
    return None if None in sides else math.prod(sides) * each


def _of_model(model, x):
    if not isinstance(model, keras.Sequential):
        return None if model.weights else 0
    counts = []
    for layer in model.layers:
        shape = layer.compute_output_shape(x.shape)
        y = keras.KerasTensor(shape)
        counts.append(layer_macs(layer, [x], y))
        x = y
    return total(counts)
