"""`SearchSummary`: what a search run's report shows, as plain values."""

import statistics
from dataclasses import dataclass

from keras_mdl.report.compare_summary import _ENVIRONMENT as ENVIRONMENT
from keras_mdl.report.compare_summary import Spread

BASE = "single_path"  # whose parameters are the ratio's unit


@dataclass(frozen=True)
class SearchedMethod:
    """One method over all domains and seeds.

    Attributes:
        method: Its name.
        accuracy: `{domain: Spread}`.
        mean: `Spread` of the mean over domains; `None` until complete.
        parameters: Of all domains together, shared ones once, norms in,
            heads not; mean over seeds.
        ratio: To those of `single_path`'s backbone, or `None`.
        macs: Sum over domains.
        bytes: About what one export of all domains stores.
        seeds: How many are complete.
    """

    method: str
    accuracy: dict
    mean: Spread | None
    parameters: float | None
    ratio: float | None
    macs: float | None
    bytes: float | None
    seeds: int

    def to_dict(self) -> dict:
        """Plain values for a table."""
        return {
            "method": self.method,
            "seeds": self.seeds,
            "accuracy": self.mean and round(self.mean.mean, 6),
            "half_range": self.mean and round(self.mean.half, 6),
            "parameters": self.parameters,
            "ratio": self.ratio and round(self.ratio, 3),
            "macs": self.macs,
            "bytes": self.bytes,
            **{d: round(s.mean, 6) for d, s in self.accuracy.items()},
        }


@dataclass(frozen=True)
class SearchSummary:
    """What a search run's report shows.

    Attributes:
        title: Headline.
        domains: Names.
        classes: `{domain: number of classes}`.
        seeds: Seeds.
        methods: `SearchedMethod`s that have any row.
        searches: `{method: result of its search}` of the first seed that has
            one: `positions`, `blocks`, `jaccard`, `jaccard_zeros`, `history`.
        rows: All rows.
        settings, environment: `{name: value}`.
    """

    title: str
    domains: tuple
    classes: dict
    seeds: tuple
    methods: tuple
    searches: dict
    rows: list
    settings: dict
    environment: dict

    @property
    def added(self) -> list[tuple]:
        """`(domain, blocks, shared blocks, parameters of its own, bytes that
        it adds)` of the first search for all domains."""
        if not self.searches:
            return []
        method, found = next(iter(self.searches.items()))
        names = {d: {n for _, n in b} for d, b in found["blocks"].items()}
        listed = []
        for domain, own in names.items():
            others = set().union(*(n for d, n in names.items() if d != domain))
            row = next(
                (
                    r
                    for r in self.rows
                    if (r["method"], r["domain"]) == (method, domain)
                ),
                {},
            )
            listed.append(
                (
                    domain, len(own), len(own & others),
                    row.get("own_parameters"), row.get("added_bytes"),
                )
            )  # fmt: skip
        return listed


def summarize_search(
    rows: list[dict], unions: dict, searches: dict, settings: dict
) -> SearchSummary:
    """The summary of rows.

    Args:
        rows: Of all trainings: `seed`, `method`, `domain`, `accuracy`, ...
        unions: `{(seed, method): bytes of an export of all domains}`.
        searches: As `SearchSummary`.
        settings: `SearchSettings.to_dict()`.
    """
    domains = tuple(d["data"].partition("=")[0] for d in settings["domains"])
    by_method = {m: {} for m in settings["methods"]}
    for row in rows:
        by_method[row["method"]].setdefault(row["seed"], []).append(row)
    complete = {
        m: {s: r for s, r in seeds.items() if len(r) == len(domains)}
        for m, seeds in by_method.items()
    }
    base = _parameters(complete.get(BASE, {}))
    methods = []
    for method, seeds in by_method.items():
        if not seeds:
            continue
        done = complete[method]
        means = [_mean(r["accuracy"] for r in x) for x in done.values()]
        size = _parameters(done)
        sums = [sum(r["macs"] for r in x) for x in done.values()]
        found = [b for (_, m), b in unions.items() if m == method]
        methods.append(
            SearchedMethod(
                method,
                {
                    d: Spread.of(values)
                    for d in domains
                    if (values := [r["accuracy"] for x in seeds.values()
                                   for r in x if r["domain"] == d])
                },
                Spread.of(means) if means else None,
                size,
                size / base if base and size else None,
                _mean(sums) if sums else None,
                _mean(found) if found and done else None,
                len(done),
            )
        )  # fmt: skip
    return SearchSummary(
        settings["name"],
        domains,
        {r["domain"]: r["classes"] for r in rows},
        tuple(settings["seeds"]),
        tuple(methods),
        searches,
        rows,
        settings,
        {
            k: ", ".join(
                sorted({str(r[k]) for r in rows if r.get(k, "") != ""})
            )
            for k in ENVIRONMENT
            if any(r.get(k, "") != "" for r in rows)
        },
    )


def _parameters(seeds):
    """Of the trunk and all slots without heads, mean over seeds."""
    found = []
    for rows in seeds.values():
        if rows[0]["method"] == BASE:  # the norms of the others are copies
            found.append(rows[0]["path_parameters"])
            continue
        trunk = max(r["trunk_parameters"] for r in rows)  # 0 without sharing
        found.append(trunk + sum(r["own_parameters"] for r in rows))
    return _mean(found) if found else None


def _mean(values):
    return statistics.fmean(values)
