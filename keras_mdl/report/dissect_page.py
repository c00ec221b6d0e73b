"""The page of a dissection: what the units of each layer detect."""

from typing import NamedTuple

from keras_mdl.report.sections import Section
from keras_mdl.report.theme import Theme, new_figure, themed

HALVES = ("depthwise", "pointwise")


class Probed(NamedTuple):
    """One layer of one domain, dissected.

    Attributes:
        domain: Name of the domain.
        layer: What the layer is called.
        half: `"depthwise"`, `"pointwise"` or `""`.
        found: `keras_mdl.analysis.LayerDissection`.
        shots: `Shot`s of the best units.
    """

    domain: str
    layer: str
    half: str
    found: object
    shots: list


def layer_rows(probed: list, categories: tuple) -> list[dict]:
    """A dict for each layer: units, detectors, and those of chance."""
    rows = []
    for p in probed:
        unique, units = p.found.counts()
        by_chance = p.found.counts(control=True)
        row = {
            "domain": p.domain,
            "layer": p.layer,
            "half": p.half,
            "units": len(p.found.thresholds),
            "unique_detectors": unique,
            "detectors": units,
            "unique_by_chance": by_chance[0],
            "detectors_by_chance": by_chance[1],
            "mean_iou": round(float(p.found.best()[1].mean()), 5),
            "mean_iou_by_chance": round(
                float(p.found.best(control=True)[1].mean()), 5
            ),
        }
        for category in categories:
            row[f"unique_{category}"] = p.found.counts(category)[0]
        rows.append(row)
    return rows


def dissect_sections(
    probed: list, categories: tuple, probe: str, quantile: float
) -> list[Section]:
    """The sections of the page.

    Args:
        probed: `Probed`s.
        categories: Of the probe set.
        probe: Its name.
        quantile: Part of the activations above a threshold.
    """
    rows = layer_rows(probed, categories)
    heading = list(rows[0])
    detects = probed[0].found.detects
    overview = Section(
        "How many concepts are detected",
        f"A unit is a detector if its highest {100 * quantile:g} % of "
        f"activations overlap with a concept by an IoU of {detects:g} or more, "
        "over the whole probe set. Unique detectors are the distinct concepts "
        "that a layer detects. By chance: the same masks against the labels of "
        "other images. A layer says something only as far as it is above that. "
        f"Probe set: {probe}.",
        detector_bars,
        rows,
        "Unique detectors of each layer; the numbers are in the table.",
        [
            [name.replace("_", " ") for name in heading],
            *([row[name] for name in heading] for row in rows),
        ],
        "Units, unique detectors and detectors of each layer, those of chance, "
        "the mean over units of the best IoU, and unique detectors by "
        "category.",
        3,
    )
    return [overview, *(_layer_section(p) for p in probed)]


def _layer_section(p):
    units = [u for u in p.found.units() if u["detector"]]
    units = sorted(units, key=lambda u: -u["iou"])
    more = f" The first {_LISTED} are listed." if len(units) > _LISTED else ""
    return Section(
        f"{p.domain}: {p.layer} {p.half}".rstrip(),
        f"{len(units)} of {len(p.found.thresholds)} units detect a concept."
        f"{more}",
        rows=[
            ["unit", "concept", "category", "IoU", "IoU by chance"],
            *(
                [u["unit"], u["concept"], u["category"], f"{u['iou']:.3f}",
                 f"{u['iou_by_chance']:.3f}"]
                for u in units[:_LISTED]
            ),
        ] if units else (),
        numeric_from=3,
        shots=p.shots,
        large=True,
    )  # fmt: skip


_LISTED = 25


@themed
def detector_bars(rows, theme: Theme):
    """Unique detectors of the layers, a panel for each domain.

    Bars are what is found, the lines in them what chance gives.
    """
    domains = list(dict.fromkeys(r["domain"] for r in rows))
    figure, axes = new_figure(
        7.6, 0.9 + 1.9 * len(domains), nrows=len(domains), squeeze=False,
        sharex=True, sharey=True,
    )  # fmt: skip
    colours = dict(zip(HALVES, (theme.shared, theme.private), strict=True))
    for ax, domain in zip(axes[:, 0], domains, strict=True):
        own = [r for r in rows if r["domain"] == domain]
        layers = list(dict.fromkeys(r["layer"] for r in own))
        for row in own:
            place = layers.index(row["layer"])
            if row["half"]:
                place += 0.2 if row["half"] == "pointwise" else -0.2
            colour = colours.get(row["half"], theme.text)
            bar = ax.bar(place, row["unique_detectors"], 0.38, color=colour)
            ax.bar_label(bar, padding=2)
            ax.hlines(
                row["unique_by_chance"], place - 0.19, place + 0.19,
                color=theme.text, linewidth=1.4,
            )  # fmt: skip
        ax.set_xticks(range(len(layers)), layers)
        ax.set_title(domain)
        ax.margins(y=0.18)
    figure.supylabel("unique detectors", fontsize=10)
    marks = [axes[0, 0].bar(0, 0, color=c) for c in colours.values()]
    marks.append(axes[0, 0].hlines([], 0, 0, color=theme.text, linewidth=1.4))
    figure.legend(
        marks, [*HALVES, "by chance"], loc="outside upper center", ncols=3
    )
    return figure
