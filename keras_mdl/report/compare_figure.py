"""The picture of a comparison: accuracy against what a domain adds."""

from keras_mdl.report.text import method_label
from keras_mdl.report.theme import new_figure

_KIB = 1024
_EMPHASIS = "pointwise_sharing"
# Colour and shape by family: points lie close together where methods cost
# about the same.
_MARKERS = {"serial": "^", "parallel": "v", "dan": "D", "piggyback": "s"}


def accuracy_against_bytes(points, theme, compact=False):
    """Mean accuracy over added bytes (log scale), a labelled point a method.

    Args:
        points: List of `(method, stored bytes of a domain, mean accuracy,
            half range)`.
        theme: `Theme`.
        compact: A smaller figure, for notebooks.
    """
    from matplotlib.ticker import FuncFormatter, NullFormatter

    figure, ax = new_figure(theme, *((6.0, 3.6) if compact else (7.6, 4.6)))
    ax.set_xscale("log")
    for method, size, mean, half in points:
        strong = method == _EMPHASIS
        ax.errorbar(
            size / _KIB,
            100 * mean,
            100 * half if half else None,
            marker=_MARKERS.get(method.partition("_")[0], "o"),
            markersize=9 if strong else 6,
            color=_colour(method, theme),
            elinewidth=1,
            capsize=3,
            zorder=3 if strong else 2,
        )
    sizes = [p[1] / _KIB for p in points]
    lows = [100 * (p[2] - p[3]) for p in points]
    highs = [100 * (p[2] + p[3]) for p in points]
    room = max((max(highs) - min(lows)) * 0.12, 1.0)
    ax.set_ylim(min(lows) - room, max(highs) + room)
    # Names stand to the right of their points.
    wide = (max(sizes) / min(sizes)) ** 0.1 * 1.2
    ax.set_xlim(min(sizes) / wide, max(sizes) * wide**2)
    ax.xaxis.grid(True, color=theme.faint, linewidth=0.6)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _size(x)))
    # A decade without a power of ten in it would have no label at all.
    few = max(sizes) / min(sizes) < 30
    ax.xaxis.set_minor_formatter(
        FuncFormatter(_few) if few else NullFormatter()
    )
    ax.tick_params(which="both", colors=theme.text, labelsize=9, length=0)
    ax.set_xlabel(
        "added by one more domain (parameters, head, BatchNorm statistics)"
    )
    ax.set_ylabel("mean validation accuracy, %")
    for label in (ax.xaxis.label, ax.yaxis.label):
        label.set_color(theme.text)
    _label(figure, ax, points, theme)
    return figure


def _size(kib):
    return f"{kib:,.0f} KiB" if kib >= 1 else f"{kib:g} KiB"


def _few(x, _):
    lead = x / 10 ** int(f"{x:e}".partition("e")[2])
    return _size(x) if round(lead) in (2, 3, 5) else ""


def _colour(method, theme):
    return theme.methods.get(
        method, theme.families.get(method.partition("_")[0], theme.text)
    )


def _label(figure, ax, points, theme):
    """Puts each name where it covers no point and no other name."""
    from matplotlib.patheffects import withStroke

    figure.draw_without_rendering()  # from now on places are known
    scale = figure.dpi / 72
    inside = ax.get_window_extent()
    taken = []
    for _, size, mean, half in points:
        x, y = ax.transData.transform((size / _KIB, 100 * mean))
        top = ax.transData.transform((1, 100 * (mean + half)))[1] - y
        taken.append((x - 6 * scale, y - top - 6 * scale,
                      x + 6 * scale, y + top + 6 * scale))  # fmt: skip
    # The strongest first: it gets the best place.
    order = sorted(points, key=lambda p: (p[0] != _EMPHASIS, -p[2]))
    for method, size, mean, _ in order:
        text = method_label(method)
        strong = method == _EMPHASIS
        width = len(text) * (6.0 if strong else 5.2) * scale
        height = 11 * scale
        x, y = ax.transData.transform((size / _KIB, 100 * mean))
        best = None
        for dx, dy, side in _places():
            left = x + dx * scale - {"left": 0, "right": width,
                                     "center": width / 2}[side]  # fmt: skip
            low = y + dy * scale - height / 2
            box = (left, low, left + width, low + height)
            cost = sum(_overlap(box, other) for other in taken)
            cost += _outside(box, inside) * 4
            if best is None or cost < best[0]:
                best = cost, dx, dy, side, box
            if not cost:
                break
        _, dx, dy, side, box = best
        taken.append(box)
        far = abs(dx) + abs(dy) > 24
        ax.annotate(
            text,
            (size / _KIB, 100 * mean),
            (dx, dy),
            textcoords="offset points",
            ha=side,
            va="center",
            fontsize=10 if strong else 9,
            fontweight="bold" if strong else "normal",
            color=theme.text,
            arrowprops={
                "arrowstyle": "-",
                "color": _colour(method, theme),
                "lw": 0.8,
                "shrinkB": 4,
            }
            if far
            else None,
            # Grid lines do not run through the letters.
            path_effects=[withStroke(linewidth=3, foreground=theme.page)],
        )


def _places():
    """Offsets in points, nearest first, and the side that the text is on."""
    for far in (0, 10, 22, 36, 50):
        for dy in sorted({0, far, -far}, key=abs):
            yield 9 + far / 4, dy, "left"
            yield -9 - far / 4, dy, "right"
        yield 0, 14 + far, "center"
        yield 0, -14 - far, "center"


def _overlap(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0) * max(height, 0)


def _outside(box, inside):
    area = (box[2] - box[0]) * (box[3] - box[1])
    return area - _overlap(box, (inside.x0, inside.y0, inside.x1, inside.y1))
