"""`CompareSettings`: what a comparison trains, checked before anything runs."""

import pathlib
from dataclasses import dataclass, field

from keras_mdl.domains import Domain, as_domains
from keras_mdl.runs.compare.checks import (
    require_distinct,
    require_known,
    require_number,
)
from keras_mdl.runs.compare.data_entry import DataEntry
from keras_mdl.runs.directory import check_run_name
from keras_mdl.runs.networks import methods_for
from keras_mdl.training import get_method, get_recipe

# Values of a recipe that one method may have otherwise than the others.
OVERRIDES = {
    "learning_rate": (float, "a number above 0"),
    "weight_decay": (float, "a number from 0 on"),
    "momentum": (float, "a number from 0 on"),
    "batch_size": (int, "a whole number from 1 on"),
    "epochs": (int, "a whole number from 1 on"),
    "cosine": (bool, "true or false"),
    "optimizer_name": (str, "'adamw' or 'coupled_sgd'"),
}
_FROM_ZERO = ("weight_decay", "momentum")
_OPTIMIZERS = ("adamw", "coupled_sgd")


@dataclass(frozen=True)
class CompareSettings:
    """Methods x domains x seeds on one network.

    Attributes:
        domains: Tuple of `DataEntry`, the domains to add.
        base: `DataEntry` of the domain that the trunk is trained on.
        name: Of the comparison; headline of the report.
        network: Name of the network, see `keras_mdl.runs.networks`.
        width: Channel multiplier.
        size: Side of the square images.
        base_epochs: Epochs of the base.
        base_recipe: Name of its recipe.
        methods: Names in `keras_mdl.training.METHODS`; default all that the
            network has.
        overrides: `{method: {value of the recipe: value}}`.
        seeds: Of weights, order and augmentation; one base each.
        images: Training images that each domain and method sees (sets the
            epochs), or `None`.
        epochs: Epochs of each domain and method, or `None`.
        recipe: Name of the domains' recipe.
        batch_size: Images in a step; default the recipes'.
        processes: Of the workers; default one for each core. Not part of
            what is compared.
        folder: What relative paths of data are relative to. The same.

    Raises:
        ValueError: For unknown names and values out of range.
    """

    domains: tuple
    base: DataEntry
    name: str = "comparison"
    network: str = "resnet26"
    width: float = 0.25
    size: int = 32
    base_epochs: int = 12
    base_recipe: str = "quick-base"
    methods: tuple = ()
    overrides: dict = field(default_factory=dict, hash=False)
    seeds: tuple = (0,)
    images: int | None = None
    epochs: int | None = None
    recipe: str = "quick-domain"
    batch_size: int | None = None
    processes: int | None = None
    folder: pathlib.Path = pathlib.Path(".")

    def __post_init__(self):
        if not isinstance(self.name, str):
            raise ValueError(
                "`name` must be text (in YAML: in quotes). "
                f"Received: {self.name!r}"
            )
        check_run_name(self.name)
        known = methods_for(self.network)
        object.__setattr__(self, "methods", tuple(self.methods or known))
        for key in ("domains", "seeds"):
            object.__setattr__(self, key, tuple(getattr(self, key)))
        require_number("width", self.width, float)
        for key in ("size", "base_epochs"):
            require_number(key, getattr(self, key), int)
        for key in ("images", "epochs", "batch_size", "processes"):
            if getattr(self, key) is not None:
                require_number(key, getattr(self, key), int)
        if (self.images is None) == (self.epochs is None):
            raise ValueError(
                "Exactly one of `images` (seen per domain and method) and "
                f"`epochs` is needed. Received: images={self.images}, "
                f"epochs={self.epochs}"
            )
        for seed in self.seeds:
            require_number("seeds", seed, int, low=0, high=2**32 - 1)
        for key in ("recipe", "base_recipe"):
            get_recipe(getattr(self, key))
        _check_methods(self.methods, self.overrides, known, self.network)
        names = [d.name for d in self.domains]
        for key, values in (
            ("domains", names),
            ("seeds", self.seeds),
            ("methods", self.methods),
        ):
            require_distinct(key, values)
        # The base is a domain of the model beside each of them.
        as_domains([Domain(name, 2) for name in (self.base.name, *names)])

    def to_dict(self):
        """Plain values, as `settings_file.settings_from` takes them."""
        return {
            "name": self.name,
            "network": self.network,
            "width": self.width,
            "size": self.size,
            "base": {
                **self.base.to_dict(),
                "epochs": self.base_epochs,
                "recipe": self.base_recipe,
            },
            "domains": [d.to_dict() for d in self.domains],
            "methods": [
                {m: dict(self.overrides[m])} if self.overrides.get(m) else m
                for m in self.methods
            ],
            "seeds": list(self.seeds),
            **{
                k: getattr(self, k)
                for k in ("images", "epochs", "recipe", "batch_size")
                if getattr(self, k) is not None
            },
        }


def _check_methods(methods, overrides, known, network):
    for method in methods:
        get_method(method)
        if method not in known:
            raise ValueError(
                f"The network {network!r} has no depthwise kernels for the "
                f"method {method!r}. Known methods: {', '.join(known)}"
            )
    for method, changes in overrides.items():
        if method not in methods:
            raise ValueError(
                f"Values for a method that is not compared: {method!r}. "
                f"Compared: {', '.join(methods)}"
            )
        require_known(changes, OVERRIDES, f"value of method {method!r}")
        for key, value in changes.items():
            _check_override(f"{method}: {key}", key, value)


def _check_override(label, key, value):
    kind, expected = OVERRIDES[key]
    if kind in (int, float):
        require_number(label, value, kind, 0 if key in _FROM_ZERO else None)
    elif type(value) is not kind or (kind is str and value not in _OPTIMIZERS):
        raise ValueError(f"`{label}` must be {expected}. Received: {value!r}")
