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
    def of(cls, values):
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
    def complete(self):
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
    def isolated(self):
        """Whether nothing was disturbed in any row."""
        return all(m.isolated for m in self.methods)

    @property
    def complete(self):
        """Whether no training is missing."""
        wanted = self.settings.get("methods") or self.methods
        return len(self.methods) == len(wanted) and all(
            m.complete for m in self.methods
        )

    def to_dicts(self):
        """Rows of `summary.csv`, one per method."""
        return [_flat(m, self.domains) for m in self.methods]


def summarize_rows(rows, settings):
    """The `Summary` of rows of `rows.csv`.

    Args:
        rows: Dicts, as `runs.compare.rows.read_rows` has them.
        settings: `CompareSettings.to_dict()`, or `None` for exactly what the
            rows have.
    """
    of_base = [r for r in rows if r["method"] == _BASE]
    rows = [r for r in rows if r["method"] != _BASE]
    settings = settings or {}
    seeds = settings.get("seeds") or _distinct(rows, "seed")
    domains = [
        d["data"].partition("=")[0] for d in settings.get("domains", ())
    ] or _distinct(rows, "domain")
    names = [
        next(iter(m)) if isinstance(m, dict) else m
        for m in settings.get("methods", ())
    ] or _distinct(rows, "method")
    found = {
        m: [r for r in rows if r["method"] == m]
        for m in names
        if any(r["method"] == m for r in rows)
    }
    wanted = len(seeds) * len(domains)
    references, note = _references(found.get(REFERENCE, ()), wanted)
    return Summary(
        title=settings.get("name", "comparison"),
        domains=tuple(domains),
        classes={r["domain"]: r["classes"] for r in rows},
        seeds=tuple(seeds),
        methods=tuple(
            _method(m, own, domains, seeds, wanted, references)
            for m, own in found.items()
        ),
        base=Spread.of([r["accuracy"] for r in of_base]) if of_base else None,
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


def _references(rows, wanted):
    """`({domain: accuracy} or None, what to say about S)`."""
    if len(rows) < wanted or not rows:
        state = "has not finished" if rows else "is not among the methods"
        return None, (
            f"S is left out: the method {REFERENCE!r}, whose accuracies would "
            f"be the references, {state}."
        )
    found = {
        d: statistics.fmean(r["accuracy"] for r in rows if r["domain"] == d)
        for d in _distinct(rows, "domain")
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


def _method(method, rows, domains, seeds, wanted, references):
    accuracy = {
        d: Spread.of(own)
        for d in domains
        if (own := [r["accuracy"] for r in rows if r["domain"] == d])
    }
    mean = score = None
    if len(rows) == wanted:
        mean = Spread.of(
            [
                statistics.fmean(r["accuracy"] for r in rows if r["seed"] == s)
                for s in seeds
            ]
        )
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


def _flat(m, domains):
    """One line of `summary.csv`."""
    row = {"method": m.method, "trainings": m.trainings[0]}
    row["missing"] = m.trainings[1] - m.trainings[0]
    row["mean_accuracy"] = "" if m.mean is None else round(m.mean.mean, 6)
    row["half_range"] = "" if m.mean is None else round(m.mean.half, 6)
    row["score"] = "" if m.score is None else round(m.score, 2)
    row.update({k: round(v, 2) for k, v in m.costs.items()})
    for d in domains:
        spread = m.accuracy.get(d)
        row[f"accuracy_{d}"] = "" if spread is None else round(spread.mean, 6)
        row[f"half_range_{d}"] = "" if spread is None else round(spread.half, 6)
    row["others_bit_identical"] = m.isolated
    return row
