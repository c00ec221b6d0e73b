"""`OwnKernel`: a kernel of the domain's own instead of the shared one."""

import keras
from keras import ops

from keras_mdl.layers.adapters.base import Adapter


@keras.saving.register_keras_serializable("keras_mdl")
class OwnKernel(Adapter):
    """Leaves the shared kernel aside and convolves with the domain's own.

    ```
    y = K * x + b        (b only with use_bias)
    ```

    It is what the paper calls depthwise sharing, when the depthwise kernels
    stay as they are; and what every other adapter is folded into.

    Args:
        use_bias: Whether there is a bias.
        *args, **kwargs: As `Adapter`.
    """

    def __init__(self, *args, use_bias=False, **kwargs):
        super().__init__(*args, **kwargs)
        self.use_bias = use_bias

    def build(self, inputs_shape, kernel_shape):
        self.kernel = self.add_weight(
            shape=tuple(kernel_shape),
            # Its values come from the shared kernel (`start_from`).
            initializer="zeros",
            name="kernel",
        )
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(self.filters,), initializer="zeros", name="bias"
            )

    def start_from(self, kernel, bias=None):
        """Takes over the values of a kernel (and a bias)."""
        self.kernel.assign(ops.copy(kernel))
        if bias is not None:
            self.bias.assign(ops.copy(bias))

    def call(self, inputs, kernel):
        y = self.convolve(inputs, self.kernel)
        return y + self.bias if self.use_bias else y

    def folded(self, kernel, dense):
        bias = ops.convert_to_tensor(self.bias) if self.use_bias else None
        return ops.convert_to_tensor(self.kernel), bias

    def get_config(self):
        return {**super().get_config(), "use_bias": self.use_bias}
