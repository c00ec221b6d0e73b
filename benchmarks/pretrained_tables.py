"""The tables of what pretrained trunks reach."""

from statistics import mean

import stored
from stored import distinct, markdown, spread

METHODS = (
    "classifier_only",
    "classifier_and_norm",
    "pointwise_sharing",
    "individual",
)


def pretrained_table():
    rows = stored.rows("pretrained.csv")
    rows = [r for r in rows if r["method"] in METHODS]
    methods = [m for m in METHODS if m in distinct(rows, "method")]
    found = {(r["domain"], r["method"]): [] for r in rows}
    for r in rows:
        found[r["domain"], r["method"]].append(float(r["accuracy"]))
    domains = distinct(rows, "domain")
    lines = []
    for domain in domains:
        one = next(r for r in rows if r["domain"] == domain)
        cells = [found.get((domain, m)) for m in methods]
        lines.append(
            [
                domain,
                one["classes"],
                f"{int(one['train_images']):,}",
                *map(_cell, cells),
            ]
        )
    means = [
        f"{100 * mean(mean(found[d, m]) for d in domains):.1f}"
        if all((d, m) in found for d in domains)
        else "-"
        for m in methods
    ]
    lines.append(["**mean**", "", "", *means])
    own = [
        mean(int(r["numbers"]) for r in rows if r["method"] == m)
        for m in methods
    ]
    lines.append(["parameters of its own, without head", "", "",
                  *(f"{n:,.0f}" for n in own)])  # fmt: skip
    seen = [int(r["images_seen"]) for r in rows]
    kept = all(
        r["others_bit_identical"] == "True"
        for r in rows
        if r["method"] != "individual"
    )
    seeds = ", ".join(sorted(distinct(rows, "seed")))
    return markdown(
        ["validation accuracy, %", "classes", "images", *methods],
        lines,
        f"Seed {seeds}. EfficientNet-Lite0 with ImageNet weights at 96 pixels, "
        "norms' statistics kept (individual too: the whole network is "
        f"fine-tuned). Each saw {min(seen):,} to {max(seen):,} training "
        "images, the same number for all methods of a domain. Other domains "
        f"and trunk bit-identical after every run: {'yes' if kept else 'NO'}. "
        f"{rows[0]['cpu']}, {rows[0]['cpu_cores']} cores; `keras-mdl compare "
        "benchmarks/pretrained.yaml --out DIR` (signs, letters) and "
        "`benchmarks/pretrained_photos.yaml`, rows in "
        "`benchmarks/results/pretrained.csv`. `-`: not trained.",
    )


def _cell(values):
    if values is None:
        return "-"
    return spread(values) if len(values) > 1 else f"{100 * values[0]:.1f}"
