"""The tables of all methods and of their learning rates, from stored rows."""

import functools

import stored

from keras_mdl.report.compare_summary import summarize_rows
from keras_mdl.runs.compare.rows import BASE, read_rows

# Folders in `results/`: the comparison, the same one with fewer images, and
# the one on dense convolutions.
MAIN, SHORT, DENSE = "methods", "methods_short", "methods_dense"
# Domains of `learning_rates.py`: for the rates, and for variants of methods.
TUNED_ON, ASKED_ON = ("fashion",), ("flowers", "omniglot")


def summary(name, domains=None):
    """The `Summary` of a stored comparison, of some of its domains."""
    return summarize_rows(_rows(name, domains), None)


def _rows(name, domains):
    return [
        r
        for r in read_rows(stored.RESULTS / name)
        if not domains or r["method"] == BASE or r["domain"] in domains
    ]


def methods_table(name):
    found = summary(name)
    lines = [
        "| validation accuracy, % | "
        + " | ".join(found.domains)
        + " | mean | S | numbers of its own | adds kB | MMACs | s |",
        "|---|---|" + "---|" * (len(found.domains) + 5),
    ]
    for m in found.methods:
        cells = [_percent(m.accuracy[d]) for d in found.domains]
        lines.append(
            f"| {m.method} | {' | '.join(cells)} | {_percent(m.mean)} | "
            f"{m.score:,.0f} | {m.costs['numbers_with_head']:,.0f} | "
            f"{m.costs['stored_bytes'] / 1000:,.0f} | "
            f"{m.costs['macs_folded'] / 1e6:.1f} | {m.costs['seconds']:.0f} |"
        )
    seeds = ", ".join(map(str, sorted(found.seeds)))
    lines += [
        "",
        f"Mean over seeds {seeds}, ± half the range between them; all methods "
        "of a seed start from the same base (miniimagenet, "
        f"{_percent(found.base)} % there). {_seen(name)} training images are "
        f"seen of a domain. {found.score_note} Numbers, bytes "
        "(what a domain adds to trunk and base, masks by the bit), "
        "multiply-accumulates (folded where a method folds) and training "
        "seconds (one core of a busy machine): mean over the domains, for one "
        "of them, head included. "
        "Trunk and base bit-identical after every training: "
        f"{'yes' if found.isolated else 'NO'}. "
        f"{found.environment['cpu']}.",
        "",
    ]
    return "\n".join(lines)


def length_table():
    """Few images against many, on the domains that both have."""
    short = summary(SHORT)
    long = summary(MAIN, short.domains)
    few, many = ({m.method: m for m in s.methods} for s in (short, long))
    lines = [
        f"| mean of {', '.join(short.domains)}, % | {_seen(SHORT)} images | "
        f"{_seen(MAIN, short.domains)} images | against classifier_only |",
        "|---|---|---|---|",
    ]
    plain = [s["classifier_only"].mean.mean for s in (few, many)]
    for name in few:
        means = [s[name].mean for s in (few, many)]
        gains = [
            f"{100 * (m.mean - p):+.1f}"
            for m, p in zip(means, plain, strict=True)
        ]
        lines.append(
            f"| {name} | {_percent(means[0])} | {_percent(means[1])} | "
            f"{gains[0]} -> {gains[1]} |"
        )
    return "\n".join([*lines, ""])


def _seen(name, domains=None):
    seen = [
        r["images_seen"] for r in _rows(name, domains) if r["method"] != BASE
    ]
    return f"{min(seen):,} to {max(seen):,}"


def _percent(spread):
    return f"{100 * spread.mean:.1f} ± {100 * spread.half:.1f}"


def rates_table(name):
    """Accuracy over learning rates, method by method."""
    rows = [r for r in stored.rows(name) if r["domain"] in TUNED_ON]
    rates = sorted({float(r["learning_rate"]) for r in rows})
    lines = [
        "| accuracy, % | epochs | " + " | ".join(map(str, rates)) + " |",
        "|---|---|" + "---|" * len(rates),
    ]
    for case in dict.fromkeys((r["method"], r["epochs"]) for r in rows):
        found = {
            float(r["learning_rate"]): f"{100 * float(r['accuracy']):.1f}"
            for r in rows
            if case == (r["method"], r["epochs"])
        }
        best = max(found, key=lambda rate, f=found: float(f[rate]))
        found[best] = f"**{found[best]}**"
        cells = [*case, *(found.get(rate, "-") for rate in rates)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", _on_training_images(rows)])


def variants_table():
    """Methods with one change, at all rates tried."""
    rows = [
        r for r in stored.rows("learning_rates.csv") if r["domain"] in ASKED_ON
    ]
    found = {}
    for r in rows:
        method, _, variant = r["method"].partition(" ")
        case = r["domain"], method, r["epochs"]
        of_case = found.setdefault(case, {})
        of_rate = of_case.setdefault(variant, {})
        of_rate[r["learning_rate"]] = 100 * float(r["accuracy"])
    variants = dict.fromkeys(v for cells in found.values() for v in cells)
    lines = [
        "| accuracy, % (rate) | | epochs | "
        + " | ".join(v or "as published" for v in variants)
        + " |",
        "|---|---|---|" + "---|" * len(variants),
    ]
    for case, cells in sorted(found.items(), key=lambda item: item[0][0]):
        texts = [
            ", ".join(f"{a:.1f} ({rate})" for rate, a in cells[v].items())
            if v in cells
            else "-"
            for v in variants
        ]
        lines.append("| " + " | ".join([*case, *texts]) + " |")
    return "\n".join([*lines, "", _on_training_images(rows)])


def _on_training_images(rows):
    sizes = {
        r["domain"]: f"{r['domain']}: {r['train_images']} to train on and "
        f"{r['validation_images']} others to measure with"
        for r in rows
    }
    r = rows[0]
    return (
        f"Seed {r['seed']} alone. TRAINING images ({'; '.join(sizes.values())})"
        f". {r['cpu']}.\n"
    )


TABLES = {
    "methods": functools.partial(methods_table, MAIN),
    "length": length_table,
    "methods_dense": functools.partial(methods_table, DENSE),
    "variants": variants_table,
    "rates": functools.partial(rates_table, "learning_rates.csv"),
    "rates_dense": functools.partial(rates_table, "learning_rates_dense.csv"),
}
