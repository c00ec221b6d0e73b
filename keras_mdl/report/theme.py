"""Colours and type of the figures, for light and dark pages."""

import functools
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Theme:
    """Colours of a figure.

    Attributes:
        text: Labels and titles.
        faint: Axes and grid lines.
        page: The ground, where something must be set off from it.
        shared: Shared parameters.
        private: Private parameters.
        methods: `{method, or first word of methods: colour}`.
    """

    text: str
    faint: str
    page: str
    shared: str
    private: str
    methods: dict

    def colour(self, method: str) -> str:
        """That of a method: its own, its family's, or the text's."""
        family = self.methods.get(method.partition("_")[0], self.text)
        return self.methods.get(method, family)

    @property
    def style(self) -> dict:
        """Matplotlib's settings: two thin lines and a faint grid."""
        return {
            "font.size": 9,
            "text.color": self.text,
            "axes.labelcolor": self.text,
            "axes.labelsize": 10,
            "axes.titlesize": 10,
            "axes.titlelocation": "left",
            "axes.facecolor": "none",
            "axes.edgecolor": self.faint,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "axes.grid": True,
            "axes.grid.axis": "y",
            "grid.color": self.faint,
            "grid.linewidth": 0.6,
            "xtick.color": self.text,
            "ytick.color": self.text,
            "xtick.major.size": 0,
            "xtick.minor.size": 0,
            "ytick.major.size": 0,
            "legend.frameon": False,
        }


# Blue, orange and grey stay apart with every kind of colour blindness, and
# differ in lightness as well.
LIGHT = Theme(
    text="#1f2430",
    faint="#c9ced8",
    page="#ffffff",
    shared="#0b62ac",
    private="#e39b2d",
    methods={
        "classifier_only": "#e39b2d",
        "pointwise_sharing": "#0b62ac",
        "individual": "#9aa3b2",
        "serial": "#7a4fb5",
        "parallel": "#7a4fb5",
        "dan": "#0f7a61",
        "piggyback": "#b93a64",
    },
)
DARK = Theme(
    text="#e6e8ee",
    faint="#454c5a",
    page="#14171d",
    shared="#5aa9f0",
    private="#f0b04f",
    methods={
        "classifier_only": "#f0b04f",
        "pointwise_sharing": "#5aa9f0",
        "individual": "#7d8696",
        "serial": "#b79cf0",
        "parallel": "#b79cf0",
        "dan": "#4cc9a5",
        "piggyback": "#f08bab",
    },
)


def themed(draw: Callable) -> Callable:
    """Makes `draw(results, theme, ...)` draw in the style of its theme."""

    @functools.wraps(draw)
    def in_style(results, theme, *args, **options):
        import matplotlib

        with matplotlib.rc_context(theme.style):
            return draw(results, theme, *args, **options)

    return in_style


def new_figure(width: float, height: float, **options) -> tuple:
    """A figure and its axes, without a window; sizes in inches."""
    # Not pyplot: no global state, no window, nothing to close.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(**options)
