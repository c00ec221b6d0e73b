"""`SharedPointwiseDepthwiseConv`: the layer that the method is made of."""

from collections.abc import Sequence

import keras

from keras_mdl.layers.depthwise import DepthwiseConv2D
from keras_mdl.layers.kernel_holder import KernelConv2D
from keras_mdl.layers.slotted_convolution import (
    SlottedConvolution,
    fresh,
    released_initializer,
)


@keras.saving.register_keras_serializable("keras_mdl")
class SharedPointwiseDepthwiseConv(SlottedConvolution):
    """Depthwise-separable convolution: depthwise per domain, pointwise shared.

    For domain `d`, with a depthwise kernel `K_d` of its own and ONE pointwise
    kernel `P` for all domains:

    ```
    z[h, w, c] = sum_ij  K_d[i, j, c] * x[s*h + i - p, s*w + j - p, c]
    y[h, w, n] = sum_c   P[c, n] * z[h, w, c]
    ```

    Nothing (no normalisation, no activation, no bias) stands between the two,
    as in the paper's network; `DomainDepthwiseConv2D` and `SharedConv2D` are
    the same two apart.
    Spatial statistics differ between domains; how channels combine transfers.
    The pointwise kernels hold about 97 % of such a network's weights.

    Args:
        filters: Output channels of the pointwise convolution.
        domains: Names of the domains, one depthwise slot each.
        kernel_size, strides, padding, dilation_rate: Of the depthwise
            convolution, as `SlottedConvolution`. The default, symmetric
            padding, is the released network's.
        pointwise: `"shared"`, or `"domain"` for a pointwise kernel that is
            private per domain, as the paper's last layer has it.
        transforms: As `SlottedConvolution`; on the depthwise kernel, the
            pointwise one, or both, as the kind says.
        depthwise_initializer: Default N(0, 2 / (k*k*C)) for `C` channels, the
            released code's rule. It ignores the group count, so depthwise
            filters start small; a BatchNormalization is expected to follow.
        pointwise_initializer: Default N(0, 2 / filters).

    Call arguments:
        inputs: Tensor `(batch, height, width, channels)`.
        domain: Name of the domain. Keyword only.

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        `(batch, ceil(height / strides), ceil(width / strides), filters)` with
        symmetric or same padding and an odd `kernel_size`.

    Raises:
        ValueError: As `SlottedConvolution`, and for an unknown `pointwise`.

    Example:

    >>> conv = SharedPointwiseDepthwiseConv(8, domains=["signs", "flowers"])
    >>> y = conv(keras.ops.ones((1, 16, 16, 4)), domain="signs")
    >>> keras.ops.shape(y)
    (1, 16, 16, 8)

    Reference: Guo, Li, Wang, Rosing, "Depthwise Convolution Is All You Need
    for Learning Multiple Visual Domains", AAAI 2019, equations 4 to 7.
    """

    kernel_roles = {"depthwise": "depthwise", "pointwise": "shared"}

    def __init__(
        self,
        filters: int,
        domains: Sequence[str],
        pointwise: str = "shared",
        depthwise_initializer: keras.Initializer | str | None = None,
        pointwise_initializer: keras.Initializer | str | None = None,
        **kwargs,
    ) -> None:
        if pointwise not in ("shared", "domain"):
            raise ValueError(
                "`pointwise` must be one of 'shared', 'domain'. "
                f"Received: pointwise={pointwise!r}"
            )
        self.filters = filters
        self.pointwise = pointwise
        self.depthwise_initializer = keras.initializers.get(
            depthwise_initializer or released_initializer("fan_in")
        )
        self.pointwise_initializer = keras.initializers.get(
            pointwise_initializer or released_initializer("fan_out")
        )
        super().__init__(domains, **kwargs)

    def make_shared(self) -> dict:
        parts = super().make_shared()
        if self.pointwise == "shared":
            parts["pointwise"] = self._make_pointwise()
        return parts

    def make_slot(self, domain: str) -> dict:
        parts = {
            "depthwise": DepthwiseConv2D(
                use_bias=False,
                depthwise_initializer=fresh(self.depthwise_initializer),
                **self.convolution_options("depthwise", domain),
            )
        }
        private = self.pointwise == "domain"
        if private:
            parts["pointwise"] = self._make_pointwise(domain)
        return {
            **parts,
            **self.make_transforms(domain, ["pointwise"] if private else []),
        }

    def _make_pointwise(self, domain=None):
        return KernelConv2D(
            self.filters,
            1,
            use_bias=False,
            kernel_initializer=fresh(self.pointwise_initializer),
            data_format="channels_last",
            **self.part_options("pointwise", domain),
        )

    def get_config(self):
        serialize = keras.initializers.serialize
        return {
            **super().get_config(),
            "filters": self.filters,
            "pointwise": self.pointwise,
            "depthwise_initializer": serialize(self.depthwise_initializer),
            "pointwise_initializer": serialize(self.pointwise_initializer),
        }
