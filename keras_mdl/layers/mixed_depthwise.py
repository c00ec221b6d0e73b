"""`MixedDepthwiseConv2D`: the depthwise kernels of several domains, mixed."""

import keras
from keras import ops

from keras_mdl.layers.depthwise import (
    DepthwiseConv2D,
    shifted_depthwise,
    shifts_are_faster,
)
from keras_mdl.layers.slotted import unique_names


@keras.saving.register_keras_serializable("keras_mdl")
class MixedDepthwiseConv2D(DepthwiseConv2D):
    """One depthwise convolution with a mixture of domains' kernels per image.

    A convolution is linear in its kernel. So the sum of `T` convolutions,
    weighted by a gate `s`, is ONE convolution with the mixed kernel:

    ```
    sum_t  s_t * conv(x, K_t)  =  conv(x, sum_t  s_t * K_t)
    ```

    The kernel of the layer's own domain is `kernel`, as in the plain layer.
    Those of other domains are copies, one variable each, that never train:
    whatever becomes of those domains, this layer computes the same.

    Args:
        domain: Name of the own domain.
        sources: Names of the other domains.
        *args: As `keras.layers.DepthwiseConv2D`, channels last, without depth
            multiplier, dilation and bias.

    Call arguments:
        inputs: Tensor `(batch, height, width, channels)`.
        weights: Tensor `(batch, T)`, in the order of `domains` (by name).

    Output shape: as `keras.layers.DepthwiseConv2D`.

    Reference: Guo et al., AAAI 2019, equation 8. That the released code runs
    `T` convolutions is a matter of speed alone.
    """

    def __init__(self, domain, sources, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.domain = domain
        self.sources = unique_names(sources)
        self.domains = tuple(sorted(unique_names([domain, *self.sources])))
        if (
            self.use_bias
            or self.depth_multiplier > 1
            or (
                tuple(self.dilation_rate) != (1, 1)
                or self.data_format != "channels_last"
            )
        ):
            raise ValueError(
                "A mixed depthwise convolution has no bias, depth multiplier "
                "or dilation, and channels last. Received: "
                f"use_bias={self.use_bias}, "
                f"depth_multiplier={self.depth_multiplier}, "
                f"dilation_rate={self.dilation_rate}, "
                f"data_format={self.data_format!r}"
            )

    def add_weight(self, *args, **kwargs):
        # In mixed precision kernels are mixed in the variables' precision and
        # the result is cast: one rounding, as for a plain kernel.
        return super().add_weight(*args, **{**kwargs, "autocast": False})

    def build(self, inputs_shape, weights_shape):
        super().build(inputs_shape)
        for source in self.sources:
            copy = self.add_weight(
                shape=self.kernel.shape,
                initializer="zeros",
                trainable=False,
                name=f"source_{source}",
            )
            setattr(self, f"source_{source}", copy)

    @property
    def kernels(self):
        """`{domain: variable}`, in the order of `domains`."""
        return {
            d: self.kernel if d == self.domain else getattr(self, f"source_{d}")
            for d in self.domains
        }

    def mixed(self, weights):
        """The kernels `(batch, kh, kw, channels)` of gate weights."""
        stack = ops.stack([v.value[..., 0] for v in self.kernels.values()])
        weights = ops.cast(weights, stack.dtype)
        return ops.einsum("bt,tijc->bijc", weights, stack)

    def call(self, inputs, weights):
        kernels = ops.cast(self.mixed(weights), self.compute_dtype)
        y = depthwise_per_image(
            inputs, kernels, tuple(self.strides), self.padding
        )
        return self.activation(y)

    def compute_output_shape(self, inputs_shape, weights_shape=None):
        return super().compute_output_shape(inputs_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "domain": self.domain,
            "sources": list(self.sources),
        }


def depthwise_per_image(x, kernels, strides=(1, 1), padding="same"):
    """Depthwise convolution with kernels of its own for every image.

    Args:
        x: Tensor `(b, h, w, c)` with static `c`.
        kernels: Tensor `(b, kh, kw, c)`.
        strides: `(rows, columns)`.
        padding: `"same"` or `"valid"`.

    Returns:
        Tensor `(b, h', w', c)`.

    Where shifts are faster (see `depthwise`), they are so here too, with a
    factor per image. Elsewhere the images of a batch become channels of one
    image: a native depthwise convolution, forward and backward.
    `benchmarks/gate_mixing.py` measures both, and the sum of convolutions.
    """
    kh, kw, c = kernels.shape[1:]
    if shifts_are_faster() and None not in x.shape[1:]:
        by_position = ops.transpose(kernels, (1, 2, 0, 3))
        return shifted_depthwise(
            x, by_position[:, :, :, None, None], strides, padding
        )
    h, w = ops.shape(x)[1:3]
    x = ops.reshape(ops.transpose(x, (1, 2, 0, 3)), (1, h, w, -1))
    kernels = ops.transpose(kernels, (1, 2, 0, 3))
    y = ops.depthwise_conv(
        x,
        ops.reshape(kernels, (kh, kw, -1, 1)),
        strides=strides,
        padding=padding,
    )
    _, h, w, _ = ops.shape(y)
    return ops.transpose(ops.reshape(y, (h, w, -1, c)), (2, 0, 1, 3))
