"""`OwnKernel`: a kernel of the domain's own instead of the shared one."""

import keras
from keras import ops

from keras_mdl.layers.transforms.base import KernelTransform


@keras.saving.register_keras_serializable("keras_mdl")
class OwnKernel(KernelTransform):
    """Leaves the shared kernel aside and convolves with the domain's own.

    ```
    y = K * x + b        (b only with use_bias)
    ```

    It is what the paper calls depthwise sharing, when the depthwise kernels
    stay as they are; and what every other adapter is folded into.

    Args:
        use_bias: Whether there is a bias.
        **kwargs: As `KernelTransform`.
    """

    kernels = ("shared", "grouped")

    def __init__(self, use_bias: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        self.use_bias = use_bias

    def build(self, kernel_shape):
        self.kernel = self.add_weight(
            shape=tuple(kernel_shape),
            # Its values come from the shared kernel (`start_from`).
            initializer="zeros",
            name="kernel",
        )
        if self.use_bias:
            self.bias = self.add_weight(
                shape=kernel_shape[-1:], initializer="zeros", name="bias"
            )

    def start_from(
        self, kernel: keras.KerasTensor, bias: keras.KerasTensor | None = None
    ) -> None:
        self.kernel.assign(ops.copy(kernel))
        if bias is not None:
            self.bias.assign(ops.copy(bias))

    def call(self, kernel):
        own = ops.convert_to_tensor(self.kernel)
        return [own, ops.convert_to_tensor(self.bias)] if self.use_bias else own

    def compute_output_shape(self, kernel_shape):
        kernel_shape = tuple(kernel_shape)
        return (
            [kernel_shape, kernel_shape[-1:]] if self.use_bias else kernel_shape
        )

    def get_config(self):
        return {**super().get_config(), "use_bias": self.use_bias}
