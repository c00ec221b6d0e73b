"""The table of what units detect."""

from statistics import mean

import stored
from stored import distinct, markdown

HALVES = ("depthwise", "pointwise")


def inside_table():
    rows = stored.rows("see_inside.csv")
    lines = []
    for network, domain, layer in distinct(rows, "network", "domain", "layer"):
        own = [
            r for r in rows
            if (r["network"], r["domain"], r["layer"])
            == (network, domain, layer)
        ]  # fmt: skip
        cells = []
        for half in HALVES:
            found = [r for r in own if r["half"] == half]
            cells += [
                found[0]["units"],
                _cell(found, "unique_detectors", "unique_by_chance"),
                _cell(found, "detectors", "detectors_by_chance"),
            ]
        lines.append([network, domain, layer, *cells])
    ahead = []
    for network in distinct(rows, "network"):
        keys = distinct(
            [r for r in rows if r["network"] == network],
            "network", "seed", "domain", "layer",
        )  # fmt: skip
        wins = [_above(rows, key) for key in keys]
        ahead.append(
            f"{network} ahead in {sum(w > 0 for w in wins)} and behind in "
            f"{sum(w < 0 for w in wins)} of {len(wins)}"
        )
    return markdown(
        ["network", "domain", "layer",
         *(f"{h}: {what}" for h in HALVES
           for what in ("units", "unique", "detectors"))],
        lines,
        "Mean over seeds "
        f"({', '.join(distinct(rows, 'seed'))}; one for networks that come "
        "with weights); in brackets what chance gives: the same masks against "
        "the labels of other images. Embedded probe set, "
        f"{int(rows[0]['images']):,} images at the network's size, IoU of 0.04 "
        "or more.",
        "Unique detectors above chance, depthwise against pointwise, by layer, "
        f"domain and seed: {'; '.join(ahead)}.",
    )  # fmt: skip


def _cell(rows, found, chance):
    a, b = (mean(float(r[name]) for r in rows) for name in (found, chance))
    return f"{a:g} ({b:g})"


def _above(rows, key):
    """Depthwise minus pointwise unique detectors, both above chance."""
    own = {
        r["half"]: int(r["unique_detectors"]) - int(r["unique_by_chance"])
        for r in rows
        if (r["network"], r["seed"], r["domain"], r["layer"]) == key
    }
    return own["depthwise"] - own["pointwise"]
