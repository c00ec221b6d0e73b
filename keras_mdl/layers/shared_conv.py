"""`SharedConv2D`: a dense convolution that all domains share."""

import keras

from keras_mdl.layers.adapters import ADAPTERS, adapters_by_domain
from keras_mdl.layers.kernel_conv import KernelConv2D
from keras_mdl.layers.slotted import SlottedLayer, unique_names


@keras.saving.register_keras_serializable("keras_mdl")
class SharedConv2D(SlottedLayer):
    """A dense convolution shared by all domains, with adapters per domain.

    ```
    y = W * x                    W: (k, k, inputs, filters), of the trunk
    ```

    and, for a domain with an adapter, what that makes of `W` (see
    `keras_mdl.layers.adapters`). No bias: a BatchNormalization follows.

    Args:
        filters: Output channels.
        domains: Names of the domains.
        kernel_size: Side of the square kernel, odd.
        strides: Stride.
        adapters: `{domain: kind}`, kinds of `keras_mdl.layers.adapters`.
        kernel_initializer: Default N(0, 2 / (k*k*filters)), the released
            code's rule.

    Call arguments:
        inputs: Tensor `(batch, height, width, channels)`.
        domain: Name of the domain. Keyword only.

    Output shape: `(batch, ceil(height / strides), ceil(width / strides),
        filters)`: `(k - 1) // 2` zeros on every side, as the released code.

    Raises:
        ValueError: For an even `kernel_size`, an unknown domain or adapter.

    Reference: Rebuffi et al., NIPS 2017 and CVPR 2018 (the dense ResNet-26).
    """

    order = ("pad", "conv", "adapter")
    slot_options = ("adapters",)

    def __init__(
        self,
        filters,
        domains,
        kernel_size=3,
        strides=1,
        adapters=None,
        kernel_initializer=None,
        **kwargs,
    ):
        if kernel_size % 2 == 0:
            raise ValueError(
                "`kernel_size` must be odd, to be padded on all sides alike. "
                f"Received: kernel_size={kernel_size}"
            )
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.adapters = adapters_by_domain(
            adapters, dict.fromkeys(unique_names(domains), "plain")
        )
        self.kernel_initializer = keras.initializers.get(
            kernel_initializer
            or keras.initializers.VarianceScaling(
                2.0, "fan_out", "untruncated_normal"
            )
        )
        super().__init__(domains, **kwargs)

    @property
    def _padding(self):
        return "valid" if self.strides > 1 else "same"

    def make_shared(self):
        parts = {}
        if self._padding == "valid":
            parts["pad"] = keras.layers.ZeroPadding2D(
                (self.kernel_size - 1) // 2, **self.part_options("pad")
            )
        parts["conv"] = KernelConv2D(
            self.filters,
            self.kernel_size,
            self.strides,
            self._padding,
            use_bias=False,
            data_format="channels_last",
            kernel_initializer=self.kernel_initializer.clone(),
            **self.part_options("conv"),
        )
        return parts

    def make_slot(self, domain):
        if domain not in self.adapters:
            return {}
        kind, options = ADAPTERS[self.adapters[domain]]
        return {
            "adapter": kind(
                self.filters,
                self.strides,
                self.strides,
                self._padding,
                **options,
                **self.part_options("adapter", domain),
            )
        }

    def walk(self, domain, x, step):
        parts = self.parts(domain)
        source = x
        if "pad" in parts:
            x = step(parts["pad"], x)
        if "adapter" not in parts:
            return step(parts["conv"], x)
        return parts["adapter"].place(step, parts["conv"], x, source)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "adapters": dict(self.adapters),
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
        }
