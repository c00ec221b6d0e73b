"""Signs of factors behind shared kernels, and channels that are dead.

Folding a factor `gamma > 0` into an int8 kernel changes a channel's scale and
no byte of it. A negative one would turn the bytes around, for one domain.
"""

import keras
import numpy as np

from keras_mdl.layers.slotted_convolution import SlottedConvolution

# What the channels of a kernel that training has given up look like.
DEAD = 1e-6


def make_gamma_positive(model, convolution, norm):
    """Turns the sign of channels whose BatchNorm factor is negative. Exact.

    For such a channel kernel row, bias, running mean and gamma change their
    signs together, in place:

    ```
    gamma (W x - mean) = (-gamma) ((-W) x - (-mean))
    ```

    Signs take no part in rounding: the outputs are equal to the last bit, in
    inference and training.

    Args:
        model: A `MultiDomainModel` whose domains have equal slots.
        convolution: Name of the shared convolution or dense layer.
        norm: Name of the only layer that uses its output: a BatchNorm, or
            Keras' layer scale, which has a gamma and nothing else.

    Returns:
        The number of channels turned.
    """
    first = next(iter(model.domains))
    layer = model._mdl.slotted[convolution]
    conv = layer.parts(first)[layer.last_role]
    factors = [
        next(iter(model._mdl.slotted[norm].parts(domain).values()))
        for domain in model.domains
    ]
    gamma = keras.ops.convert_to_numpy(factors[0].gamma)
    signs = np.where(gamma < 0, -1, 1).astype(gamma.dtype)
    if (signs < 0).any():
        turned = [conv.kernel, *([conv.bias] if conv.use_bias else [])]
        for factor in factors:
            turned.append(factor.gamma)
            if hasattr(factor, "moving_mean"):
                turned.append(factor.moving_mean)
        for variable in turned:
            value = keras.ops.convert_to_numpy(variable)
            variable.assign(value * signs.astype(value.dtype))
    return int((signs < 0).sum())


def dead_channels(model):
    """A line about each shared convolution with channels that do nothing.

    An int8 kernel has one scale for each channel. Where all weights of one
    are next to nothing (below 1e-6), the scale is too, and a domain whose
    norm divides by it may round its bytes differently.
    """
    lines = []
    for name, layer in model._mdl.slotted.items():
        if isinstance(layer, SlottedConvolution) and layer.has_trunk_kernel:
            conv = layer.parts(layer.domains[0])[layer.last_role]
            kernel = keras.ops.convert_to_numpy(conv.kernel)
            dead = np.abs(kernel).max(axis=(0, 1, 2)) < DEAD
            if dead.any():
                lines.append(
                    f"{name}: {int(dead.sum())} of {len(dead)} channels are "
                    "dead (kernel below 1e-6)"
                )
    return lines
