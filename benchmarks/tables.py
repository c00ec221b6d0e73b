"""Writes the tables of README and docs/results/ from the rows in `results/`.

python benchmarks/tables.py
"""

import pathlib
import re
from statistics import mean

import compare_tables
import export_tables
import inside_tables
import pretrained_tables
import router_tables
import search_tables
import speed_tables
import stored
from stored import distinct, markdown, spread

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent
PAGES = (
    ROOT / "README.md",
    ROOT / "export" / "README.md",
    *sorted((ROOT / "docs").glob("*/*.md")),
)
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


def _by_seed(rows, column="accuracy"):
    """Means over domains, one for each seed."""
    found = {}
    for r in rows:
        found.setdefault(r["seed"], []).append(float(r[column]))
    return {seed: mean(values) for seed, values in sorted(found.items())}


def _of(rows, **values):
    return [r for r in rows if all(r[k] == v for k, v in values.items())]


def _seen(rows):
    seen = [int(r["epochs"]) * int(r["train_images"]) for r in rows]
    return f"{min(seen) // 1000},000 to {max(seen) // 1000},000"


def _network(r):
    return f"idth {r['width']}{{}} {r['size']}x{r['size']} pixels"


def sharing_table():
    rows = stored.rows("sharing.csv")
    base = [float(r["accuracy"]) for r in _of(rows, method="base")]
    rows = [r for r in rows if r["method"] in METHODS]
    lines = []
    for domain in distinct(rows, "domain"):
        own = _of(rows, domain=domain)
        found = [_by_seed(_of(own, method=m)).values() for m in METHODS]
        lines.append([domain, own[0]["classes"], *map(spread, found)])
    by_method = [_of(rows, method=m) for m in METHODS]
    means = [spread(_by_seed(own).values()) for own in by_method]
    lines.append(["**mean**", "", *means])
    numbers = [mean(int(r["parameters_private"]) for r in m) for m in by_method]
    lines.append(
        [
            "parameters of its own, head included (mean)",
            "",
            *(f"{n:,.0f}" for n in numbers),
        ]
    )
    first = rows[0]
    kept = all(
        r["others_bit_identical"] == "True"
        for r in rows
        if r["method"] != "individual"
    )
    return markdown(
        ["validation accuracy, %", "classes", *METHODS],
        lines,
        f"Mean over seeds {', '.join(sorted(distinct(rows, 'seed')))}, ± half "
        "the range between them. "
        f"ResNet-26 at w{_network(first).format(' on')}, started from a base "
        f"trained on {first['base']} ({spread(base)} % there). Each method "
        f"saw {_seen(rows)} training images of a domain, the same number for "
        "all three. Other domains and trunk bit-identical after every run: "
        f"{'yes' if kept else 'NO'}. {first['cpu']}, {first['cores']} cores; "
        "`keras-mdl compare benchmarks/sharing.yaml --out DIR`, rows in "
        "`benchmarks/results/sharing.csv`.",
    )


def do_table():
    rows = stored.rows("do_conv.csv")
    lines, domains = [], distinct(rows, "domain")
    domains = [d for d in domains if _of(rows, domain=d, method="slot_do")]
    for domain in [*domains, None]:
        line = [domain or "**mean**"]
        for kind in ("slot", "stem"):
            plain, do = (
                _by_seed(
                    [
                        r
                        for r in _of(rows, method=f"{kind}_{variant}")
                        if domain in (None, r["domain"])
                    ]
                )
                for variant in ("plain", "do")
            )
            gains = [do[seed] - plain[seed] for seed in plain]
            line += [spread(plain.values()), spread(do.values())]
            line.append(spread(gains, "+"))
        lines.append(line)
    first = rows[0]
    return markdown(
        ["validation accuracy, %", "plain slot", "DO slot", "difference",
         "plain stem", "DO stem", "difference"],
        lines,
        f"Mean over seeds {', '.join(sorted(distinct(rows, 'seed')))}, ± half "
        "the range between them; differences are taken seed by seed. "
        f"W{_network(first).format(',')}, {_seen(rows)} training images of a "
        f"domain. The slots start from a base trained on {first['base']}; the "
        f"dense networks from nothing. {first['cpu']}, {first['cores']} cores.",
    )  # fmt: skip


def time_table():
    names = {"slot_do": "DO slots", "stem_do": "DO stem, dense network"}
    return markdown(
        ["step time against plain", "ratio", "range", "rounds"],
        [
            [
                f"{names[r['run']]}, {r['backend']}",
                r["ratio_to_plain"],
                f"{r['ratio_min']} to {r['ratio_max']}",
                r["rounds"],
            ]
            for r in stored.rows("do_conv_time.csv")
        ],
    )


def soft_table():
    rows = [r for r in stored.rows("soft_sharing.csv") if r["method"] != "base"]
    domains = distinct(rows, "domain")
    hard = [
        _by_seed(_of(rows, domain=d), "accuracy_hard").values() for d in domains
    ]
    total = f"{100 * mean(map(mean, hard)):.1f}"
    lines = [["hard slot, %", "", "", *map(spread, hard), total, "", ""]]
    for case in sorted(distinct(rows, "method"), key=_case_order):
        own = _of(rows, method=case)
        gains = [
            spread([_gain(r, "accuracy") for r in own if r["domain"] == d], "+")
            for d in domains
        ]
        line = [*case.split("/"), *gains, _mean_gain(own, "accuracy")]
        if all(r["accuracy_collapsed"] for r in own):
            variation = max(float(r["variation"]) for r in own)
            line += [_mean_gain(own, "accuracy_collapsed"), f"{variation:.2f}"]
        else:
            line += ["-", "-"]
        lines.append(line)
    return markdown(
        ["layers", "trains", "start", *domains, "mean", "collapsed, mean",
         "variation"],
        lines,
        "First row: validation accuracy of the hard slots. All others: change "
        "against it in points, mean over seeds "
        f"{', '.join(sorted(distinct(rows, 'seed')))}, ± half the range "
        "between them. Collapsed: gates replaced by their mean weights. "
        "Variation: the largest over layers, domains and seeds. "
        f"W{_network(rows[0]).format(',')}, {len(domains)} target domains, "
        f"{_seen(rows)} training images each.",
    )  # fmt: skip


def _gain(row, column):
    return float(row[column]) - float(row["accuracy_hard"])


def _mean_gain(rows, column):
    return f"{100 * mean(_gain(r, column) for r in rows):+.2f}"


def _case_order(case):
    layers, trains, start = case.split("/")
    places = ("none", "early", "middle", "late", "all")
    return trains, start != "-", start, places.index(layers)


def mixing_table():
    rows, lines = stored.rows("gate_mixing.csv"), []
    for case in distinct(rows, "backend", "layer", "batch", "domains"):
        backend, layer, batch, domains = case
        own = _of(
            rows, backend=backend, layer=layer, batch=batch, domains=domains
        )
        chosen = {r["pass"]: r for r in _of(own, chosen="True")}
        cells = [
            "{:.2f} ({:.2f} to {:.2f})".format(
                *(
                    float(chosen[p][f"ratio_{k}"])
                    for k in ("to_sum", "min", "max")
                )
            )
            for p in ("forward", "forward+backward")
        ]
        memory = {
            r["chosen"]: float(r["memory_mib"]) for r in own if r["memory_mib"]
        }
        # Less than a MiB cannot be told from noise.
        known = len(memory) == 2 and memory["False"] >= 1
        part = f"{memory['True'] / memory['False']:.2f}" if known else "-"
        lines.append([*case, *cells, part])
    forms = {r["backend"]: r["form"] for r in _of(rows, chosen="True")}
    return markdown(
        ["", "layer", "batch", "T", "forward", "forward + backward",
         "its memory"],
        lines,
        "Time and memory of ONE convolution with mixed kernels, as a part of "
        "that of the sum of T convolutions in the same round: median (lowest "
        f"to highest of {' and '.join(sorted(distinct(rows, 'rounds')))} "
        "rounds). Form that is chosen: "
        + ", ".join(f"{form} on {b}" for b, form in forms.items())
        + f". {rows[0]['cpu']}, {rows[0]['cores']} cores, shared with other "
        "work; no GPU was at hand.",
    )  # fmt: skip


def taken_over_table():
    rows = stored.rows("taken_over.csv")
    lines = [
        [
            r["network"],
            f"{int(r['parameters']):,}",
            f"{int(r['shared']):,}",
            f"{int(r['private']):,}",
            f"{int(r['statistics']):,}",
            *(f"{float(r[m]):.1f}" if r.get(m) else "-"
              for m in ("dyn_conv", "int8")),
            r["difference"],
            r["scaled_inside"],
            r["spread"],
            "yes" if r["isolated"] == "True" else "NO",
        ]
        for r in rows
    ]  # fmt: skip
    heading = ["network", "parameters", "shared", "a further domain adds",
               "and statistics", "dyn_conv: trunk shared, %", "int8",
               "difference of outputs", "with the scaling inside",
               "spread of the outputs",
               "others bit-identical"]  # fmt: skip
    return markdown(
        heading,
        lines,
        "Random weights, five classes, smallest input of each network; a "
        "further domain adds its head besides. `-`: not exported here. "
        "With the scaling of pixels inside the graph they round otherwise "
        "than outside, and deep networks amplify that; on the same pixels "
        "outputs are equal up to the rounding of the last layer. "
        f"{rows[0]['cpu']}.",
    )


def mistakes_table():
    rows = stored.rows("mistakes.csv")
    seconds = sorted(float(r["seconds"]) for r in rows)
    fast = sum(s < 1 for s in seconds)
    return markdown(
        ["what is wrong", "`keras-mdl ...`", "what is told", "s"],
        [
            [
                r["what"],
                f"`{r['command'] or ' '}`",
                r["message"].removeprefix("error: ").replace("|", "\\|"),
                f"{float(r['seconds']):.1f}",
            ]
            for r in rows
        ],
        f"{len(rows)} mistakes; {fast} of them are told in less than a second, "
        f"all in {seconds[-1]:.0f} s or less. {_machine(rows)}",
    )


def walk_table():
    rows = stored.rows("walk.csv")
    return markdown(
        ["what one asks", "`keras-mdl ...`", "s", "what is answered"],
        [
            [
                r["what"],
                f"`{r['command']}`",
                f"{float(r['seconds']):.0f}",
                r["said"].replace("|", "\\|"),
            ]
            for r in rows
        ],
        _machine(rows),
    )


def _machine(rows):
    cores = rows[0]["cores"]
    return f"{rows[0]['cpu']}, {cores} core{'s' * (cores != '1')}."


TABLES = {
    "mistakes": mistakes_table,
    "walk": walk_table,
    "inside": inside_tables.inside_table,
    "taken_over": taken_over_table,
    "pretrained": pretrained_tables.pretrained_table,
    "search": search_tables.search_table,
    "sharing": sharing_table,
    "do": do_table,
    "do_time": time_table,
    "soft": soft_table,
    "mixing": mixing_table,
    **compare_tables.TABLES,
    **export_tables.TABLES,
    **router_tables.TABLES,
    **speed_tables.TABLES,
}

if __name__ == "__main__":
    main()
