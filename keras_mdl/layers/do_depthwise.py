"""`DODepthwiseConv2D`: a depthwise slot with a factor that is folded away."""

import keras

from keras_mdl.layers.depthwise import DepthwiseConv2D
from keras_mdl.layers.do_conv import DOConvolution


@keras.saving.register_keras_serializable("keras_mdl")
class DODepthwiseConv2D(DOConvolution, DepthwiseConv2D):
    """`DepthwiseConv2D`, over-parameterised by a factor D (DO-DConv).

    For channel `c` and its output `o = 1 .. depth_multiplier`:

    ```
    K[m, c, o] = sum_s  D[m, s, c] * W[s, c, o]
    ```

    For 3x3 kernels a 9x9 matrix times the 9 numbers of each filter. What
    `DOConv2D` says holds here as well; `fold()` returns a
    `keras_mdl.layers.DepthwiseConv2D`.

    Args:
        *args: As `keras.layers.DepthwiseConv2D`.
        d_multiplier: As `DOConv2D`.
        d_regularizer: As `DOConv2D`; default: the depthwise regulariser.
        **kwargs: As `keras.layers.DepthwiseConv2D`.

    Input shape, output shape: as `keras.layers.DepthwiseConv2D`.

    Raises:
        ValueError: As `DOConv2D`.

    Reference: as `DOConv2D`, with the same deviations. (The released PyTorch
    code pairs filters and channels wrongly for depth multipliers above 1.)
    """

    plain_class = DepthwiseConv2D

    def build(self, input_shape):
        super().build(input_shape)
        self.add_factor(
            self.kernel.shape[2],
            self.depthwise_initializer,
            self.depthwise_regularizer,
        )
