"""`KernelConv2D`: a convolution that can also hand out its kernel."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_mdl")
class KernelConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` that gives its kernel with `kernel_only=True`.

    Methods that adapt a shared kernel per domain (masks, controllers) need it
    as a tensor *of the graph*: then the functional model of a domain knows the
    trunk's variable like any other.

    Args, input and output shapes: as `keras.layers.Conv2D`.

    Call arguments:
        inputs: Tensor `(batch, height, width, channels)`.
        kernel_only: Whether to return the kernel, whatever the input.
    """

    def call(self, inputs, kernel_only=False):
        if kernel_only:
            return ops.convert_to_tensor(self.kernel)
        return super().call(inputs)

    def compute_output_shape(self, input_shape, kernel_only=False):
        if kernel_only:
            return (*self.kernel_size, input_shape[-1], self.filters)
        return super().compute_output_shape(input_shape)

    def compute_output_spec(self, inputs, kernel_only=False):
        return keras.KerasTensor(
            self.compute_output_shape(inputs.shape, kernel_only),
            dtype=self.compute_dtype,
        )
