"""`KernelHolder`: a convolution that hands out its kernel and takes others."""

import math

import keras
from keras import ops


class KernelHolder:
    """Mixin, put before a Keras convolution.

    Domains change kernels (`keras_mdl.layers.transforms`). They need a kernel
    as a tensor *of the graph*: then the functional model of a domain knows
    the variable like any other. And the convolution then runs with what they
    made of it.

    Call arguments:
        inputs: Tensor `(batch, height, width, channels)`.
        kernel: A kernel to use instead of the layer's own, of its shape, or
            (depthwise) one for each image, with a batch axis in front.
        bias: A bias `(filters,)` to add to the output, beside the layer's.
        kernel_only: Whether to return the kernel, whatever the input; in the
            precision of the variables.
    """

    def add_weight(self, *args, name=None, **kwargs):
        if name == "kernel":  # cast where it is used
            kwargs["autocast"] = False
        return super().add_weight(*args, name=name, **kwargs)

    def call(self, inputs, kernel=None, bias=None, kernel_only=False):
        if kernel_only:
            return ops.convert_to_tensor(self.kernel)
        y = self.convolution_op(
            inputs, self.kernel if kernel is None else kernel
        )
        first = self.data_format == "channels_first"
        for b in (self.bias if self.use_bias else None, bias):
            if b is not None:
                b = ops.cast(b, y.dtype)
                y = y + (b[:, None, None] if first else b)
        return y if self.activation is None else self.activation(y)

    def convolution_op(self, inputs, kernel):
        return super().convolution_op(
            inputs, ops.cast(kernel, self.compute_dtype)
        )

    def macs(self, inputs, output):
        """Multiply-accumulates of one image; `None` if its size is open."""
        if len(inputs) < 2 and len(output.shape) == 4 and output.shape[0]:
            return 0  # the kernel was handed out
        positions = output.shape[1:3]
        if None in positions:
            return None
        return math.prod(positions) * math.prod(self.kernel.shape)

    def compute_output_shape(
        self, input_shape, kernel_shape=None, bias_shape=None, kernel_only=False
    ):
        if kernel_only:
            return self.kernel_shape(input_shape[-1])
        return super().compute_output_shape(input_shape)

    def compute_output_spec(
        self, inputs, kernel=None, bias=None, kernel_only=False
    ):
        shape = self.compute_output_shape(inputs.shape, kernel_only=kernel_only)
        dtype = self.variable_dtype if kernel_only else self.compute_dtype
        return keras.KerasTensor(shape, dtype=dtype)


@keras.saving.register_keras_serializable("keras_mdl")
class KernelConv2D(KernelHolder, keras.layers.Conv2D):
    """`keras.layers.Conv2D` as a `KernelHolder`.

    Args, input and output shapes: as `keras.layers.Conv2D`.
    """

    def kernel_shape(self, channels):
        return (*self.kernel_size, channels // self.groups, self.filters)
