"""Residual adapters: a 1x1 convolution beside or behind a frozen one."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras import ops

from keras_mdl.layers.batch_norm import FusedBatchNormalization
from keras_mdl.layers.padding import before
from keras_mdl.layers.transforms.base import Branch, released_rule


@keras.saving.register_keras_serializable("keras_mdl")
class ParallelAdapter(Branch):
    """A 1x1 convolution beside the shared one.

    ```
    y = W * x + A * x        A: (inputs, filters), with the unit's stride
    ```

    Folds into the centre tap of a dense `W`. In a separable unit it stands
    beside depthwise and pointwise together, and cannot be folded: the sum has
    no separable kernel.

    Reference: Rebuffi, Bilen, Vedaldi, "Efficient parametrization of
    multi-domain deep neural networks", CVPR 2018; the start N(0, 2 / filters)
    from the released code. Not built: the optional dropout on its input. The
    published start is random, so a new domain does not begin with the base's
    features; with `kernel` set to zero it does, which short trainings need
    (`docs/results/methods.md`).
    """

    def place(
        self,
        step: Callable,
        conv: keras.Layer,
        x: Any,
        source: Any,
        parts: Mapping[str, keras.Layer],
    ) -> Any:
        return step(self, step(conv, x), source)

    def build(self, inputs_shape, source_shape):
        self.kernel = self.add_weight(
            shape=(source_shape[-1], self.filters),
            initializer=released_rule(self.filters),
            name="kernel",
        )

    def call(self, inputs, source):
        # The pixel under the middle of the unit's kernel; zeros where that
        # stands in the padding.
        for axis, (k, s) in enumerate(
            zip(self.kernel_size, self.strides, strict=True)
        ):
            n = source.shape[axis + 1]
            first = (k - 1) // 2 - before(self.padding, axis, n, k, s)
            end = 0
            if not isinstance(self.padding, str):
                end = max(self.padding[axis][1] - k // 2, 0)
            zeros = [(0, 0)] * 4
            zeros[axis + 1] = (max(-first, 0), end)
            source = ops.pad(source, zeros)
            index = [slice(None)] * 4
            index[axis + 1] = slice(max(first, 0), None, s)
            source = source[tuple(index)]
            index[axis + 1] = slice(ops.shape(inputs)[axis + 1])
            source = source[tuple(index)]
        return inputs + ops.matmul(source, self.kernel)

    def fold(self, conv: keras.Layer, dense: bool = True) -> tuple:
        if not dense:
            raise ValueError(
                "A parallel adapter beside a separable convolution cannot be "
                "folded: the sum has no separable kernel"
            )
        height, width = conv.kernel.shape[:2]
        centre = [((n - 1) // 2, n // 2) for n in (height, width)]
        centre += [(0, 0), (0, 0)]
        own = ops.convert_to_tensor(self.kernel)[None, None]
        return conv.kernel + ops.pad(own, centre), None


@keras.saving.register_keras_serializable("keras_mdl")
class SerialAdapter(Branch):
    """A normalised 1x1 convolution behind the shared one, around a shortcut.

    ```
    z = W * x
    y = z + A * BN(z)        A: (filters, filters)
    ```

    The unit's own BatchNormalization follows. Folds into a dense kernel and a
    bias, with the statistics of inference.

    Reference: Rebuffi, Bilen, Vedaldi, "Learning multiple visual domains with
    residual adapters", NIPS 2017, in the form of the released code, as is the
    start N(0, 2 / filters); see `ParallelAdapter` about it.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.norm = FusedBatchNormalization(
            momentum=0.9,
            epsilon=1e-5,
            name=f"{self.name}_norm",
            dtype=self.dtype_policy,
        )

    def place(
        self,
        step: Callable,
        conv: keras.Layer,
        x: Any,
        source: Any,
        parts: Mapping[str, keras.Layer],
    ) -> Any:
        return step(self, step(conv, x))

    def build(self, inputs_shape):
        self.norm.build(inputs_shape)
        self.kernel = self.add_weight(
            shape=(self.filters, self.filters),
            initializer=released_rule(self.filters),
            name="kernel",
        )

    def call(self, inputs, training=None):
        z = self.norm(inputs, training=training)
        return inputs + ops.matmul(z, self.kernel)

    def fold(self, conv: keras.Layer, dense: bool = True) -> tuple:
        norm = self.norm
        scale = norm.gamma / ops.sqrt(norm.moving_variance + norm.epsilon)
        mix = (
            ops.eye(self.filters, dtype=scale.dtype)
            + scale[:, None] * self.kernel
        )
        offset = norm.beta - scale * norm.moving_mean
        if conv.use_bias:
            # The convolution goes on adding its bias once; A sees it too.
            offset = offset + scale * conv.bias
        return ops.matmul(conv.kernel, mix), ops.matmul(offset, self.kernel)
