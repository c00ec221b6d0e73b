"""One table of all public layers.

To add a layer: add a row. `test_every_public_layer_is_in_the_table` fails
until it is there.
"""

from dataclasses import dataclass, field

import keras

import keras_mdl.layers as mdl_layers
from keras_mdl.layers.transforms import TRANSFORMS

DOMAINS = ["a", "b"]


@keras.saving.register_keras_serializable("keras_mdl_tests")
class OneOfEach(mdl_layers.SlottedLayer):
    """The smallest subclass with a shared part and a slot."""

    order = ("shared", "own")

    def make_shared(self):
        return {"shared": keras.layers.Dense(4, **self.part_options("shared"))}

    def make_slot(self, domain):
        options = self.part_options("own", domain)
        return {"own": keras.layers.Dense(5, **options)}


@dataclass(frozen=True)
class Case:
    """One row: how to make a layer, and what it is fed."""

    layer: type
    kwargs: dict = field(default_factory=dict)
    input_shape: tuple = (2, 6, 6, 3)
    stands_for: type = None
    float32_output: bool = False
    label: str = ""

    def __str__(self):
        return self.layer.__name__ + (f"-{self.label}" if self.label else "")

    @property
    def slotted(self):
        return issubclass(self.layer, mdl_layers.SlottedLayer)

    def make(self, **changes):
        return self.layer(**{**self.kwargs, **changes})

    def run(self, layer, x, domain="a", **options):
        if self.slotted:
            options["domain"] = domain
        return layer(x, **options)


CASES = [
    Case(mdl_layers.DepthwiseConv2D, {"kernel_size": 3, "padding": "same"}),
    Case(
        mdl_layers.DepthwiseConv2D,
        {"kernel_size": 3, "depth_multiplier": 2, "activation": "relu"},
        label="multiplied",
    ),
    Case(mdl_layers.DOConv2D, {"filters": 4, "kernel_size": 3}),
    Case(mdl_layers.DODepthwiseConv2D, {"kernel_size": 3, "padding": "same"}),
    Case(mdl_layers.FusedBatchNormalization),
    Case(
        mdl_layers.SharedPointwiseDepthwiseConv,
        {"filters": 5, "domains": DOMAINS},
    ),
    Case(
        mdl_layers.SharedPointwiseDepthwiseConv,
        {"filters": 5, "domains": DOMAINS, "strides": 2, "kernel_size": 5},
        label="strided",
    ),
    Case(
        mdl_layers.SharedPointwiseDepthwiseConv,
        {"filters": 5, "domains": DOMAINS, "pointwise": "domain"},
        label="private",
    ),
    Case(
        mdl_layers.SharedPointwiseDepthwiseConv,
        {
            "filters": 5,
            "domains": DOMAINS,
            "kernel_size": (3, 5),
            "strides": (1, 2),
            "padding": ((0, 1), (2, 0)),
        },
        label="rectangular",
    ),
    *(
        Case(
            layer,
            {**options, "domains": DOMAINS, "transforms": {"a": as_given}},
            # Enough channels that no gate starts with dead hidden units.
            input_shape=(2, 6, 6, 16 if kind == "mixed" else 3),
            label=f"with_{kind}",
        )
        for layer, options in (
            (mdl_layers.SharedPointwiseDepthwiseConv, {"filters": 5}),
            (mdl_layers.SharedConv2D, {"filters": 5}),
            (mdl_layers.DomainDepthwiseConv2D, {}),
        )
        for kind in TRANSFORMS
        if kind not in ("own", "folded")
        and layer(domains=DOMAINS, **options).roles_for(kind)
        for as_given in [
            {"mixed": {"sources": ["b"]}} if kind == "mixed" else kind
        ]
    ),
    Case(mdl_layers.SharedConv2D, {"filters": 5, "domains": DOMAINS}),
    Case(mdl_layers.DomainDepthwiseConv2D, {"domains": DOMAINS}),
    Case(
        mdl_layers.DomainDepthwiseConv2D,
        {
            "domains": DOMAINS,
            "padding": "same",
            "strides": 2,
            "depth_multiplier": 2,
            "use_bias": True,
        },
        label="multiplied",
    ),
    Case(
        mdl_layers.SharedConv2D,
        {
            "filters": 6,
            "domains": DOMAINS,
            "groups": 3,
            "dilation_rate": 2,
            "padding": "same",
            "use_bias": True,
            "transforms": {"a": "piggyback"},
        },
        label="grouped",
    ),
    Case(
        mdl_layers.SharedConv2D,
        {"filters": 5, "domains": DOMAINS, "strides": 2, "kernel_size": 5},
        label="strided",
    ),
    Case(
        mdl_layers.SoftmaxDomainGate,
        {"domains": DOMAINS},
        input_shape=(2, 6, 6, 16),
        float32_output=True,
    ),
    Case(mdl_layers.DomainBatchNormalization, {"domains": DOMAINS}),
    Case(
        mdl_layers.DomainBatchNormalization,
        {"domains": DOMAINS, "gamma_floor": None},
        label="no_floor",
    ),
    Case(
        mdl_layers.DomainHead,
        {"units": {"a": 3, "b": 4}},
        input_shape=(2, 6),
        float32_output=True,
    ),
    Case(
        mdl_layers.DomainHead,
        {"units": {"a": 3, "b": 4}, "dropout": {"b": 0.5}},
        input_shape=(2, 6),
        float32_output=True,
        label="dropout",
    ),
    Case(
        mdl_layers.SharedLayer,
        {"layer": keras.layers.Conv2D(4, 3), "domains": DOMAINS},
    ),
    Case(
        mdl_layers.PerDomainLayer,
        {"layer": keras.layers.Conv2D(4, 3), "domains": DOMAINS},
    ),
    Case(
        OneOfEach,
        {"domains": DOMAINS},
        input_shape=(2, 6),
        stands_for=mdl_layers.SlottedLayer,
    ),
]
