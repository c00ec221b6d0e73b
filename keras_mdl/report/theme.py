"""Colours and type of the report, for light and dark pages."""

import base64
import io
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Theme:
    """Colours of a figure.

    Attributes:
        text: Labels and titles.
        faint: Axes and grid lines.
        page: The ground, where something must be set off from it.
        methods: `{method: colour}`.
        families: `{first word of other methods: colour}`.
        shared: Shared parameters.
        private: Private parameters.
    """

    text: str
    faint: str
    page: str
    methods: dict
    shared: str
    private: str
    families: dict


# Blue, orange and grey stay apart with every kind of colour blindness, and
# differ in lightness as well.
LIGHT = Theme(
    text="#1f2430",
    faint="#c9ced8",
    page="#ffffff",
    methods={
        "base": "#1f2430",
        "classifier_only": "#e39b2d",
        "pointwise_sharing": "#0b62ac",
        "individual": "#9aa3b2",
    },
    shared="#0b62ac",
    private="#e39b2d",
    families=dict.fromkeys(("serial", "parallel"), "#7a4fb5")
    | {"dan": "#0f7a61", "piggyback": "#b93a64"},
)
DARK = Theme(
    text="#e6e8ee",
    faint="#454c5a",
    page="#14171d",
    methods={
        "base": "#e6e8ee",
        "classifier_only": "#f0b04f",
        "pointwise_sharing": "#5aa9f0",
        "individual": "#7d8696",
    },
    shared="#5aa9f0",
    private="#f0b04f",
    families=dict.fromkeys(("serial", "parallel"), "#b79cf0")
    | {"dan": "#4cc9a5", "piggyback": "#f08bab"},
)


def picture(draw, alt):
    """A figure as HTML that follows the reader's light or dark setting.

    Args:
        draw: Function of a `Theme` that returns a matplotlib figure.
        alt: What the figure shows, in words.
    """
    light, dark = (_svg(draw(theme)) for theme in (LIGHT, DARK))
    return (
        "<picture>"
        f'<source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img src="{light}" alt="{escape(alt)}">'
        "</picture>"
    )


def new_figure(theme, width, height, **options):
    """A figure and its axes, without a window and in the theme's colours."""
    # Not pyplot: no global state, no window, nothing to close.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(**options)
    for ax in getattr(axes, "flat", [axes]):
        style_axes(ax, theme)
    return figure, axes


def style_axes(ax, theme):
    """Quiet axes: two thin lines and a faint horizontal grid."""
    ax.set_facecolor("none")
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(theme.faint)
    ax.tick_params(colors=theme.text, labelsize=9, length=0)
    ax.yaxis.grid(True, color=theme.faint, linewidth=0.6)
    ax.set_axisbelow(True)
    for label in (ax.xaxis.label, ax.yaxis.label, ax.title):
        label.set_color(theme.text)
        label.set_fontsize(10)


def legend(figure_or_axes, theme, handles=None, **options):
    """A legend without a frame."""
    arguments = {} if handles is None else {"handles": handles}
    return figure_or_axes.legend(
        **arguments,
        frameon=False,
        labelcolor=theme.text,
        fontsize=9,
        **options,
    )


def _svg(figure):
    import matplotlib

    buffer = io.BytesIO()
    # A fixed salt and no date: the same run gives the same bytes.
    with matplotlib.rc_context({"svg.hashsalt": "keras_mdl"}):
        figure.savefig(
            buffer,
            format="svg",
            transparent=True,
            metadata={"Date": None, "Creator": None},
        )
    data = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/svg+xml;base64,{data}"
