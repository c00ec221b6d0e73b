"""The tables of what routers tell apart, and of what they weigh."""

from statistics import mean

import stored
from stored import distinct, markdown

LAYER = "block5c_add"  # the default one
_PARTS = ("right", "elsewhere", "none", "rejected")


def _rows(**values):
    return [r for r in stored.rows("router.csv")
            if all(r[k] == v for k, v in values.items())]  # fmt: skip


def ways_table():
    rows = _rows(size="96", others="")
    lines = []
    for way, layer in distinct(rows, "way", "layer"):
        own = [r for r in rows if (r["way"], r["layer"]) == (way, layer)]
        lines.append(
            [way, f"{layer} ({own[0]['channels']})", *_parts(own),
             f"{mean(float(r['auroc']) for r in own):.3f}",
             f"{min(float(r['auroc']) for r in own):.3f}"]
        )  # fmt: skip
    return markdown(
        ["way", "layer (channels)", *_heads(), "AUROC", "least"], lines
    )


def router_table():
    lines = []
    for r in _rows(way="normal", layer=LAYER):
        lines.append(
            [r["unknown"], r["known"], f"{r['size']} px", r["others"],
             *_parts([r]), f"{float(r['auroc']):.3f}"]
        )  # fmt: skip
    return markdown(
        ["unknown", "known domains", "images", "others", *_heads(), "AUROC"],
        lines,
    )


def export_table():
    rows = stored.rows("router_export.csv")
    sizes = ("file_bytes", "own_bytes", "pack_bytes", "pack_on_domain_bytes",
             "saved_bytes")  # fmt: skip
    lines = [
        [r["mode"], r["domains"],
         *(f"{int(r[k]) / 1000:,.0f} kB" for k in sizes),
         *(f"{100 * float(r[k]):.1f} %"
           for k in ("right_keras", "right", "agreement"))]
        for r in rows
    ]  # fmt: skip
    heading = ["mode", "domains", "file alone", "beside the trunk",
               "pack on the trunk", "pack on a domain's file", "numbers alone",
               "right in Keras", "right", "decides alike"]  # fmt: skip
    return markdown(heading, lines)


def _heads():
    return ["right", "elsewhere", "none", "unknown rejected"]


def _parts(rows):
    return [f"{100 * mean(float(r[k]) for r in rows):.1f} %" for k in _PARTS]


TABLES = {
    "router_ways": ways_table,
    "router": router_table,
    "router_export": export_table,
}
