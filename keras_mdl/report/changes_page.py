"""The page about domains: how far they moved, what matters, who is alike."""

import numpy as np

from keras_mdl.report.heat_maps import HeatMap, heat_map
from keras_mdl.report.sections import Section
from keras_mdl.report.theme import Theme, new_figure, themed

_KINDS = {
    "depthwise": "depthwise kernels",
    "norm": "factors and offsets of norms",
    "statistics": "statistics of norms",
}


def changes_sections(moved, slots, features=None, importance=None, gates=None):
    """The sections of the page.

    Args:
        moved: Rows of `keras_mdl.analysis.moved`.
        slots: `(domains, matrix)` of `slot_similarity`, or `None`.
        features: The same of `feature_similarity`, or `None`.
        importance: `{domain: rows of importance}`, or `None`.
        gates: Of `gate_weights`, or `None`.
    """
    sections = [
        Section(
            f"How far the {what} moved",
            "Distance from the base, as a part of the base's own size, layer "
            "by layer from the input to the output.",
            heat_map,
            _distances([r for r in moved if r["kind"] == kind]),
            f"Distances of the {what} of each domain from the base.",
        )
        for kind, what in _KINDS.items()
        if any(r["kind"] == kind for r in moved)
    ]
    if slots is not None and len(slots[0]) > 1:
        sections.append(
            Section(
                "Which domains moved alike",
                "Cosine of what two domains added to the base's depthwise "
                "kernels, mean over layers: 1 for the same change, 0 for "
                "unrelated ones. Domains that moved alike are candidates for "
                "sharing a slot.",
                heat_map,
                _square(slots),
                "Similarity of the changes of the domains' kernels.",
            )
        )
    if features is not None:
        sections.append(
            Section(
                "Which domains see alike",
                "Linear CKA of the features that the domains' networks have of "
                "the same images: 1 where they see the same up to rotation.",
                heat_map,
                _square(features),
                "Similarity of the domains' features.",
            )
        )
    if gates is not None:
        rows, columns, matrix = gates
        sections.append(
            Section(
                "What gates take from whom",
                "Mean weight that the gates of a domain (rows) give to the "
                "filters of each domain.",
                heat_map,
                HeatMap(matrix, rows, columns, "mean weight"),
                "Mean weights of the gates.",
            )
        )
    for domain, rows in (importance or {}).items():
        sections.append(
            Section(
                f"{domain}: which layers matter",
                "Accuracy that is lost where one layer of the slot (a "
                "convolution and the norms behind it) is the base's again.",
                loss_bars,
                rows,
                f"Lost accuracy of {domain}, layer by layer.",
            )
        )
    return sections


def _distances(rows):
    """A row for each domain, a column for each layer."""
    domains = list(dict.fromkeys(r["domain"] for r in rows))
    layers = list(dict.fromkeys(r["layer"] for r in rows))
    values = np.full((len(domains), len(layers)), np.nan)
    for r in rows:
        place = domains.index(r["domain"]), layers.index(r["layer"])
        values[place] = r["distance"]
    high = max(float(np.nanmax(values)), 1e-9)
    return HeatMap(values, domains, layers, "distance", high=high)


def _square(similarity):
    names, matrix = similarity
    return HeatMap(matrix, names, names, "similarity")


@themed
def loss_bars(rows, theme: Theme):
    """Lost accuracy in points, a bar for each layer."""
    figure, ax = new_figure(7.6, 3.0)
    places = range(len(rows))
    ax.bar(places, [100 * r["loss"] for r in rows], color=theme.shared)
    ax.set_xticks(places, [r["layer"] for r in rows], rotation=60, ha="right")
    ax.tick_params(axis="x", labelsize=7)
    ax.set_ylabel("points of accuracy lost")
    return figure
