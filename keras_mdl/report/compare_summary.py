"""`Summary`: the rows of a comparison, method by method."""

import statistics
from dataclasses import dataclass

from keras_mdl.score import score_over_domains

REFERENCE = "individual"  # the method whose accuracies earn 250 points
_BASE = "base"  # the method's name in the base's rows
_COSTS = ("numbers", "numbers_with_head", "bytes", "bytes_with_head",
          "statistics_bytes", "stored_bytes", "shared", "macs",
          "macs_folded", "epochs", "seconds")  # fmt: skip
_ENVIRONMENT = ("keras_mdl", "python", "keras", "backend", "tensorflow",
                "jax", "platform", "cpu", "cpu_cores",
                "accelerators")  # fmt: skip


@dataclass(frozen=True)
class Spread:
    """Mean over seeds, and half the range between them."""

    mean: float
    half: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """From one value per seed."""
        half = (max(values) - min(values)) / 2
        return cls(statistics.fmean(values), half)


@dataclass(frozen=True)
class MethodSummary:
    """One method over all domains and seeds.

    Attributes:
        method: Its name.
        trainings: How many there are of how many, `(found, wanted)`.
        accuracy: `{domain: Spread}` of the domains that it has.
        mean: `Spread` of the mean over all domains; `None` until complete.
        score: S over the domains, or `None`; see `Summary.score_note`.
        costs: `{column of rows.csv: mean over domains}`, for one domain.
        isolated: Whether the others were bit-identical in every row.
    """

    method: str
    trainings: tuple
    accuracy: dict
    mean: Spread | None
    score: float | None
    costs: dict
    isolated: bool

    @property
    def complete(self) -> bool:
        """Whether no training is missing."""
        return self.trainings[0] == self.trainings[1]


@dataclass(frozen=True)
class Summary:
    """What a comparison's report shows.

    Attributes:
        title: Headline.
        domains: Names.
        classes: `{domain: number of classes}`.
        seeds: Seeds.
        methods: `MethodSummary`s of the methods that have any row.
        base: `Spread` of the base's accuracy on the base domain, or `None`.
        score_note: What S is relative to, or why there is none.
        settings: Plain values.
        environment: `{name: value}`; several values are joined.
    """

    title: str
    domains: tuple
    classes: dict
    seeds: tuple
    methods: tuple
    base: Spread | None
    score_note: str
    settings: dict
    environment: dict

    @property
    def isolated(self) -> bool:
        """Whether nothing was disturbed in any row."""
        return all(m.isolated for m in self.methods)

    @property
    def complete(self) -> bool:
        """Whether no training is missing."""
        wanted = self.settings.get("methods") or self.methods
        return len(self.methods) == len(wanted) and all(
            m.complete for m in self.methods
        )

    def to_dicts(self) -> list[dict]:
        """Rows of `summary.csv`, one per method."""
        return [
            {
                "method": m.method,
                "trainings": m.trainings[0],
                "missing": m.trainings[1] - m.trainings[0],
                "mean_accuracy": _rounded(m.mean, "mean"),
                "half_range": _rounded(m.mean, "half"),
                "score": "" if m.score is None else round(m.score, 2),
                **{k: round(v, 2) for k, v in m.costs.items()},
                **{
                    f"{name}_{d}": _rounded(m.accuracy.get(d), part)
                    for d in self.domains
                    for name, part in (
                        ("accuracy", "mean"),
                        ("half_range", "half"),
                    )
                },
                "others_bit_identical": m.isolated,
            }
            for m in self.methods
        ]


def _rounded(spread, part):
    return "" if spread is None else round(getattr(spread, part), 6)


def summarize_rows(rows: list[dict], settings: dict | None) -> Summary:
    """The `Summary` of rows of `rows.csv`.

    Args:
        rows: Dicts, as `runs.compare.rows.read_rows` has them.
        settings: `CompareSettings.to_dict()`, or `None` for exactly what the
            rows have.
    """
    of_base = [
        r["accuracy"]
        for r in rows
        if r["method"] == _BASE and r["accuracy"] != ""
    ]
    rows = [r for r in rows if r["method"] != _BASE]
    settings = settings or {}
    seeds = settings.get("seeds") or _distinct(rows, "seed")
    domains = [
        d["data"].partition("=")[0] for d in settings.get("domains", ())
    ] or _distinct(rows, "domain")
    # A method is its name, or `{name: its settings}`.
    names = [
        m if isinstance(m, str) else next(iter(m))
        for m in settings.get("methods", ())
    ] or _distinct(rows, "method")
    found = {m: [r for r in rows if r["method"] == m] for m in names}
    references, note = _references(found.get(REFERENCE, ()), seeds, domains)
    return Summary(
        title=settings.get("name", "comparison"),
        domains=tuple(domains),
        classes={r["domain"]: r["classes"] for r in rows},
        seeds=tuple(seeds),
        methods=tuple(
            _method(m, own, seeds, domains, references)
            for m, own in found.items()
            if own
        ),
        base=Spread.of(of_base) if of_base else None,
        score_note=note,
        settings=settings,
        environment={
            k: ", ".join(map(str, _distinct(rows, k)))
            for k in _ENVIRONMENT
            if any(r.get(k, "") != "" for r in rows)
        },
    )


def _distinct(rows, key):
    return list(dict.fromkeys(r[key] for r in rows))


def _accuracies(rows, key, value):
    return [r["accuracy"] for r in rows if r[key] == value]


def _references(rows, seeds, domains):
    """`({domain: accuracy} or None, what to say about S)`."""
    if len(rows) < len(seeds) * len(domains) or not rows:
        state = "has not finished" if rows else "is not among the methods"
        return None, (
            f"S is left out: the method {REFERENCE!r}, whose accuracies would "
            f"be the references, {state}."
        )
    found = {
        d: statistics.fmean(_accuracies(rows, "domain", d)) for d in domains
    }
    perfect = [d for d, accuracy in found.items() if accuracy >= 1]
    if perfect:
        return None, (
            "S is left out: the reference networks make no error on "
            f"{', '.join(perfect)}, so there is none to halve."
        )
    return found, (
        "S is the decathlon's formula over these domains, of the mean "
        f"accuracies over seeds; the method {REFERENCE!r} is the reference, "
        "which earns 250 points a domain. It is not the Visual Decathlon's "
        "score."
    )


def _method(method, rows, seeds, domains, references):
    accuracy = {
        d: Spread.of(own)
        for d in domains
        if (own := _accuracies(rows, "domain", d))
    }
    wanted = len(seeds) * len(domains)
    mean = score = None
    if len(rows) == wanted:
        of_seeds = [_accuracies(rows, "seed", s) for s in seeds]
        mean = Spread.of(list(map(statistics.fmean, of_seeds)))
        if references is not None:
            means = {d: spread.mean for d, spread in accuracy.items()}
            score = score_over_domains(means, references).total
    return MethodSummary(
        method,
        (len(rows), wanted),
        accuracy,
        mean,
        score,
        {k: statistics.fmean(r[k] for r in rows) for k in _COSTS},
        all(r["others_bit_identical"] for r in rows),
    )
