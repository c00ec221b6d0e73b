"""Writes the README's table of results from `results/sharing.csv`.

python benchmarks/tables.py
"""

import csv
import pathlib
import statistics

HERE = pathlib.Path(__file__).parent
README = HERE.parent / "README.md"
START, END = "<!-- sharing table -->", "<!-- end of sharing table -->"
METHODS = ("classifier_only", "pointwise_sharing", "individual")


def main():
    text = README.read_text(encoding="utf-8")
    README.write_text(with_table(text), encoding="utf-8")


def with_table(text):
    """`text` with the block between the markers made anew."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{sharing_table()}{END}{after}"


def sharing_table():
    with open(HERE / "results" / "sharing.csv", newline="") as f:
        rows = list(csv.DictReader(f))
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


if __name__ == "__main__":
    main()
