"""The sharing methods side by side, in one table."""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Method:
    """A way to give a new domain a network, starting from a trained base.

    Attributes:
        name: Key in `METHODS`.
        phase: What trains for the new domain.
        alone: Whether the domain takes a whole copy of the network for itself
            (then its trunk is its own and may train).
        note: What it is, and where it comes from.
    """

    name: str
    phase: str
    alone: bool
    note: str

    def start(self, model, domain, dropout=0.0, init_from=None, depthwise=None):
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
            domain, init_from=init_from, dropout=dropout, depthwise=depthwise
        )
        if self.alone:
            model = model.only_domain(domain.name)
        return model, model.for_domain(domain.name, phase=self.phase)


METHODS = MappingProxyType(
    {
        method.name: method
        for method in (
            Method(
                "pointwise_sharing", "domain", False,
                "The proposed method: own depthwise kernels, BatchNorms, last "
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
                "individual", "base", True,
                "The whole network fine-tuned from the base, one per domain.",
            ),
        )
    }
)  # fmt: skip


def get_method(name):
    """The method of that name.

    Raises:
        ValueError: If there is none; the message lists those known.
    """
    if name not in METHODS:
        raise ValueError(
            f"Unknown method: {name!r}. Known methods: {', '.join(METHODS)}"
        )
    return METHODS[name]
