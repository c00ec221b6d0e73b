"""The picture of a comparison: accuracy against what a domain adds."""

from keras_mdl.report.text import method_label
from keras_mdl.report.theme import Theme, new_figure, themed

_KIB = 1024
_EMPHASIS = "pointwise_sharing"
# Colour and shape by family: points lie close together where methods cost
# about the same.
_MARKERS = {"serial": "^", "parallel": "v", "dan": "D", "piggyback": "s"}


@themed
def accuracy_against_bytes(
    points: list[tuple], theme: Theme, compact: bool = False
):
    """Mean accuracy over added bytes (log scale), a labelled point a method.

    Args:
        points: List of `(method, stored bytes of a domain, mean accuracy,
            half range)`.
        theme: `Theme`.
        compact: A smaller figure, for notebooks.

    Returns:
        A matplotlib figure.
    """
    from matplotlib.ticker import FuncFormatter

    figure, ax = new_figure(*((6.0, 3.6) if compact else (7.6, 4.6)))
    ax.set_xscale("log")
    for method, size, mean, half in points:
        strong = method == _EMPHASIS
        ax.errorbar(
            size / _KIB,
            100 * mean,
            100 * half if half else None,
            marker=_MARKERS.get(method.partition("_")[0], "o"),
            markersize=9 if strong else 6,
            color=theme.colour(method),
            elinewidth=1,
            capsize=3,
            zorder=3 if strong else 2,
        )
    sizes = [p[1] / _KIB for p in points]
    lows = [100 * (p[2] - p[3]) for p in points]
    highs = [100 * (p[2] + p[3]) for p in points]
    room = max((max(highs) - min(lows)) * 0.12, 1.0)
    ax.set_ylim(min(lows) - room, max(highs) + room)
    ratio = max(sizes) / min(sizes)
    wide = ratio**0.15 * 1.2
    ax.set_xlim(min(sizes) / wide, max(sizes) * wide)
    ax.grid(True, axis="x")
    ax.xaxis.set_major_formatter(FuncFormatter(_size))
    # A decade without a power of ten in it would have no label at all.
    leads = (2, 3, 5) if ratio < 5 else (2, 5) if ratio < 30 else ()
    ax.xaxis.set_minor_formatter(
        FuncFormatter(lambda kib, _: _size(kib) if _lead(kib) in leads else "")
    )
    ax.set_xlabel(
        "added by one more domain (parameters, head, BatchNorm statistics)"
    )
    ax.set_ylabel("mean validation accuracy, %")
    _label(ax, points, theme)
    return figure


def _size(kib, _=None):
    return f"{kib:,.0f} KiB" if kib >= 1 else f"{kib:g} KiB"


def _lead(kib):
    """The first digit, rounded: 3 for 290."""
    return round(kib / 10 ** int(f"{kib:e}".partition("e")[2]))


def _label(ax, points, theme):
    """Puts each name where it covers no point and no other name."""
    from adjustText import adjust_text
    from matplotlib.patheffects import withStroke
    from matplotlib.transforms import Bbox

    texts = [
        ax.text(
            size / _KIB,
            100 * mean,
            method_label(method),
            fontsize=10 if method == _EMPHASIS else 9,
            fontweight="bold" if method == _EMPHASIS else "normal",
            ha="center",
            va="center",
            # Grid lines do not run through the letters.
            path_effects=[withStroke(linewidth=3, foreground=theme.page)],
        )
        for method, size, mean, _ in points
    ]
    # Bars and marks as boxes: 8 points wide, and as high as the bar.
    around = ax.figure.dpi / 72 * 4
    ax.figure.draw_without_rendering()  # from now on places are known
    boxes = []
    for _, size, mean, half in points:
        ends = [(size / _KIB, 100 * (mean + s * half)) for s in (-1, 1)]
        box = Bbox(ax.transData.transform(ends)).padded(around)
        boxes.append(box.transformed(ax.transData.inverted()))
    adjust_text(
        texts,
        objects=boxes,
        ax=ax,
        expand=(1.15, 1.5),
        force_text=(0.3, 0.5),
        force_static=(0.3, 0.5),
        iter_lim=500,  # no limit in time: the same points, the same picture
        arrowprops={"arrowstyle": "-", "color": theme.faint, "lw": 0.8},
    )
