"""`SlotSpec`: everything that one domain has otherwise than the others."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace

from keras_mdl.domains import require_domain
from keras_mdl.layers.slotted import unique_names
from keras_mdl.layers.transforms import ADAPTERS

DEPTHWISE = ("plain", "do")


@dataclass(frozen=True)
class SlotSpec:
    """What a domain's slot is like: one value, held by the model's config.

    To add an option: a field here, its check, and the layer that reads it (or
    the backbone function, which sees the spec as `scope.spec`).

    Attributes:
        dropout: Rate before the classifier.
        depthwise: `"plain"`, or `"do"` for depthwise kernels that are
            over-parameterised while they train.
        adapter: How the domain changes the trunk's kernels for itself, a kind
            of `keras_mdl.layers.transforms.ADAPTERS`; `None` for not at all.
        gates: `{layer: other domains}`, where its depthwise kernels are mixed
            with copies of others'.
        options: `{name: plain value}` that the backbone function reads with
            `scope.option(name)`; an option that it does not read is refused.

    Raises:
        ValueError: For values that are unknown or exclude each other.
    """

    dropout: float = 0.0
    depthwise: str = "plain"
    adapter: str | None = None
    gates: Mapping = field(default_factory=dict)
    options: Mapping = field(default_factory=dict)

    def __post_init__(self):
        if not 0 <= self.dropout < 1:
            raise ValueError(
                f"`dropout` must be in [0, 1). Received: {self.dropout}"
            )
        if self.depthwise not in DEPTHWISE:
            raise ValueError(
                f"`depthwise` must be one of {DEPTHWISE}. "
                f"Received: depthwise={self.depthwise!r}"
            )
        if self.adapter is not None and self.adapter not in ADAPTERS:
            raise ValueError(
                f"Unknown adapter: {self.adapter!r}. Known adapters: "
                f"{', '.join(ADAPTERS)}"
            )
        gates = {k: tuple(sorted(unique_names(v))) for k, v in
                 self.gates.items()}  # fmt: skip
        object.__setattr__(self, "gates", gates)
        object.__setattr__(self, "dropout", float(self.dropout))
        over_parameterised = self.depthwise != "plain"
        if over_parameterised and (self.adapter or gates):
            other = "adapters" if self.adapter else "gates"
            raise ValueError(
                f"A domain with {other} keeps its depthwise kernels as they "
                f"are. Received: depthwise={self.depthwise!r}"
            )
        if self.adapter and gates:
            raise ValueError(
                "Gates mix the depthwise kernels of ordinary slots. Received: "
                f"gates of a domain with adapters ({self.adapter})"
            )

    @property
    def ordinary(self) -> bool:
        """Whether there is nothing to fold."""
        return self.depthwise == "plain" and (
            self.adapter in (None, "own", "folded")
        )

    def transforms(self, layer: str) -> dict[str, dict]:
        """`{kind: options}` of what it does to the kernels of a layer."""
        kinds = {}
        if layer in self.gates:
            kinds["mixed"] = {"sources": list(self.gates[layer])}
        if self.depthwise != "plain":
            kinds[self.depthwise] = {}
        if self.adapter:
            kinds[self.adapter] = {}
        return kinds

    def replace(self, **changes) -> "SlotSpec":
        """The same spec with other values."""
        return replace(self, **changes)

    def to_config(self) -> dict:
        """Plain values for JSON; the inverse of `SlotSpec(**config)`."""
        config = asdict(self)
        config["gates"] = {k: list(v) for k, v in self.gates.items()}
        return config


FIELDS = tuple(f.name for f in fields(SlotSpec))


def specs_by_domain(names, slots=None, **options):
    """`{domain: SlotSpec}` for all domains.

    Args:
        names: Names of the domains.
        slots: `{domain: SlotSpec or its config}` of some of them.
        **options: Fields of `SlotSpec`: one value for all domains, or
            `{domain: value}`.

    Raises:
        ValueError: For an unknown domain or option, or a wrong value.
        TypeError: For an unknown option.
    """
    specs = dict.fromkeys(names, SlotSpec())
    for name, spec in (slots or {}).items():
        require_domain(name, names)
        if not isinstance(spec, SlotSpec):
            spec = SlotSpec(**spec)
        specs[name] = spec
    for option, value in options.items():
        if option not in FIELDS:
            raise TypeError(
                f"Unknown option: {option!r}. Known options of a slot: "
                f"{', '.join(FIELDS)}"
            )
        if not isinstance(value, Mapping):
            value = dict.fromkeys(names, value)
        for name, one in value.items():
            require_domain(name, names)
            specs[name] = specs[name].replace(**{option: one})
    return specs
