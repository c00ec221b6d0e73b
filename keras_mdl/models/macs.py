"""Multiply-accumulates of the layers that a domain runs through."""

import math

import keras

from keras_mdl.layers import SoftmaxDomainGate
from keras_mdl.layers.adapters import (
    DANController,
    OwnKernel,
    ParallelAdapter,
    PiggybackMask,
    SerialAdapter,
)
from keras_mdl.layers.mixed_depthwise import MixedDepthwiseConv2D


def layer_macs(layer, inputs, output):
    """Multiply-accumulates of one image through one call of a layer.

    Convolutions (dense, depthwise, grouped), dense layers, gates and adapters
    count; normalisation, activations and pooling do not, as is usual. What is
    computed once for all images of a batch (a controlled or masked kernel) is
    counted at nothing: it is folded for inference.

    Args:
        layer: The layer.
        inputs: Symbolic tensors that it was called with.
        output: What it returned.

    Returns:
        An integer, or `None` if the image size is not fixed.
    """
    if isinstance(layer, keras.layers.Dense):
        return math.prod(layer.kernel.shape)
    if isinstance(layer, SoftmaxDomainGate):
        return math.prod(layer.hidden_kernel.shape) + math.prod(
            layer.kernel.shape
        )
    weights = _weights_per_position(layer, inputs)
    if weights is None or len(output.shape) != 4 or output.shape[0]:
        return 0  # no convolution, or a kernel handed out
    height, width = output.shape[1:3]
    if height is None or width is None:
        return None
    total = height * width * weights
    if isinstance(layer, MixedDepthwiseConv2D):
        # Kernels are mixed once an image, then run as one.
        total += len(layer.domains) * weights
    return total


def _weights_per_position(layer, inputs):
    if isinstance(layer, (DANController, OwnKernel, PiggybackMask)):
        return math.prod(inputs[1].shape)  # the kernel it was given
    if isinstance(
        layer,
        (
            keras.layers.Conv2D,
            keras.layers.DepthwiseConv2D,
            ParallelAdapter,
            SerialAdapter,
        ),
    ):
        return math.prod(layer.kernel.shape)
    return None
