"""The tables of all methods and of their learning rates, from stored rows."""

import stored

from keras_mdl.report.compare_summary import summarize_rows
from keras_mdl.runs.compare.rows import read_rows

FOLDER = stored.RESULTS / "methods"


def methods_table():
    found = summarize_rows(read_rows(FOLDER), None)
    lines = [
        "| validation accuracy, % | "
        + " | ".join(found.domains)
        + " | mean | S | numbers of its own | stored kB | MMACs | s |",
        "|---|" + "---|" * (len(found.domains) + 6),
    ]
    for m in found.methods:
        cells = [_percent(m.accuracy[d]) for d in found.domains]
        lines.append(
            f"| {m.method} | {' | '.join(cells)} | {_percent(m.mean)} | "
            f"{m.score:,.0f} | {m.costs['numbers_with_head']:,.0f} | "
            f"{m.costs['stored_bytes'] / 1000:,.0f} | "
            f"{m.costs['macs_folded'] / 1e6:.1f} | {m.costs['seconds']:.0f} |"
        )
    seeds = ", ".join(map(str, found.seeds))
    lines += [
        "",
        f"Mean over seeds {seeds}, ± half the range between them; all methods "
        "of a seed start from the same base (miniimagenet, "
        f"{_percent(found.base)} % there). {found.score_note} Numbers, bytes "
        "(as a domain's file stores them, masks by the bit), "
        "multiply-accumulates (folded where a method folds) and training "
        "seconds: mean over the domains, for one of them, head included. "
        "Trunk and base bit-identical after every training: "
        f"{'yes' if found.isolated else 'NO'}. "
        f"{found.environment['cpu']}.",
        "",
    ]
    return "\n".join(lines)


def _percent(spread):
    return f"{100 * spread.mean:.1f} ± {100 * spread.half:.1f}"


def rates_table():
    rows = stored.rows("learning_rates.csv")
    rates = sorted({float(r["learning_rate"]) for r in rows})
    columns = ("domain", "method", "epochs")
    lines = [
        "| accuracy, % | | epochs | " + " | ".join(map(str, rates)) + " |",
        "|---|---|---|" + "---|" * len(rates),
    ]
    for case in dict.fromkeys(tuple(r[c] for c in columns) for r in rows):
        found = {
            float(r["learning_rate"]): f"{100 * float(r['accuracy']):.1f}"
            for r in rows
            if case == tuple(r[c] for c in columns)
        }
        best = max(found, key=lambda rate, f=found: float(f[rate]))
        found[best] = f"**{found[best]}**"
        cells = [*case, *(found.get(rate, "-") for rate in rates)]
        lines.append("| " + " | ".join(cells) + " |")
    sizes = {
        r["domain"]: f"{r['domain']}: {r['train_images']} and "
        f"{r['validation_images']}"
        for r in rows
    }
    lines += [
        "",
        "One seed. TRAINING images alone, to train on and to measure with: "
        f"{'; '.join(sizes.values())}. {rows[0]['cpu']}.",
        "",
    ]
    return "\n".join(lines)


TABLES = {"methods": methods_table, "rates": rates_table}
