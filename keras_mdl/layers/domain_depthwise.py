"""`DomainDepthwiseConv2D`: a depthwise convolution of its own per domain."""

from collections.abc import Sequence

import keras

from keras_mdl.layers.depthwise import DepthwiseConv2D
from keras_mdl.layers.slotted_convolution import (
    SlottedConvolution,
    fresh,
    released_initializer,
)


@keras.saving.register_keras_serializable("keras_mdl")
class DomainDepthwiseConv2D(SlottedConvolution):
    """A depthwise convolution whose kernels belong to one domain each.

    For domain `d`:

    ```
    z[h, w, c] = sum_ij  K_d[i, j, c] * x[s*h + i - p, s*w + j - p, c]
    ```

    The half of the method that is private; `SharedConv2D` with
    `kernel_size=1` is the other. What stands between the two (norms and
    activations in mobile networks, nothing in the paper's) is the network's.

    Args:
        domains: Names of the domains.
        kernel_size, strides, padding, dilation_rate, transforms: As
            `SlottedConvolution`.
        depth_multiplier: Outputs of each channel.
        use_bias: Whether there is a bias, of the domain's own.
        depthwise_initializer: Default N(0, 2 / (k*k*C)), see
            `SharedPointwiseDepthwiseConv`.

    Call arguments:
        inputs: Tensor `(batch, height, width, channels)`.
        domain: Name of the domain. Keyword only.

    Output shape: as `keras.layers.DepthwiseConv2D`.

    Raises:
        ValueError: As `SlottedConvolution`, and for a gate over kernels with
            a depth multiplier or a dilation.

    Reference: Guo et al., AAAI 2019, equations 5 and 7.
    """

    kernel_roles = {"depthwise": "depthwise"}

    def __init__(
        self,
        domains: Sequence[str],
        depth_multiplier: int = 1,
        use_bias: bool = False,
        depthwise_initializer: keras.Initializer | str | None = None,
        **kwargs,
    ) -> None:
        self.depth_multiplier = depth_multiplier
        self.use_bias = use_bias
        self.depthwise_initializer = keras.initializers.get(
            depthwise_initializer or released_initializer("fan_in")
        )
        super().__init__(domains, **kwargs)

    def make_slot(self, domain: str) -> dict:
        return {
            "depthwise": DepthwiseConv2D(
                depth_multiplier=self.depth_multiplier,
                use_bias=self.use_bias,
                depthwise_initializer=fresh(self.depthwise_initializer),
                **self.convolution_options("depthwise", domain),
            ),
            **self.make_transforms(domain),
        }

    def get_config(self):
        return {
            **super().get_config(),
            "depth_multiplier": self.depth_multiplier,
            "use_bias": self.use_bias,
            "depthwise_initializer": keras.initializers.serialize(
                self.depthwise_initializer
            ),
        }
