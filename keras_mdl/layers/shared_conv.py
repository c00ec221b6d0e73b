"""`SharedConv2D`: a dense or pointwise convolution that all domains share."""

from collections.abc import Sequence

import keras

from keras_mdl.layers.kernel_holder import KernelConv2D
from keras_mdl.layers.slotted_convolution import (
    SlottedConvolution,
    fresh,
    released_initializer,
)


@keras.saving.register_keras_serializable("keras_mdl")
class SharedConv2D(SlottedConvolution):
    """A convolution shared by all domains, changed per domain if asked.

    ```
    y = W * x (+ b)              W: (kh, kw, inputs / groups, filters)
    ```

    with kernel and bias of the trunk; for a domain with a transform, what
    that makes of `W` (see `keras_mdl.layers.transforms`).

    Args:
        filters: Output channels.
        domains: Names of the domains.
        kernel_size, strides, padding, dilation_rate, transforms: As
            `SlottedConvolution`.
        groups: Groups of a grouped convolution.
        use_bias: Whether there is a bias, of the trunk too.
        kernel_initializer: Default N(0, 2 / (k*k*filters)), the released
            code's rule.

    Call arguments:
        inputs: Tensor `(batch, height, width, channels)`.
        domain: Name of the domain. Keyword only.

    Output shape: as `keras.layers.Conv2D`; `(batch, ceil(height / strides),
        ceil(width / strides), filters)` with symmetric or same padding.

    Raises:
        ValueError: As `SlottedConvolution`.

    Reference: for dense kernels Rebuffi et al., NIPS 2017 and CVPR 2018 (the
    dense ResNet-26); for pointwise ones Guo et al., AAAI 2019.
    """

    def __init__(
        self,
        filters: int,
        domains: Sequence[str],
        groups: int = 1,
        use_bias: bool = False,
        kernel_initializer: keras.Initializer | str | None = None,
        **kwargs,
    ) -> None:
        self.filters = filters
        self.groups = groups
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(
            kernel_initializer or released_initializer("fan_out")
        )
        super().__init__(domains, **kwargs)

    @property
    def kernel_roles(self) -> dict[str, str]:
        return {"conv": "shared" if self.groups == 1 else "grouped"}

    def make_shared(self) -> dict:
        return {
            **super().make_shared(),
            "conv": KernelConv2D(
                self.filters,
                groups=self.groups,
                use_bias=self.use_bias,
                kernel_initializer=fresh(self.kernel_initializer),
                **self.convolution_options("conv"),
            ),
        }

    def make_slot(self, domain: str) -> dict:
        return self.make_transforms(domain)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "groups": self.groups,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
        }
