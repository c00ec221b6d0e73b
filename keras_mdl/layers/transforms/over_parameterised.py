"""DO-Conv: kernels that train with a factor and are folded after."""

import math

import keras
from keras import ops

from keras_mdl.layers.transforms.base import KernelTransform


def over_parameterised(kernel, d_train, extra=None):
    """`K` of `DOConv2D`'s equation, with the shape of `kernel`.

    ```
    K[m, i, o] = W[m, i, o] + sum_s  d_train[m, s, c(i, o)] * W[s, i, o]
    ```

    The first term is the identity's share, written without a product, so that
    `d_train = 0` gives the kernel to the last bit.

    Args:
        kernel: The first rows of W, `(kh, kw, inputs, filters)`.
        d_train: What training adds to the identity, `(kh * kw, d_multiplier,
            channels)`.
        extra: Further rows of W, `(d_multiplier - kh * kw, inputs, filters)`.
    """
    size, multiplier, channels = d_train.shape
    *_, inputs, filters = kernel.shape
    groups = channels // inputs
    first = ops.reshape(kernel, (size, inputs, filters))
    rows = first if extra is None else ops.concatenate([first, extra])
    # Filters and input channels lie group by group. With a group axis (g)
    # in both, local input i of a filter meets D of its true channel g, i.
    added = ops.einsum(
        "msgi,sigo->migo",
        ops.reshape(d_train, (size, multiplier, groups, inputs)),
        ops.reshape(rows, (multiplier, inputs, groups, filters // groups)),
    )
    added = ops.reshape(added, (size, inputs, filters))
    return ops.reshape(first + added, kernel.shape)


@keras.saving.register_keras_serializable("keras_mdl")
class OverParameterised(KernelTransform):
    """A factor D before a depthwise kernel (DO-DConv), folded away after.

    ```
    K[m, c] = sum_s  D[m, s, c] * W[s, c]        D = identity + d_train
    ```

    Training has `(kh * kw)^2` more numbers a channel; `fold` gives an ordinary
    kernel. The slot starts as the plain one, exactly.

    Reference: Cao et al., "DO-Conv", IEEE TIP 31, 2022; see `DOConv2D`.
    """

    kernels = ("depthwise",)

    def build(self, kernel_shape):
        size = math.prod(kernel_shape[:2])
        self.d_train = self.add_weight(
            shape=(size, size, kernel_shape[2]),
            initializer="zeros",
            name="d_train",
        )

    def call(self, kernel):
        return over_parameterised(kernel, ops.convert_to_tensor(self.d_train))

    def stored_bits(self, variable: keras.Variable) -> int | None:
        return 0
