"""`Adapter`: what adapts a shared convolution to one domain."""

import keras
from keras import ops


class Adapter(keras.layers.Layer):
    """Base of the layers that change a shared convolution for one domain.

    A unit (a dense convolution, or a depthwise and a pointwise one) ends in a
    convolution `conv` that may be shared. An adapter stands in its place and
    decides how `conv` is used: here, that it is called itself, with the kernel
    of `conv` beside the input. Subclasses implement `build` and `call`, and
    `folded` where theory allows.

    Args:
        filters: Output channels of the convolution.
        strides: Stride of the unit.
        conv_strides: Stride of `conv` itself (1 for a pointwise kernel).
        padding: Of `conv`: `"valid"` or `"same"`.
    """

    def __init__(
        self, filters, strides=1, conv_strides=1, padding="valid", **kwargs
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.strides = strides
        self.conv_strides = conv_strides
        self.padding = padding

    def place(self, step, conv, x, source):
        """The output of the unit.

        Args:
            step: Function of a layer and its inputs, see `SlottedLayer.walk`.
            conv: The `KernelConv2D` to adapt.
            x: Its input.
            source: The input of the whole unit.
        """
        return step(self, x, step(conv, x, kernel_only=True))

    def folded(self, kernel, dense):
        """`(kernel, bias)` of one ordinary convolution that computes the same.

        Args:
            kernel: Kernel of `conv`, `(k, k, inputs, filters)`.
            dense: Whether `conv` is the whole unit.

        Raises:
            ValueError: Where there is none.
        """
        raise ValueError(
            f"No ordinary convolution computes what a {type(self).__name__} "
            "does"
        )

    def convolve(self, x, kernel):
        """`x` convolved as `conv` does, with another kernel."""
        return ops.conv(
            x,
            ops.cast(kernel, self.compute_dtype),
            strides=self.conv_strides,
            padding=self.padding,
        )

    def compute_output_shape(self, inputs_shape, kernel_shape):
        sides = []
        for n, k in zip(inputs_shape[1:3], kernel_shape[:2], strict=True):
            if n is not None:
                n = n if self.padding == "same" else n - k + 1
                n = -(-n // self.conv_strides)
            sides.append(n)
        return (inputs_shape[0], *sides, self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "strides": self.strides,
            "conv_strides": self.conv_strides,
            "padding": self.padding,
        }


def released_rule(filters):
    """N(0, 2 / filters), the adapters' released rule for 1x1 kernels."""
    return keras.initializers.RandomNormal(stddev=(2 / filters) ** 0.5)
