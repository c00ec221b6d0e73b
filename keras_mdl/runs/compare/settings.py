"""`CompareSettings`: what a comparison trains, checked before anything runs."""

import os
import pathlib
import re
from dataclasses import dataclass, field, fields

from keras_mdl.domains import Domain, as_domains
from keras_mdl.models import PHASES
from keras_mdl.runs.data_entry import DataEntry, PretrainedBase, base_of
from keras_mdl.runs.directory import check_run_name
from keras_mdl.runs.executors import checked_executor
from keras_mdl.runs.networks import methods_for
from keras_mdl.runs.pretrained import PRETRAINED
from keras_mdl.runs.settings_files import (
    numbers_of,
    of_type,
    read_yaml,
    require_known,
    require_number,
)
from keras_mdl.training import METHODS, PRECISIONS, get_method, get_recipe

# What one method may have otherwise than the others: `(type, lowest value or
# None for "above 0", or the values that there are)`. First values of the
# recipe, then changes to the method.
RECIPE_VALUES = {
    "learning_rate": (float, None),
    "weight_decay": (float, 0),
    "momentum": (float, 0),
    "batch_size": (int, None),
    "cosine": (bool, None),
    "optimizer_name": (str, ("adamw", "coupled_sgd")),
    "head_part": (float, 0),
    "head_rate": (float, None),
    "balance": (float, 0),
    "ema": (float, 0),
    "precision": (str, PRECISIONS),
}
OVERRIDES = {
    **RECIPE_VALUES,
    "epochs": (int, None),
    "images": (int, None),
    "method": (str, tuple(METHODS)),
    "phase": (str, tuple(PHASES)),
    "depthwise": (str, ("plain", "do")),
    "zero_adapters": (bool, None),
    "gates": (str, None),
    "own_weight": (float, 0),
}
_LABEL = re.compile(r"\w[\w.,=+-]*( [\w.,=+-]+)*")


@dataclass(frozen=True)
class CompareSettings:
    """Methods x domains x seeds on one network.

    Attributes:
        domains: Tuple of `DataEntry`, the domains to add.
        base: `DataEntry` of the domain that the trunk is trained on, or a
            `PretrainedBase` (in files: `base: pretrained`).
        name: Of the comparison; headline of the report.
        network: Name of the network, see `keras_mdl.runs.networks`.
        width: Channel multiplier; default 0.25. Pretrained networks have none.
        size: Side of the square images.
        base_epochs: Epochs of the base.
        base_recipe: Name of its recipe.
        methods: Names in `keras_mdl.training.METHODS`, default all that the
            network has; or names of variants of them.
        overrides: `{name in methods: {key of OVERRIDES: value}}`. With the
            key `method` it is a variant of that method. `phase`: what trains.
            `depthwise`: kind of its kernels. `zero_adapters`: residual
            adapters start at zero.
            `gates`: after all domains have been trained by
            `pointwise_sharing`, gates (as `MultiDomainModel.with_gate` takes
            them, with `own_weight`) train in these layers; `none`: for
            comparison, the same other parts train on without any.
        seeds: Of weights, order and augmentation; one base each.
        images: Training images that each domain and method sees (sets the
            epochs), or `None`.
        epochs: Epochs of each domain and method, or `None`.
        recipe: Name of the domains' recipe.
        batch_size: Images in a step; default the recipes'.
        hold_out: Measure on each n-th TRAINING image, which is left out of
            the training, and do not look at validation images.
        tensorboard: Whether each training writes logs for TensorBoard. Not
            part of what is compared.
        processes: Trainings at a time; default one for each core. The same.
        executor: What they run on, see `keras_mdl.runs.executors`. The same.
        folder: What relative paths of data are relative to. The same.

    Raises:
        ValueError: For unknown names and values out of range.
    """

    domains: tuple
    base: DataEntry
    name: str = "comparison"
    network: str = "resnet26"
    width: float | None = None
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
    hold_out: int | None = None
    tensorboard: bool = False
    processes: int | None = None
    executor: str | dict = field(default="processes", hash=False)
    folder: pathlib.Path = pathlib.Path(".")

    def __post_init__(self):
        if not isinstance(self.name, str):
            raise ValueError(
                "`name` must be text (in YAML: in quotes). "
                f"Received: {self.name!r}"
            )
        check_run_name(self.name)
        checked_executor(self.executor)
        known = methods_for(self.network)
        object.__setattr__(self, "methods", tuple(self.methods or known))
        for key in ("domains", "seeds"):
            object.__setattr__(self, key, tuple(getattr(self, key)))
        if self.width is not None:
            require_number("width", self.width, float)
        if (self.network in PRETRAINED) != isinstance(
            self.base, PretrainedBase
        ) or (self.network in PRETRAINED and self.width):
            raise ValueError(
                f"Pretrained networks ({', '.join(PRETRAINED)}) go with `base: "
                "pretrained` and without `width`, and no others do. Received: "
                f"network={self.network!r}, base={self.base.name!r}, "
                f"width={self.width}"
            )
        for key in ("size", "base_epochs"):
            require_number(key, getattr(self, key), int)
        for key in ("images", "epochs", "batch_size", "processes", "hold_out"):
            if getattr(self, key) is not None:
                require_number(key, getattr(self, key), int)
        if (self.images is None) == (self.epochs is None):
            raise ValueError(
                "Exactly one of `images` (seen per domain and method) and "
                f"`epochs` is needed. Received: images={self.images}, "
                f"epochs={self.epochs}"
            )
        for seed in self.seeds:
            require_number("seeds", seed, int, 0, 2**32 - 1)
        for key in ("recipe", "base_recipe"):
            get_recipe(getattr(self, key))
        for name in self.methods:
            self._check_method(name, known)
        if any("gates" in c for c in self.overrides.values()):
            require_known(["pointwise_sharing"], self.methods,
                           "method, of which gates mix the slots")  # fmt: skip
        for name in self.overrides:
            if name not in self.methods:
                raise ValueError(
                    f"Values for a method that is not compared: {name!r}. "
                    f"Compared: {', '.join(self.methods)}"
                )
        names = [d.name for d in self.domains]
        files = [name.replace(" ", "-") for name in self.methods]
        for key, values in (
            ("domains", names), ("seeds", self.seeds), ("methods", files),
        ):  # fmt: skip
            if not values or len(set(values)) < len(values):
                raise ValueError(
                    f"`{key}` must be a list of different values, at least "
                    f"one. Received: {list(values)}"
                )
        # The base is a domain of the model beside each of them.
        as_domains([Domain(name, 2) for name in (self.base.name, *names)])

    def changes_of(self, name: str) -> tuple[str, dict]:
        """`(method, changes)` of a name in `methods`: what it is called in
        `METHODS`, and what is otherwise, without the key `method`."""
        changes = dict(self.overrides.get(name, {}))
        return changes.pop("method", name), changes

    def to_dict(self) -> dict:
        """Plain values, as `settings_from` takes them."""
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
                for k in (
                    "images", "epochs", "recipe", "batch_size", "hold_out",
                )
                if getattr(self, k) is not None
            },
        }  # fmt: skip

    def _check_method(self, name, known):
        method, changes = self.changes_of(name)
        get_method(method)
        if method not in known:
            raise ValueError(
                f"The network {self.network!r} has no depthwise kernels for "
                f"the method {method!r}. Known methods: {', '.join(known)}"
            )
        if not _LABEL.fullmatch(name):
            raise ValueError(
                "The name of a variant must be words of letters, digits, `_`, "
                f"`-`, `.`, `,`, `=` and `+`. Received: {name!r}"
            )
        require_known(changes, OVERRIDES, f"value of method {name!r}")
        for key, value in changes.items():
            kind, values = OVERRIDES[key]
            label = f"{name}: {key}"
            if kind in (int, float):
                require_number(label, value, kind, values)
            elif type(value) is not kind or (values and value not in values):
                expected = "true or false" if kind is bool else "text"
                if values:
                    expected = f"one of {', '.join(map(repr, values))}"
                raise ValueError(
                    f"`{label}` must be {expected}. Received: {value!r}"
                )


def read_settings(
    path: str | os.PathLike, check: bool = True
) -> CompareSettings:
    """The `CompareSettings` in a YAML file.

    Args:
        path: The file; relative paths of data in it are relative to it.
        check: Whether to look if the data can be there.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not valid YAML, has unknown keys, or values that
            cannot be.
    """
    return read_yaml(
        path, lambda values, folder: settings_from(values, folder, check)
    )


def settings_from(values, folder=".", check=True):
    """`CompareSettings` from plain values, as a YAML file has them.

    Args:
        values: A mapping, see `CompareSettings`; `base` is `{data: SPEC,
            epochs: N, recipe: NAME}`, `domains` a list of `[NAME=]SPEC` or
            `{data: SPEC, flip: true, ...}`, `methods` a list of names or
            `{name: {value: ...}}`, `variants` `{name: {of: [methods, default
            all], value: ...}}`: each is added to `methods` as
            `"method name"`, with these values besides the method's.
        folder: What relative paths are relative to.
        check: Whether to look if the data can be there.

    Raises:
        ValueError: For unknown or missing keys, or unknown data.
        FileNotFoundError: For folders of images that are not there.
    """
    values = dict(of_type("the file", values, dict))
    inside = ("folder", "base_epochs", "base_recipe", "overrides")
    known = [f.name for f in fields(CompareSettings) if f.name not in inside]
    require_known(values, [*known, "variants"], "key")
    for key in ("base", "domains"):
        if not values.get(key):
            raise ValueError(f"The key {key!r} is missing")
    values["base"], own = base_of(values["base"])
    values |= {f"base_{key}": value for key, value in own.items()}
    values["domains"] = tuple(
        DataEntry.of(d) for d in of_type("domains", values["domains"], list)
    )
    network = values.get("network", CompareSettings.network)
    methods = _methods(values.get("methods") or methods_for(network))
    named = tuple(methods)  # variants are not of variants
    variants = of_type("variants", values.pop("variants", None) or {}, dict)
    for name, changes in variants.items():
        changes = numbers_of(of_type(f"variants: {name}", changes, dict))
        of = changes.pop("of", list(named))
        require_known(of_type("of", of, list), named, "method")
        for method in of:
            plain = methods[method]
            changed = {"method": method, **plain, **changes}
            methods[f"{method} {name}"] = changed
    values["methods"] = tuple(methods)
    values["overrides"] = {m: c for m, c in methods.items() if c}
    if "seeds" in values:
        values["seeds"] = tuple(of_type("seeds", values["seeds"], list))
    settings = CompareSettings(**values, folder=pathlib.Path(folder))
    if check:
        for entry in (settings.base, *settings.domains):
            entry.check(settings.folder)
    return settings


def _methods(values):
    """`{name: changes}` of a list of names and `{name: changes}`."""
    found = {}
    if isinstance(values, dict):
        values = [{k: v} for k, v in values.items()]
    for item in of_type("methods", list(values), list):
        item = {item: None} if isinstance(item, str) else item
        for name, changes in of_type("methods", item, dict).items():
            if name in found:
                raise ValueError(
                    "`methods` must be a list of different values. "
                    f"Received twice: {name!r}"
                )
            changes = of_type(f"methods: {name}", changes or {}, dict)
            found[name] = numbers_of(changes)
    return found
