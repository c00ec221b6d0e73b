"""The sharing methods side by side, in one table."""

from dataclasses import dataclass
from types import MappingProxyType

import keras

from keras_mdl.domains import Domain


@dataclass(frozen=True)
class Method:
    """A way to give a new domain a network, starting from a trained base.

    Attributes:
        name: Key in `METHODS`.
        phase: What trains for the new domain.
        alone: Whether the domain takes a whole copy of the network for itself
            (then its trunk is its own and may train).
        note: What it is, and where it comes from.
        adapter: Kind of `keras_mdl.layers.transforms` of the new domain.
    """

    name: str
    phase: str
    alone: bool
    note: str
    adapter: str | None = None

    def start(
        self,
        model: keras.Model,
        domain: Domain,
        dropout: float = 0.0,
        init_from: str | None = None,
        depthwise: str | None = None,
    ) -> tuple:
        """A model with the new domain in it, ready to train.

        Args:
            model: The `MultiDomainModel` that holds the base.
            domain: A `Domain`.
            dropout: Rate before the new classifier.
            init_from: Name of the domain to start from; default the first.
            depthwise: `"plain"` or `"do"`; default that of `init_from`.

        Returns:
            `(model, view)`: the new `MultiDomainModel`, and the view of
            `domain` in the phase of this method.
        """
        model = model.with_domain(
            domain,
            init_from=init_from,
            dropout=dropout,
            depthwise=depthwise,
            adapter=self.adapter,
        )
        if self.alone:
            model = model.only_domain(domain.name)
        return model, model.for_domain(domain.name, model.suited(self.phase))


METHODS = MappingProxyType(
    {
        method.name: method
        for method in (
            Method(
                "pointwise_sharing", "domain", False,
                "The paper's own: depthwise kernels, BatchNorms, last "
                "pointwise and head; the other pointwise kernels shared and "
                "frozen (Guo et al., AAAI 2019).",
            ),
            Method(
                "classifier_only", "head", False,
                "A linear classifier on the base's frozen features, its "
                "BatchNorm statistics included. The paper's recipe for this "
                "baseline is not published.",
            ),
            Method(
                "classifier_and_norm", "head_and_norm", False,
                "The same with the domain's own BatchNorms, adapted.",
            ),
            Method(
                "depthwise_sharing", "pointwise", False,
                "The other way round: depthwise kernels shared and frozen, "
                "pointwise kernels, BatchNorms and head of its own (Guo et "
                "al., AAAI 2019).",
                adapter="own",
            ),
            Method(
                "serial_adapter", "adapter_and_norm", False,
                "Residual adapters behind each frozen convolution (Rebuffi et "
                "al., NIPS 2017), own BatchNorms and head.",
                adapter="serial",
            ),
            Method(
                "parallel_adapter", "adapter_and_norm", False,
                "Residual adapters beside each frozen convolution (Rebuffi et "
                "al., CVPR 2018), own BatchNorms and head.",
                adapter="parallel",
            ),
            Method(
                "dan_linear", "adapter", False,
                "Linear combinations of the frozen filters, and a bias "
                "(Rosenfeld and Tsotsos, DAN); BatchNorms as the base has "
                "them, as in its decathlon runs (phase `adapter_and_norm` "
                "trains them, which helps much: docs/results/methods.md).",
                adapter="dan_linear",
            ),
            Method(
                "dan_diagonal", "adapter", False,
                "DAN with a factor for each filter.",
                adapter="dan_diagonal",
            ),
            Method(
                "dan_low_rank", "adapter", False,
                "DAN with combinations of rank filters / 4.",
                adapter="dan_low_rank",
            ),
            Method(
                "piggyback", "adapter", False,
                "Binary masks over the frozen kernels (Mallya et al., ECCV "
                "2018); BatchNorms as the base has them, the released "
                "default (phase `adapter_and_norm` trains them, which helps "
                "much: docs/results/methods.md). The decathlon settings are "
                "not published.",
                adapter="piggyback",
            ),
            Method(
                "piggyback_ternary", "adapter", False,
                "Piggyback with masks of -1, 0 and 1.",
                adapter="piggyback_ternary",
            ),
            Method(
                "individual", "base", True,
                "The whole network fine-tuned from the base, one per domain.",
            ),
        )
    }
)  # fmt: skip


def get_method(name: str) -> Method:
    """The method of that name.

    Raises:
        ValueError: If there is none; the message lists those known.
    """
    if name not in METHODS:
        raise ValueError(
            f"Unknown method: {name!r}. Known methods: {', '.join(METHODS)}"
        )
    return METHODS[name]
