"""The table of what a search finds, beside its baselines."""

from statistics import mean

import stored
from stored import distinct, markdown, spread


def search_table():
    rows = stored.rows("search.csv")
    methods, domains = distinct(rows, "method"), distinct(rows, "domain")
    found = {m: _of(rows, m, len(domains)) for m in methods}
    found = {m: seeds for m, seeds in found.items() if seeds}
    base = [_parameters(seed) for seed in found.get("single_path", [])]
    lines = []
    for method, seeds in found.items():
        size = mean(map(_parameters, seeds))
        lines.append(
            [
                method,
                f"{size:,.0f}",
                f"{size / mean(base):.2f}" if base else "-",
                f"{mean(map(_macs, seeds)) / 1e6:.2f} M",
                f"{mean(map(_bytes, seeds)) / 1000:,.0f}",
                spread([mean(_accuracies(s)) for s in seeds])
                if len(seeds) > 1
                else f"{100 * mean(_accuracies(seeds[0])):.1f}",
                *(_accuracy(seeds, d) for d in domains),
            ]
        )
    count = ", ".join(f"{m} {len(s)}" for m, s in found.items())
    return markdown(
        ["", "parameters", "ratio", "MACs", "kB", "mean accuracy, %", *domains],
        lines,
        "Parameters of all domains together, shared ones once, norms in, "
        "heads not; their ratio to the backbone of `single_path`; "
        "multiply-accumulates summed over the domains; about what one export "
        "stores (by rule, not measured); validation accuracy in percent, mean "
        f"over seeds ± half the range. Seeds: {count}. "
        f"{rows[0]['cpu']}, {rows[0]['cpu_cores']} cores; `keras-mdl search "
        "benchmarks/search.yaml --out DIR`, rows in "
        "`benchmarks/results/search.csv`.",
    )


def _of(rows, method, domains):
    """The rows of a method by seed, of the seeds that are complete."""
    seeds = {}
    for r in rows:
        if r["method"] == method:
            seeds.setdefault(r["seed"], []).append(r)
    return [s for s in seeds.values() if len(s) == domains]


def _parameters(rows):
    if rows[0]["method"] == "single_path":
        # The norms of the other domains are copies of the base's.
        return int(rows[0]["path_parameters"])
    trunk = max(int(r["trunk_parameters"]) for r in rows)
    return trunk + sum(int(r["own_parameters"]) for r in rows)


def _macs(rows):
    return sum(int(r["macs"]) for r in rows)


def _bytes(rows):
    # A domain alone is a union of one.
    alone = all(r["union_bytes"] == r["path_bytes"] for r in rows)
    return sum(int(r["union_bytes"]) for r in (rows if alone else rows[:1]))


def _accuracies(rows):
    return [float(r["accuracy"]) for r in rows]


def _accuracy(seeds, domain):
    values = [
        float(r["accuracy"]) for s in seeds for r in s if r["domain"] == domain
    ]
    return f"{100 * mean(values):.1f}"
