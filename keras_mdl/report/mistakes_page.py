"""The page of an evaluation: what is confused, and how sure the network is."""

import numpy as np

from keras_mdl.report.heat_maps import HeatMap, heat_map
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
            "are the true classes, columns the answers; colours are parts of "
            "the images of a class.",
            heat_map,
            _confusion(m, shown),
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
            rows=_class_rows(m),
            caption="Precision: part of the answers with this class that is "
            "right (empty: it is never answered). Recall: part of its images "
            "that is found. The least found come first.",
        ),
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


def _confusion(mistakes, shown):
    """Each row as parts of the images of its class, with counts."""
    counts = mistakes.confusion
    parts = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    counts, parts = (x[np.ix_(shown, shown)] for x in (counts, parts))
    texts = [[str(n or "") for n in row] for row in counts]
    names = [mistakes.classes[i] for i in shown]
    return HeatMap(parts, names, names, "part of the class's images", texts)


@themed
def reliability_diagram(bins, theme: Theme):
    """Accuracy of the images in each bin of confidence, and their number."""
    figure, (ax, below) = new_figure(
        7.6, 4.2, nrows=2, sharex=True, height_ratios=(3, 1)
    )
    centres = [(b.low + b.high) / 2 for b in bins]
    width = 0.92 / len(bins)
    ax.plot([0, 1], [0, 1], color=theme.text, linewidth=1, linestyle="--")
    ax.bar(centres, [b.accuracy for b in bins], width, color=theme.shared)
    ax.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    below.bar(centres, [b.images for b in bins], width, color=theme.private)
    below.set(xlabel="confidence", ylabel="images")
    return figure


def _class_rows(mistakes):
    rows = [["class", "images", "precision", "recall", "F1"]]
    for r in sorted(mistakes.per_class(), key=_recall):
        rates = (_rate(r[k]) for k in ("precision", "recall", "f1"))
        rows.append([r["class"], r["images"], *rates])
    return rows


def _recall(row):
    return 2 if np.isnan(row["recall"]) else row["recall"]


def _rate(value):
    return "" if np.isnan(value) else percent(value)
