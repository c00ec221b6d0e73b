"""Writes the tables of README and docs/results/ from the rows in `results/`.

python benchmarks/tables.py
"""

import pathlib
import re
import statistics

import compare_tables
import export_tables
import gate_tables
import stored

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs" / "results").glob("*.md")))
METHODS = ("classifier_only", "pointwise_sharing", "individual")


def main():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        page.write_text(with_tables(text), encoding="utf-8")


def with_tables(text):
    """`text` with each `<!-- NAME table --> ... <!-- end ... -->` made anew."""

    def block(found):
        name = found.group(1)
        return (
            f"<!-- {name} table -->\n{TABLES[name]()}"
            f"<!-- end of {name} table -->"
        )

    return re.sub(
        r"<!-- (\w+) table -->.*?<!-- end of \1 table -->",
        block,
        text,
        flags=re.DOTALL,
    )


def sharing_table():
    rows = stored.rows("sharing.csv")
    base = [r for r in rows if r["method"] == "base"]
    rows = [r for r in rows if r["method"] in METHODS]
    domains = list(dict.fromkeys(r["domain"] for r in rows))
    seeds = sorted({r["seed"] for r in rows})
    lines = [
        "| validation accuracy, % | classes | " + " | ".join(METHODS) + " |",
        "|---|---|" + "---|" * len(METHODS),
    ]
    for domain in domains:
        own = [r for r in rows if r["domain"] == domain]
        cells = [_spread(own, m) for m in METHODS]
        lines.append(
            f"| {domain} | {own[0]['classes']} | " + " | ".join(cells) + " |"
        )
    means = [_format([_mean(rows, m, seed) for seed in seeds]) for m in METHODS]
    lines.append("| **mean** | | " + " | ".join(means) + " |")
    numbers = [_numbers(rows, m) for m in METHODS]
    lines.append(
        "| numbers of its own, head included (mean) | | "
        + " | ".join(numbers)
        + " |"
    )
    first = rows[0]
    kept = all(
        r["others_bit_identical"] == "True"
        for r in rows
        if r["method"] != "individual"
    )
    lines += [
        "",
        f"Mean over seeds {', '.join(seeds)}, ± half the range between them. "
        f"ResNet-26 at width {first['width']} on {first['size']}x"
        f"{first['size']} pixels, started from a base trained on "
        f"{first['base']} ({_format([float(r['accuracy']) for r in base])} % "
        f"there). Each method saw {_seen(rows)} training images of a domain, "
        "the same number for all three. Other "
        "domains and trunk bit-identical after every run: "
        f"{'yes' if kept else 'NO'}. {first['cpu']}, {first['cores']} cores; "
        "`python benchmarks/sharing.py --data DIR`, rows in "
        "`benchmarks/results/sharing.csv`.",
        "",
    ]
    return "\n".join(lines)


def _seen(rows):
    seen = [int(r["epochs"]) * int(r["train_images"]) for r in rows]
    return f"{min(seen) // 1000},000 to {max(seen) // 1000},000"


def _values(rows, method):
    return [float(r["accuracy"]) for r in rows if r["method"] == method]


def _spread(rows, method):
    values = _values(rows, method)
    return _format(values) if values else "-"


def _format(values):
    half = (max(values) - min(values)) / 2
    return f"{100 * statistics.mean(values):.1f} ± {100 * half:.1f}"


def _mean(rows, method, seed):
    return statistics.mean(
        _values([r for r in rows if r["seed"] == seed], method)
    )


def _numbers(rows, method):
    own = [r for r in rows if r["method"] == method]
    return f"{statistics.mean(int(r['parameters_private']) for r in own):,.0f}"


def do_table():
    rows = stored.rows("do_conv.csv")
    lines = [
        "| validation accuracy, % | plain slot | DO slot | difference | "
        "plain stem | DO stem | difference |",
        "|---|---|---|---|---|---|---|",
    ]
    domains = list(
        dict.fromkeys(r["domain"] for r in rows if r["method"] != "base")
    )
    for domain in [*domains, None]:
        cells = []
        for kind in ("slot", "stem"):
            plain, do = (
                _by_seed(rows, f"{kind}_{k}", domain, domains)
                for k in ("plain", "do")
            )
            seeds = sorted(set(plain) & set(do))
            cells += [
                _format([v[s] for s in seeds]) if seeds else "-"
                for v in (plain, do)
            ]
            cells.append(_difference([do[s] - plain[s] for s in seeds]))
        name = domain or "**mean**"
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    first = rows[0]
    seeds = sorted({r["seed"] for r in rows})
    lines += [
        "",
        f"Mean over seeds {', '.join(seeds)}, ± half the range between them; "
        "differences are taken seed by seed. Width "
        f"{first['width']}, {first['size']}x{first['size']} pixels, "
        f"{_seen(rows)} training images of a domain. The slots start from a "
        f"base trained on {first['base']}; the dense networks from nothing. "
        f"{first['cpu']}, {first['cores']} cores.",
        "",
    ]
    return "\n".join(lines)


def _by_seed(rows, method, domain, domains):
    """`{seed: accuracy}` on a domain, or the mean over all of them."""
    found = {}
    for r in rows:
        if r["method"] == method and domain in (None, r["domain"]):
            found.setdefault(r["seed"], []).append(float(r["accuracy"]))
    whole = 1 if domain else len(domains)
    return {s: statistics.mean(v) for s, v in found.items() if len(v) == whole}


def _difference(values):
    if not values:
        return "-"
    half = (max(values) - min(values)) / 2
    return f"{100 * statistics.mean(values):+.1f} ± {100 * half:.1f}"


def time_table():
    lines = [
        "| step time against plain | ratio | range | rounds |",
        "|---|---|---|---|",
    ]
    names = {"slot_do": "DO slots", "stem_do": "DO stem, dense network"}
    for r in stored.rows("do_conv_time.csv"):
        lines.append(
            f"| {names[r['run']]}, {r['backend']} | {r['ratio_to_plain']} | "
            f"{r['ratio_min']} to {r['ratio_max']} | {r['rounds']} |"
        )
    return "\n".join([*lines, ""])


def soft_table():
    rows = [r for r in stored.rows("soft_sharing.csv") if r["method"] != "base"]
    domains = list(dict.fromkeys(r["domain"] for r in rows))
    cases = list(dict.fromkeys(r["method"] for r in rows))
    lines = [
        "| layers | trains | start | "
        + " | ".join(domains)
        + " | mean | folded, mean | variation |",
        "|---|---|---|" + "---|" * (len(domains) + 3),
    ]
    hard = [_hard(rows, d) for d in domains]
    lines.append(
        "| hard slot, % | | | "
        + " | ".join(_format(h) for h in hard)
        + f" | {100 * statistics.mean(map(statistics.mean, hard)):.1f} | | |"
    )
    for case in sorted(cases, key=_case_order):
        own = [r for r in rows if r["method"] == case]
        gains = {
            d: [_gain(r, "accuracy") for r in own if r["domain"] == d]
            for d in domains
        }
        folded = [_gain(r, "accuracy_collapsed") for r in own]
        whole = None not in folded
        lines.append(
            "| "
            + " | ".join(case.split("/"))
            + " | "
            + " | ".join(_difference(gains[d]) for d in domains)
            + f" | {_mean_gain([_gain(r, 'accuracy') for r in own])} | "
            + (f"{_mean_gain(folded)} | " if whole else "- | ")
            + (
                f"{max(float(r['variation']) for r in own):.2f} |"
                if whole
                else "- |"
            )
        )
    first, seeds = rows[0], sorted({r["seed"] for r in rows})
    lines += [
        "",
        "First row: validation accuracy of the hard slots. All others: change "
        f"against it in points, mean over seeds {', '.join(seeds)}, ± half the "
        "range between them. Folded: gates replaced by their mean weights. "
        "Variation: the largest over layers, domains and seeds. Width "
        f"{first['width']}, {first['size']}x{first['size']} pixels, "
        f"{len(domains)} target domains, {_seen(rows)} training images each.",
        "",
    ]
    return "\n".join(lines)


def _hard(rows, domain):
    found = {
        r["seed"]: float(r["accuracy_hard"])
        for r in rows
        if r["domain"] == domain
    }
    return list(found.values())


def _gain(row, column):
    if not row[column]:
        return None
    return float(row[column]) - float(row["accuracy_hard"])


def _mean_gain(gains):
    return f"{100 * statistics.mean(gains):+.2f}"


def _case_order(case):
    layers, trains, start = case.split("/")
    places = ("none", "early", "middle", "late", "all")
    return trains, start != "-", start, places.index(layers)


TABLES = {
    "sharing": sharing_table,
    "do": do_table,
    "do_time": time_table,
    "soft": soft_table,
    **compare_tables.TABLES,
    **export_tables.TABLES,
    **gate_tables.TABLES,
}

if __name__ == "__main__":
    main()
