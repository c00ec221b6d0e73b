"""The page of an evaluation: what is confused, and how sure the network is."""

import numpy as np

from keras_mdl.report.sections import Section, Shot
from keras_mdl.report.text import percent
from keras_mdl.report.theme import Theme, new_figure, themed

# More classes than this cannot be read in one picture.
_READABLE = 25


def mistake_sections(name: str, mistakes, pictures: dict) -> list[Section]:
    """The sections about one domain.

    Args:
        name: What is evaluated.
        mistakes: `keras_mdl.analysis.Mistakes`.
        pictures: `{index: uint8 image}` of the images to show.
    """
    m, total = mistakes, len(mistakes.labels)
    error, rejection = m.calibration_error(), m.rejection()
    shown = readable_classes(m.confusion)
    some = (
        f"The {len(shown)} of {len(m.classes)} classes with the most mistakes. "
        if len(shown) < len(m.classes)
        else ""
    )
    return [
        Section(
            f"{name}: what is taken for what",
            f"{percent(m.accuracy)} of {total:,} images are right. {some}Rows "
            "are the true classes; each is coloured by the part of its images.",
            confusion_heat_map,
            (m.confusion, m.classes, shown),
            "Confusion matrix.",
            [
                ["is", "taken for", "images", "of the class"],
                *(
                    (c.label, c.predicted, c.images, percent(c.part))
                    for c in m.confused()
                ),
            ],
            "The pairs that are confused most.",
            2,
        ),
        Section(
            f"{name}: class by class",
            rows=[
                ["class", "images", "precision", "recall", "F1"],
                *(
                    (
                        r["class"],
                        r["images"],
                        *(_rate(r[k]) for k in ("precision", "recall", "f1")),
                    )
                    for r in sorted(m.per_class(), key=_recall)
                ),
            ],
            caption="Precision: part of the answers with this class that is "
            "right (empty: it is never answered). Recall: part of its images "
            "that is found. The least found come first.",
        ),  # fmt: skip
        Section(
            f"{name}: how sure it may be",
            f"Expected calibration error {percent(error)}: how far the "
            "confidence is from the accuracy, on average. "
            + rejection_text(m.accuracy, rejection),
            reliability_diagram,
            m.reliability(),
            f"Accuracy against confidence; expected calibration error "
            f"{percent(error)}.",
        ),
        Section(
            f"{name}: the largest losses",
            "Images that the network is most wrong about. Look here for wrong "
            "labels first.",
            shots=[
                Shot(
                    pixels,
                    f"{m.classes[m.labels[i]]}, taken for "
                    f"{m.classes[m.predicted[i]]} "
                    f"({percent(float(m.confidence[i]))})",
                    bool(m.predicted[i] != m.labels[i]),
                )
                for i, pixels in pictures.items()
            ],
            large=True,
        ),
    ]


def rejection_text(accuracy: float, rejection) -> str:
    """What a threshold on the confidence would do, in a sentence."""
    if accuracy == 1:
        return "Nothing is wrong, so no threshold is suggested."
    if rejection is None:
        return "No threshold on the confidence halves the errors."
    return (
        f"Suggested threshold: answers from a confidence of "
        f"{rejection.threshold:.3f} on. {percent(rejection.answered)} of the "
        f"images get one, and {percent(rejection.error)} of the answers are "
        f"wrong (likely at most {percent(rejection.bound)}) instead of "
        f"{percent(1 - accuracy)}. It was chosen on these images and holds for "
        "images like them; pictures of anything else can be answered with "
        "confidence."
    )


def readable_classes(confusion) -> list[int]:
    """Of many classes the ones with the most mistakes, in their order."""
    off = confusion - np.diag(np.diag(confusion))
    mistakes = off.sum(axis=0) + off.sum(axis=1)
    most = np.argsort(-mistakes, kind="stable")[:_READABLE]
    return sorted(most.tolist())


@themed
def confusion_heat_map(results, theme: Theme):
    """Confusion matrix, each row divided by the images of its class.

    Args:
        results: `(counts, class names, classes to show)`.
        theme: `Theme`.
    """
    counts, classes, shown = results
    images = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    counts, parts = (x[np.ix_(shown, shown)] for x in (counts, counts / images))
    names = [classes[i] for i in shown]
    side = min(1.6 + 0.3 * len(names), 8.2)
    figure, ax = new_figure(7.6, side)
    heat_map(figure, ax, parts, names, names, "part of the class's images")
    ax.set(xlabel="answer", ylabel="class")
    if len(names) <= 12:
        write_cells(ax, parts, counts)
    return figure


def heat_map(figure, ax, values, rows, columns, label, low=0.0, high=1.0):
    """Values as blue cells with names of rows and columns, and a scale."""
    image = ax.imshow(values, vmin=low, vmax=high, cmap="Blues", aspect="auto")
    ax.set_xticks(range(len(columns)), columns, rotation=60, ha="right")
    ax.set_yticks(range(len(rows)), rows)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=ax, shrink=0.9, pad=0.02)
    bar.set_label(label)
    bar.outline.set_visible(False)


def write_cells(ax, values, texts, low=0.0, high=1.0):
    """Texts in the cells of a heat map; zeros stay empty."""
    for (y, x), value in np.ndenumerate(values):
        if texts[y][x]:
            dark = (value - low) / (high - low) > 0.5
            ax.text(
                x, y, texts[y][x], ha="center", va="center", fontsize=8,
                color="#ffffff" if dark else "#1f2430",
            )  # fmt: skip


@themed
def reliability_diagram(bins, theme: Theme):
    """Accuracy of the images in each bin of confidence, and their number."""
    figure, (ax, below) = new_figure(
        5.6, 4.4, nrows=2, sharex=True, height_ratios=(3, 1)
    )
    centres = [(b.low + b.high) / 2 for b in bins]
    width = 0.92 / len(bins)
    ax.plot([0, 1], [0, 1], color=theme.text, linewidth=1, linestyle="--")
    ax.bar(centres, [b.accuracy for b in bins], width, color=theme.shared)
    ax.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    below.bar(centres, [b.images for b in bins], width, color=theme.private)
    below.set(xlabel="confidence", ylabel="images")
    return figure


def _recall(row):
    return 2 if np.isnan(row["recall"]) else row["recall"]


def _rate(value):
    return "" if np.isnan(value) else percent(value)
