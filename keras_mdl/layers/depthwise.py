"""`DepthwiseConv2D`: Keras' depthwise convolution, fast on every backend."""

import functools

import keras
from keras import ops

from keras_mdl.layers.kernel_holder import KernelHolder


@keras.saving.register_keras_serializable("keras_mdl")
class DepthwiseConv2D(KernelHolder, keras.layers.DepthwiseConv2D):
    """`keras.layers.DepthwiseConv2D` with an exact, faster form where it pays.

    ```
    y[b, h, w, c] = sum_ij  k[i, j, c] * x[b, s*h + i, s*w + j, c]
    ```

    XLA has no good depthwise convolution on CPUs, above all for the gradient.
    There the sum over `i, j` is written out as `kh * kw` shifted products,
    which is the same sum in another order (equal up to float rounding).
    Everywhere else, and for all options that the written-out form does not
    cover (depth multipliers, dilation, channels first), the native operation
    runs. The choice is made in `shifts_are_faster()`, in one place;
    `benchmarks/` measures it.

    It is a `KernelHolder`; with a kernel for each image it is one convolution
    all the same (`depthwise_per_image`).

    Args, shapes and errors: as `keras.layers.DepthwiseConv2D`.
    """

    def kernel_shape(self, channels: int) -> tuple:
        return (*self.kernel_size, channels, self.depth_multiplier)

    def convolution_op(
        self, inputs: keras.KerasTensor, kernel: keras.KerasTensor
    ) -> keras.KerasTensor:
        """`inputs` convolved with `kernel`, or each image with its own."""
        kernel = ops.cast(kernel, self.compute_dtype)
        if len(kernel.shape) == 5:
            return depthwise_per_image(
                inputs, kernel[..., 0], tuple(self.strides), self.padding
            )
        plain = (
            self.depth_multiplier == 1
            and tuple(self.dilation_rate) == (1, 1)
            and self.data_format == "channels_last"
            and None not in inputs.shape[1:]
        )
        # TensorFlow's operation has equal strides alone.
        uneven = len(set(self.strides)) > 1
        if plain and (uneven or shifts_are_faster()):
            return shifted_depthwise(
                inputs, kernel[..., 0], tuple(self.strides), self.padding
            )
        return ops.depthwise_conv(
            inputs,
            kernel,
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )


@functools.cache
def shifts_are_faster():
    """Whether `shifted_depthwise` beats the native operation on this backend.

    True for JAX on CPUs (always XLA). False for TensorFlow, whose own kernels
    are good when `jit_compile` is off, as `keras_mdl` models choose on CPUs,
    and on accelerators.
    """
    if keras.backend.backend() != "jax":
        return False
    import jax

    return jax.default_backend() == "cpu"


def shifted_depthwise(x, kernel, strides=(1, 1), padding="same"):
    """Depthwise convolution as `kh * kw` shifted multiply-adds.

    Args:
        x: Tensor `(b, h, w, c)` with static `h` and `w`.
        kernel: Tensor `(kh, kw, c)`, or any whose `kernel[i, j]` multiplies
            `x`: `(kh, kw, b, 1, 1, c)` for a kernel per image.
        strides: `(rows, columns)`.
        padding: `"same"` (as Keras and TensorFlow pad) or `"valid"`.

    Returns:
        Tensor `(b, h', w', c)`.
    """
    kh, kw = kernel.shape[:2]
    sizes, pads = [], [(0, 0)]
    for n, k, s in zip(x.shape[1:3], (kh, kw), strides, strict=True):
        if padding == "same":
            out = -(-n // s)
            total = max((out - 1) * s + k - n, 0)
        else:
            out, total = (n - k) // s + 1, 0
        sizes.append(out)
        pads.append((total // 2, total - total // 2))
    x = ops.pad(x, pads + [(0, 0)])
    (h, w), (sh, sw) = sizes, strides
    y = 0
    for i in range(kh):
        for j in range(kw):
            window = x[:, i : i + (h - 1) * sh + 1 : sh]
            window = window[:, :, j : j + (w - 1) * sw + 1 : sw]
            y = y + window * kernel[i, j]
    return y


def depthwise_per_image(x, kernels, strides=(1, 1), padding="same"):
    """Depthwise convolution with kernels of its own for every image.

    Args:
        x: Tensor `(b, h, w, c)` with static `c`.
        kernels: Tensor `(b, kh, kw, c)`.
        strides: `(rows, columns)`.
        padding: `"same"` or `"valid"`.

    Returns:
        Tensor `(b, h', w', c)`.

    Where shifts are faster, they are so here too, with a factor per image.
    Elsewhere the images of a batch become channels of one image: a native
    depthwise convolution, forward and backward. `benchmarks/gate_mixing.py`
    measures both, and the sum of convolutions.
    """
    kh, kw, c = kernels.shape[1:]
    by_position = ops.transpose(kernels, (1, 2, 0, 3))
    if shifts_are_faster() and None not in x.shape[1:]:
        return shifted_depthwise(
            x, by_position[:, :, :, None, None], strides, padding
        )
    h, w = ops.shape(x)[1:3]
    x = ops.reshape(ops.transpose(x, (1, 2, 0, 3)), (1, h, w, -1))
    y = ops.depthwise_conv(
        x,
        ops.reshape(by_position, (kh, kw, -1, 1)),
        strides=strides,
        padding=padding,
    )
    _, h, w, _ = ops.shape(y)
    return ops.transpose(ops.reshape(y, (h, w, -1, c)), (2, 0, 1, 3))
