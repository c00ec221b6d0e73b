"""`SharedPointwiseDepthwiseConv`: the layer that the method is made of."""

import keras

from keras_mdl.layers.adapters import (
    ADAPTERS,
    MaskedDepthwiseConv2D,
    adapters_by_domain,
)
from keras_mdl.layers.depthwise import DepthwiseConv2D
from keras_mdl.layers.do_depthwise import DODepthwiseConv2D
from keras_mdl.layers.gate import SoftmaxDomainGate
from keras_mdl.layers.kernel_conv import KernelConv2D
from keras_mdl.layers.mixed_depthwise import MixedDepthwiseConv2D
from keras_mdl.layers.slot_kinds import depthwise_by_domain, gates_by_domain
from keras_mdl.layers.slotted import SlottedLayer, unique_names

_DEPTHWISE = {"plain": DepthwiseConv2D, "do": DODepthwiseConv2D}


@keras.saving.register_keras_serializable("keras_mdl")
class SharedPointwiseDepthwiseConv(SlottedLayer):
    """Depthwise-separable convolution: depthwise per domain, pointwise shared.

    For domain `d`, with a depthwise kernel `K_d` of its own and ONE pointwise
    kernel `P` for all domains:

    ```
    z[h, w, c] = sum_ij  K_d[i, j, c] * x[s*h + i - p, s*w + j - p, c]
    y[h, w, n] = sum_c   P[c, n] * z[h, w, c]
    ```

    Nothing (no normalisation, no activation, no bias) stands between the two.
    Spatial statistics differ between domains; how channels combine transfers.
    The pointwise kernels hold about 97 % of such a network's weights.

    Args:
        filters: Output channels of the pointwise convolution.
        domains: Names of the domains, one depthwise slot each.
        kernel_size: Side of the square depthwise kernel.
        strides: Stride of the depthwise convolution.
        padding: `"symmetric"` puts `(kernel_size - 1) // 2` zeros on every
            side, as the released network does; `"same"` and `"valid"` are
            Keras' own (with stride 2 Keras' `"same"` pads one side only).
        pointwise: `"shared"`, or `"domain"` for a pointwise kernel that is
            private per domain, as the paper's last layer has it.
        depthwise: `"plain"`, or `"do"` for a slot that is over-parameterised
            while it trains (`DODepthwiseConv2D`); one for all domains, or
            `{domain: kind}` (missing domains: plain).
        gates: `{domain: other domains}`: domains whose own kernel is mixed,
            per image, with copies of others' by a `SoftmaxDomainGate`.
        adapters: `{domain: kind}`: domains that change the pointwise kernel
            for themselves, kinds of `keras_mdl.layers.adapters`.
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
        ValueError: For an unknown domain, padding, pointwise or depthwise
            setting, or an even `kernel_size` with symmetric padding.

    Example:

    >>> conv = SharedPointwiseDepthwiseConv(8, domains=["signs", "flowers"])
    >>> y = conv(keras.ops.ones((1, 16, 16, 4)), domain="signs")
    >>> keras.ops.shape(y)
    (1, 16, 16, 8)

    Reference: Guo, Li, Wang, Rosing, "Depthwise Convolution Is All You Need
    for Learning Multiple Visual Domains", AAAI 2019, equations 4 to 7.
    """

    order = ("gate", "pad", "depthwise", "pointwise", "adapter")
    slot_options = ("depthwise", "gates", "adapters")

    def __init__(
        self,
        filters,
        domains,
        kernel_size=3,
        strides=1,
        padding="symmetric",
        pointwise="shared",
        depthwise="plain",
        gates=None,
        adapters=None,
        depthwise_initializer=None,
        pointwise_initializer=None,
        **kwargs,
    ):
        _require("padding", padding, ("symmetric", "same", "valid"))
        _require("pointwise", pointwise, ("shared", "domain"))
        if padding == "symmetric" and kernel_size % 2 == 0:
            raise ValueError(
                "Symmetric padding needs an odd `kernel_size`. "
                f"Received: kernel_size={kernel_size}"
            )
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.padding = padding
        self.pointwise = pointwise
        self.depthwise = depthwise_by_domain(depthwise, unique_names(domains))
        self.gates = gates_by_domain(gates or {}, self.depthwise)
        self.adapters = adapters_by_domain(adapters, self.depthwise)
        self.depthwise_initializer = keras.initializers.get(
            depthwise_initializer or released_initializer("fan_in")
        )
        self.pointwise_initializer = keras.initializers.get(
            pointwise_initializer or released_initializer("fan_out")
        )
        super().__init__(domains, **kwargs)

    def make_shared(self):
        parts = {}
        # With stride 1 symmetric padding is Keras' "same".
        if self.padding == "symmetric" and self.strides > 1:
            parts["pad"] = keras.layers.ZeroPadding2D(
                (self.kernel_size - 1) // 2, **self.part_options("pad")
            )
        if self.pointwise == "shared":
            parts["pointwise"] = self._make_pointwise()
        return parts

    def make_slot(self, domain):
        padding = self.padding
        if padding == "symmetric":
            padding = "valid" if self.strides > 1 else "same"
        kind, sources = _DEPTHWISE[self.depthwise[domain]], ()
        parts, options = {}, {}
        adapted = self.adapters.get(domain)
        if adapted == "own" and self.pointwise == "domain":
            adapted = None  # its kernel is private anyway
        if adapted:
            adapter, options = ADAPTERS[adapted]
            parts["adapter"] = adapter(
                self.filters,
                self.strides,
                **options,
                **self.part_options("adapter", domain),
            )
            if adapted.startswith("piggyback"):
                kind = MaskedDepthwiseConv2D
            else:
                options = {}
        if domain in self.gates:
            others = self.gates[domain]
            kind, sources = MixedDepthwiseConv2D, (domain, others)
            parts["gate"] = SoftmaxDomainGate(
                [domain, *others], **self.part_options("gate", domain)
            )
        parts["depthwise"] = kind(
            *sources,
            self.kernel_size,
            self.strides,
            padding,
            use_bias=False,
            depthwise_initializer=_fresh(self.depthwise_initializer),
            data_format="channels_last",
            **options,
            **self.part_options("depthwise", domain),
        )
        if self.pointwise == "domain":
            parts["pointwise"] = self._make_pointwise(domain)
        return parts

    def _make_pointwise(self, domain=None):
        return KernelConv2D(
            self.filters,
            1,
            use_bias=False,
            kernel_initializer=_fresh(self.pointwise_initializer),
            data_format="channels_last",
            **self.part_options("pointwise", domain),
        )

    def walk(self, domain, x, step):
        parts = self.parts(domain)
        # A gate looks at the input of the layer, before it is padded.
        source, weights = x, []
        if "gate" in parts:
            weights = [step(parts["gate"], x)]
        if "pad" in parts:
            x = step(parts["pad"], x)
        x = step(parts["depthwise"], x, *weights)
        if "adapter" in parts:
            return parts["adapter"].place(step, parts["pointwise"], x, source)
        return step(parts["pointwise"], x)

    def get_config(self):
        serialize = keras.initializers.serialize
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "pointwise": self.pointwise,
            "depthwise": dict(self.depthwise),
            "gates": {d: list(others) for d, others in self.gates.items()},
            "adapters": dict(self.adapters),
            "depthwise_initializer": serialize(self.depthwise_initializer),
            "pointwise_initializer": serialize(self.pointwise_initializer),
        }


def released_initializer(mode):
    """N(0, 2 / fan): the rule of the released code for every convolution.

    It computes `fan = k * k * Cout` for each convolution, its own output
    channels. For a depthwise kernel `(k, k, C, 1)` that is what Keras calls
    `fan_in`, for a dense one `fan_out`.
    """
    return keras.initializers.VarianceScaling(2.0, mode, "untruncated_normal")


def _fresh(initializer):
    # A Keras initializer object repeats its values; each part draws its own.
    return initializer.clone()


def _require(name, value, known):
    if value not in known:
        raise ValueError(
            f"`{name}` must be one of {known}. Received: {name}={value!r}"
        )
