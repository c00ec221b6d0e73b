"""`heat_map`: a table of numbers as a picture."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_mdl.report.theme import Theme, new_figure, themed

_WRITTEN = 14  # columns at the most where cells have their numbers in them
_FEW = 10  # columns at the most whose names are not upright


class HeatMap(NamedTuple):
    """What is drawn.

    Attributes:
        values: `(rows, columns)`; `nan` stays empty.
        rows, columns: Their names.
        label: What the values are.
        texts: What is written in the cells where there is room; default the
            values. Empty texts are left out.
        high: The value of the darkest blue.
    """

    values: np.ndarray
    rows: Sequence
    columns: Sequence
    label: str
    texts: Sequence | None = None
    high: float = 1.0


@themed
def heat_map(results: HeatMap, theme: Theme):
    """Cells in blue, with names and a scale."""
    rows, columns = results.rows, results.columns
    height = 1.3 + (0.36 if len(rows) < 14 else 0.24) * len(rows)
    longest = max(map(len, map(str, columns)))
    height += (0.03 if len(columns) <= _FEW else 0.07) * longest
    figure, ax = new_figure(7.6, height)
    bar = figure.colorbar(draw_cells(ax, results), ax=ax, shrink=0.9, pad=0.02)
    bar.set_label(results.label)
    bar.outline.set_visible(False)
    return figure


def draw_cells(ax, results: HeatMap):
    """Draws the cells alone; returns the image, for a scale."""
    values = np.asarray(results.values, float)
    rows, columns = results.rows, results.columns
    few = len(columns) <= _FEW
    image = ax.imshow(
        values, vmin=0, vmax=results.high, cmap="Blues", aspect="auto"
    )
    ax.set_yticks(range(len(rows)), rows)
    ax.set_xticks(
        range(len(columns)),
        columns,
        rotation=30 if few else 90,
        ha="right" if few else "center",
    )
    ax.tick_params(labelsize=8 if len(columns) < 40 else 6)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    if len(columns) <= _WRITTEN:
        for (y, x), value in np.ndenumerate(values):
            text = "" if np.isnan(value) else f"{value:.2f}"
            if results.texts is not None:
                text = results.texts[y][x]
            dark = value > 0.5 * results.high
            ax.text(
                x, y, text, ha="center", va="center", fontsize=8,
                color="#ffffff" if dark else "#1f2430",
            )  # fmt: skip
    return image
