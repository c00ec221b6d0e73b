"""Residual adapters: a 1x1 convolution beside or behind a frozen one."""

import keras
from keras import ops

from keras_mdl.layers.adapters.base import Adapter, released_rule
from keras_mdl.layers.batch_norm import FusedBatchNormalization


@keras.saving.register_keras_serializable("keras_mdl")
class ParallelAdapter(Adapter):
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
    (`benchmarks/RESULTS.md`).
    """

    def place(self, step, conv, x, source):
        return step(self, step(conv, x), source)

    def build(self, inputs_shape, source_shape):
        self.kernel = self.add_weight(
            shape=(source_shape[-1], self.filters),
            initializer=released_rule(self.filters),
            name="kernel",
        )

    def call(self, inputs, source):
        s = self.strides
        return inputs + ops.matmul(source[:, ::s, ::s], self.kernel)

    def compute_output_shape(self, inputs_shape, source_shape):
        return inputs_shape

    def folded(self, kernel, dense):
        if not dense:
            raise ValueError(
                "A parallel adapter beside a separable convolution cannot be "
                "folded: the sum has no separable kernel"
            )
        height, width = kernel.shape[:2]
        centre = [(height // 2, height - height // 2 - 1)]
        centre += [(width // 2, width - width // 2 - 1), (0, 0), (0, 0)]
        own = ops.convert_to_tensor(self.kernel)[None, None]
        return kernel + ops.pad(own, centre), None


@keras.saving.register_keras_serializable("keras_mdl")
class SerialAdapter(Adapter):
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

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.norm = FusedBatchNormalization(
            momentum=0.9, epsilon=1e-5, name="norm", dtype=self.dtype_policy
        )

    def place(self, step, conv, x, source):
        return step(self, step(conv, x))

    def build(self, input_shape):
        self.norm.build(input_shape)
        self.kernel = self.add_weight(
            shape=(self.filters, self.filters),
            initializer=released_rule(self.filters),
            name="kernel",
        )

    def call(self, inputs, training=None):
        z = self.norm(inputs, training=training)
        return inputs + ops.matmul(z, self.kernel)

    def compute_output_shape(self, input_shape):
        return input_shape

    def folded(self, kernel, dense):
        norm = self.norm
        scale = norm.gamma / ops.sqrt(norm.moving_variance + norm.epsilon)
        mix = ops.eye(self.filters) + scale[:, None] * self.kernel
        bias = ops.matmul(norm.beta - scale * norm.moving_mean, self.kernel)
        return ops.matmul(kernel, mix), bias
