"""`SearchSettings`: what a search run does, checked before anything runs."""

import pathlib
from dataclasses import asdict, dataclass, field, fields

from keras_mdl.domains import Domain, as_domains, require_domain
from keras_mdl.runs.data_entry import DataEntry
from keras_mdl.runs.directory import check_run_name
from keras_mdl.runs.executors import checked_executor
from keras_mdl.runs.settings_files import (
    numbers_of,
    of_type,
    read_yaml,
    require_known,
    require_number,
)
from keras_mdl.search import SearchPlan, SearchSpace

# What a method is: `kind`, and fields of `SearchPlan` that it has otherwise.
METHODS = {
    "mpnas": {"kind": "search"},
    "mpnas_abdp": {"kind": "search", "balancing": "exponential"},
    "mpnas_bounded": {"kind": "search", "balancing": "bounded"},
    "random": {"kind": "search", "controllers": "random"},
    "independent": {"kind": "independent"},
    "multi_head": {"kind": "search", "controllers": "one"},
    "single_path": {"kind": "single_path"},
}
_SPACE = ("size", "width", "stages", "layers", "multipliers", "kernels",
          "expansions", "squeezes", "head")  # fmt: skip
_PLAN = tuple(f.name for f in fields(SearchPlan) if f.name != "seed")


@dataclass(frozen=True)
class UnionTraining:
    """How a found network is trained, from scratch.

    Attributes:
        steps: With a batch of each domain.
        batch_size: Images of a domain.
        learning_rate: Of Adam, at the start of a cosine.
        momentum: Of norms, see `build_multi_path`.
    """

    steps: int = 600
    batch_size: int = 32
    learning_rate: float = 2e-3
    momentum: float = 0.9

    def __post_init__(self):
        for name in ("steps", "batch_size"):
            require_number(f"training: {name}", getattr(self, name), int)
        for name in ("learning_rate", "momentum"):
            require_number(f"training: {name}", getattr(self, name), float)


@dataclass(frozen=True)
class SearchSettings:
    """Methods x seeds on one space and the same domains.

    Attributes:
        domains: Tuple of `DataEntry`.
        space: Arguments of `SearchSpace.mobilenet_v3`.
        plan: Arguments of `SearchPlan`, without the seed.
        training: `UnionTraining`.
        name: Headline of the report.
        methods: `{name: changes}`; names are keys of `METHODS`, or have the
            change `of`, which is one. Changes are fields of `SearchPlan`.
        seeds: Of weights, order, augmentation and controllers.
        hold_out: Each n-th training image of a domain is for the controllers,
            and the weights of the supernetwork do not see it.
        base: Name of the domain that `single_path` is pretrained on; default
            the first.
        tensorboard, processes, executor, folder: As `CompareSettings`.

    Raises:
        ValueError: For unknown names and values out of range.
    """

    domains: tuple
    space: dict = field(default_factory=dict, hash=False)
    plan: dict = field(default_factory=dict, hash=False)
    training: UnionTraining = field(default_factory=UnionTraining)
    name: str = "search"
    methods: dict = field(default_factory=lambda: dict.fromkeys(METHODS))
    seeds: tuple = (0,)
    hold_out: int = 5
    base: str | None = None
    tensorboard: bool = False
    processes: int | None = None
    executor: str | dict = field(default="processes", hash=False)
    folder: pathlib.Path = pathlib.Path(".")

    def __post_init__(self):
        check_run_name(str(self.name))
        checked_executor(self.executor)
        names = [d.name for d in self.domains]
        as_domains([Domain(n, 2) for n in names])
        if len(names) < 2:
            raise ValueError(
                "A search is for two domains or more. Received: "
                f"{', '.join(names) or 'none'}"
            )
        require_number("hold_out", self.hold_out, int, 2)
        if self.processes is not None:
            require_number("processes", self.processes, int)
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(
                "`seeds` must be different numbers, at least one. "
                f"Received: {list(self.seeds)}"
            )
        for seed in self.seeds:
            require_number("seeds", seed, int, 0, 2**32 - 1)
        require_domain(self.base or names[0], names)
        require_known(self.space, _SPACE, "key of `space`")
        require_known(self.plan, _PLAN, "key of `search`")
        space = self.search_space
        if not self.methods:
            raise ValueError("`methods` must be one or more. Received: none")
        for method in self.methods:
            check_run_name(method)
            plan = self.plan_of(method, 0)
            if self.kind_of(method) != "single_path":
                plan.reward.require_reachable(space)

    @property
    def search_space(self):
        """The `SearchSpace`."""
        return SearchSpace.mobilenet_v3(**self.space)

    def kind_of(self, method):
        """`"search"`, `"independent"` or `"single_path"`."""
        return self._changes(method)["kind"]

    def plan_of(self, method, seed):
        """The `SearchPlan` of a method."""
        changes = self._changes(method)
        changes.pop("kind")
        return SearchPlan(**{**self.plan, **changes, "seed": seed})

    def _changes(self, method):
        changes = dict(self.methods[method] or {})
        of = changes.pop("of", method)
        require_known([of], METHODS, "method (or give `of`)")
        require_known(changes, _PLAN, f"key of method {method!r}")
        return {**METHODS[of], **changes}

    def to_dict(self):
        """Plain values, as a settings file has them."""
        return {
            "name": self.name,
            "domains": [d.to_dict() for d in self.domains],
            "space": dict(self.space),
            "search": dict(self.plan),
            "training": asdict(self.training),
            "methods": {m: dict(c or {}) for m, c in self.methods.items()},
            "seeds": list(self.seeds),
            "hold_out": self.hold_out,
            "base": self.base or self.domains[0].name,
        }


def read_search_settings(path, check=True):
    """The `SearchSettings` in a YAML file.

    Args:
        path: The file; relative paths of data in it are relative to it.
        check: Whether to look if the data can be there.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not valid YAML, has unknown keys, or values that
            cannot be.
    """
    return read_yaml(
        path,
        lambda values, folder: search_settings_from(values, folder, check),
    )


def search_settings_from(values, folder=".", check=True):
    """`SearchSettings` from plain values; see `read_search_settings`."""
    values = dict(of_type("the file", values, dict))
    inside = ("folder", "plan")
    known = [f.name for f in fields(SearchSettings) if f.name not in inside]
    require_known(values, [*known, "search"], "key")
    if not values.get("domains"):
        raise ValueError("The key 'domains' is missing")
    domains = of_type("domains", values.pop("domains"), list)
    plan = numbers_of(of_type("search", values.pop("search", None) or {}, dict))
    if isinstance(plan.get("reward"), dict):
        plan["reward"] = numbers_of(plan["reward"])
    training = of_type("training", values.pop("training", None) or {}, dict)
    methods = values.pop("methods", None) or list(METHODS)
    if isinstance(methods, list):
        methods = dict.fromkeys(methods)
    methods = {
        m: numbers_of(of_type(f"methods: {m}", c or {}, dict))
        for m, c in of_type("methods", methods, dict).items()
    }
    space = of_type("space", values.pop("space", None) or {}, dict)
    seeds = tuple(of_type("seeds", values.pop("seeds", [0]), list))
    settings = SearchSettings(
        tuple(DataEntry.of(d) for d in domains),
        numbers_of(space),
        plan,
        UnionTraining(**numbers_of(training)),
        methods=methods,
        seeds=seeds,
        folder=pathlib.Path(folder),
        **values,
    )
    if check:
        for entry in settings.domains:
            entry.check(settings.folder)
    return settings
