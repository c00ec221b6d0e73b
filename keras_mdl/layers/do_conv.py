"""`DOConv2D`: a convolution with a factor that is folded away."""

import math
import numbers

import keras
from keras import ops

from keras_mdl.layers.transforms.over_parameterised import over_parameterised


class DOConvolution:
    """The factor D. A mixin, put before the class of the plain layer.

    The kernel `W` is the plain layer's own variable, `kernel`, with its shape
    and name; `D` is held as what training adds to the identity. See
    `over_parameterised` for the equation.
    """

    plain_class = None

    def __init__(self, *args, d_multiplier=None, d_regularizer=None, **kwargs):
        super().__init__(*args, **kwargs)
        size = math.prod(self.kernel_size)
        whole = isinstance(d_multiplier, numbers.Integral)
        if d_multiplier is not None and not (whole and d_multiplier >= size):
            raise ValueError(
                "`d_multiplier` must be an integer of at least kernel height "
                f"* width = {size}: a narrower factor cannot be the identity. "
                f"Received: d_multiplier={d_multiplier!r}"
            )
        self.d_multiplier = int(d_multiplier or size)
        self.d_regularizer = keras.regularizers.get(d_regularizer)
        self.d_train = self.kernel_extra = None

    @property
    def has_factor(self):
        """Whether there is a D: not for 1x1 kernels."""
        return math.prod(self.kernel_size) > 1

    def add_weight(self, *args, name=None, **kwargs):
        # In mixed precision the factors are multiplied in the variables'
        # precision and the result is cast: one rounding, as for a plain kernel.
        if self.has_factor and name in ("kernel", "kernel_extra", "d_train"):
            kwargs["autocast"] = False
        return super().add_weight(*args, name=name, **kwargs)

    def add_factor(self, channels, initializer, regularizer):
        """Creates D, and the rows of W that the kernel has no room for."""
        if not self.has_factor:
            return
        shape = tuple(self.kernel.shape)
        size = math.prod(self.kernel_size)
        self.d_train = self.add_weight(
            name="d_train",
            shape=(size, self.d_multiplier, channels),
            initializer="zeros",
            regularizer=self.d_regularizer or regularizer,
            dtype=self.dtype,
        )
        if self.d_multiplier > size:
            self.kernel_extra = self.add_weight(
                name="kernel_extra",
                shape=(self.d_multiplier - size, *shape[2:]),
                initializer=_further_rows(initializer, shape),
                regularizer=regularizer,
                dtype=self.dtype,
            )

    def compose(self, kernel):
        """`K` of the equation, from the first rows of W; shape of `kernel`."""
        if not self.has_factor:
            return ops.convert_to_tensor(kernel)
        return over_parameterised(
            ops.convert_to_tensor(kernel),
            ops.convert_to_tensor(self.d_train),
            None
            if self.kernel_extra is None
            else ops.convert_to_tensor(self.kernel_extra),
        )

    def convolution_op(self, inputs, kernel):
        if self.has_factor:
            kernel = ops.cast(self.compose(kernel), self.compute_dtype)
        return super().convolution_op(inputs, kernel)

    def fold(self):
        """The equivalent plain layer: built, same name, `K` as its kernel.

        Raises:
            ValueError: If the layer is not built yet.
        """
        if not self.built:
            raise ValueError(
                "A layer must be built before it can be folded. "
                f"Received: layer={self.name!r}, not built"
            )
        config = self.get_config()
        del config["d_multiplier"], config["d_regularizer"]
        plain = self.plain_class.from_config(config)
        plain.build_from_config(self.get_build_config())
        # Copies: on JAX two variables must not hold the same buffer.
        plain.kernel.assign(ops.copy(self.compose(self.kernel)))
        if self.use_bias:
            plain.bias.assign(ops.copy(self.bias))
        return plain

    def get_config(self):
        return {
            **super().get_config(),
            "d_multiplier": self.d_multiplier,
            "d_regularizer": keras.regularizers.serialize(self.d_regularizer),
        }


@keras.saving.register_keras_serializable("keras_mdl")
class DOConv2D(DOConvolution, keras.layers.Conv2D):
    """`keras.layers.Conv2D`, over-parameterised by a depthwise factor D.

    For a kernel of `M = kh * kw` positions, input `i` of filter `o`, and the
    true input channel `c(i, o) = q * (channels / groups) + i` of a filter in
    group `q`:

    ```
    K[m, i, o] = sum_s  D[m, s, c(i, o)] * W[s, i, o],    s = 1 .. d_multiplier
    y = conv(x, K) + b
    ```

    `D` starts as the identity, so the layer starts as the plain convolution
    with kernel `W`, exactly: assign a trained layer's kernel to go on from it.
    Only the difference to the identity, `d_train`, is a weight; decay pulls
    `D` to the identity, not to zero. 1x1 kernels have no factor at all.

    Training costs `M * d_multiplier * channels` more numbers and one small
    product per step, whatever the batch. `fold()` returns the plain layer that
    computes the same: inference costs nothing.

    Args:
        *args: As `keras.layers.Conv2D`.
        d_multiplier: Columns of D and rows of W, at least `kh * kw`, the
            default.
        d_regularizer: Regulariser of `d_train`. Default: the kernel's
            (`keras.regularizers.L2(0.0)` for none).
        **kwargs: As `keras.layers.Conv2D`, without LoRA. A kernel regulariser
            also acts on further rows of W; a constraint on `kernel` alone.

    Input shape, output shape: as `keras.layers.Conv2D`.

    Raises:
        ValueError: For a `d_multiplier` that is no integer or below
            `kh * kw`, for LoRA, and when folded before it is built.

    Example:

    >>> conv = DOConv2D(8, 3, padding="same")
    >>> y = conv(keras.ops.ones((1, 16, 16, 4)))
    >>> plain = conv.fold()
    >>> type(plain).__name__, tuple(plain.kernel.shape)
    ('Conv2D', (3, 3, 4, 8))

    Reference: Cao et al., "DO-Conv: Depthwise Over-parameterized Convolutional
    Layer", IEEE TIP 31, 2022, and the released code (zeros plus a fixed
    identity, kernel view). Two deviations. The released code reshapes grouped
    filters so that they meet other channels' D; here it is the true channel's.
    For `d_multiplier > M` it tiles the identity, so the first kernel is a sum
    of rows of W; here the identity covers the first M rows, the `kernel`, and
    `kernel_extra` holds further draws of its initialiser that meet columns of
    zeros. They learn once `d_train` has moved (unless the initialiser is
    zeros: then neither they nor their columns ever do).
    """

    plain_class = keras.layers.Conv2D

    def build(self, input_shape):
        super().build(input_shape)
        self.add_factor(
            self.kernel.shape[2] * self.groups,
            self.kernel_initializer,
            self.kernel_regularizer,
        )

    def enable_lora(self, *args, **kwargs) -> None:
        raise ValueError(
            "A DOConv2D has a factor of its own and no LoRA: fold it first. "
            f"Received: layer={self.name!r}"
        )

    # Keras' Conv2D would store the kernel and the bias alone.

    def save_own_variables(self, store: dict) -> None:
        keras.layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store: dict) -> None:
        keras.layers.Layer.load_own_variables(self, store)


def _further_rows(initializer, kernel_shape):
    """Initialiser of rows that are distributed as those of the kernel."""
    size = math.prod(kernel_shape[:2])

    def draw(shape, dtype=None):
        # Whole kernels: what an initialiser draws depends on the shape.
        kernels = []
        for number in range(-(-shape[0] // size)):
            fresh, seed = initializer, getattr(initializer, "seed", None)
            if isinstance(seed, int):
                # By itself it would repeat the kernel's values.
                config = {**initializer.get_config(), "seed": seed + number + 1}
                fresh = type(initializer).from_config(config)
            values = fresh(kernel_shape, dtype=dtype)
            kernels.append(ops.reshape(values, (size, *kernel_shape[2:])))
        return ops.concatenate(kernels)[: shape[0]]

    return draw
