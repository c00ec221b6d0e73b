"""The tables of all methods and of their learning rates, from stored rows."""

import functools

import stored
from stored import distinct, markdown

from keras_mdl.report.compare_summary import summarize_rows
from keras_mdl.runs.compare.rows import BASE, read_rows

# Folders in `results/`: the comparison, the same one with fewer images, and
# the one on dense convolutions.
MAIN, SHORT, DENSE = "methods", "methods_short", "methods_dense"
# Domains of `learning_rates.yaml`, and of `learning_variants.yaml`.
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
        [
            m.method,
            *(_percent(m.accuracy[d]) for d in found.domains),
            _percent(m.mean),
            f"{m.score:,.0f}",
            f"{m.costs['numbers_with_head']:,.0f}",
            f"{m.costs['stored_bytes'] / 1000:,.0f}",
            f"{m.costs['macs_folded'] / 1e6:.1f}",
            f"{m.costs['seconds']:.0f}",
        ]
        for m in found.methods
    ]
    return markdown(
        ["validation accuracy, %", *found.domains, "mean", "S",
         "parameters of its own", "adds kB", "MMACs", "s"],
        lines,
        f"Mean over seeds {', '.join(map(str, sorted(found.seeds)))}, ± half "
        "the range between them; all methods "
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
    )  # fmt: skip


def length_table():
    """Few images against many, on the domains that both have."""
    short = summary(SHORT)
    long = summary(MAIN, short.domains)
    few, many = ({m.method: m.mean for m in s.methods} for s in (short, long))
    lines = []
    for name in few:
        gains = [
            f"{100 * (s[name].mean - s['classifier_only'].mean):+.1f}"
            for s in (few, many)
        ]
        means = [_percent(s[name]) for s in (few, many)]
        lines.append([name, *means, " -> ".join(gains)])
    return markdown(
        [
            f"mean of {', '.join(short.domains)}, %",
            f"{_seen(SHORT)} images",
            f"{_seen(MAIN, short.domains)} images",
            "against classifier_only",
        ],
        lines,
    )


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
    lines = []
    for case in distinct(rows, "method", "epochs"):
        found = {
            float(r["learning_rate"]): f"{100 * float(r['accuracy']):.1f}"
            for r in rows
            if case == (r["method"], r["epochs"])
        }
        best = max(found, key=lambda rate, f=found: float(f[rate]))
        found[best] = f"**{found[best]}**"
        lines.append([*case, *(found.get(rate, "-") for rate in rates)])
    heading = ["accuracy, %", "epochs", *rates]
    return markdown(heading, lines, _on_training_images(rows))


def variants_table():
    """Methods with one change, at all rates tried."""
    rows = [
        r for r in stored.rows("learning_rates.csv") if r["domain"] in ASKED_ON
    ]
    found = {}
    for r in rows:
        method, _, variant = r["method"].partition(" ")
        of_case = found.setdefault((r["domain"], method, r["epochs"]), {})
        text = f"{100 * float(r['accuracy']):.1f} ({r['learning_rate']})"
        of_case.setdefault(variant, []).append(text)
    variants = list(dict.fromkeys(v for cells in found.values() for v in cells))
    lines = [
        [*case, *(", ".join(cells.get(v, "-")) for v in variants)]
        for case, cells in sorted(found.items(), key=lambda item: item[0][0])
    ]
    named = [v or "as published" for v in variants]
    heading = ["accuracy, % (rate)", "", "epochs", *named]
    return markdown(heading, lines, _on_training_images(rows))


def _on_training_images(rows):
    sizes = {
        r["domain"]: f"{r['domain']}: {r['train_images']} to train on and "
        f"{r['validation_images']} others to measure with"
        for r in rows
    }
    return (
        f"Seed {rows[0]['seed']} alone. TRAINING images "
        f"({'; '.join(sizes.values())}). {rows[0]['cpu']}."
    )


TABLES = {
    "methods": functools.partial(methods_table, MAIN),
    "length": length_table,
    "methods_dense": functools.partial(methods_table, DENSE),
    "variants": variants_table,
    "rates": functools.partial(rates_table, "learning_rates.csv"),
    "rates_dense": functools.partial(rates_table, "learning_rates_dense.csv"),
}
