"""The picture of a learning-rate range test."""

from keras_mdl.files import atomic_path
from keras_mdl.report.theme import LIGHT, Theme, new_figure, themed


@themed
def losses_over_rates(test, theme: Theme):
    """Losses over the rate (log scale), the suggested one marked.

    Args:
        test: `keras_mdl.training.RateTest`.
        theme: `Theme`.

    Returns:
        A matplotlib figure.
    """
    figure, ax = new_figure(6.4, 3.6)
    ax.set_xscale("log")
    ax.plot(test.rates, test.losses, color=theme.faint, label="of each batch")
    ax.plot(test.rates, test.smoothed, color=theme.shared, label="smoothed")
    ax.axvline(
        test.suggested,
        color=theme.private,
        label=f"suggested: {test.suggested:.2g}",
    )
    # Losses of a training that diverges would flatten all others.
    low, high = min(test.smoothed), test.smoothed[0]
    ax.set_ylim(max(0, low - 0.1 * (high - low)), low + 1.6 * (high - low))
    ax.set(xlabel="learning rate", ylabel="training loss")
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def write_rate_figure(path, test):
    """Writes the picture as a PNG file."""
    with atomic_path(path) as temporary:
        losses_over_rates(test, LIGHT).savefig(
            temporary, dpi=150, facecolor=LIGHT.page
        )
