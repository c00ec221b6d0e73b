"""`Mistakes`: what a classifier gets wrong, and how sure it is of it."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

# Errors that are still compatible with what was counted, one-sided.
_SURE = 0.95


class Confusion(NamedTuple):
    """Images of one class taken for another; `part` of the class's images."""

    label: str
    predicted: str
    images: int
    part: float


class Bin(NamedTuple):
    """The images whose confidence is in `(low, high]`: their number, mean
    confidence and accuracy, `nan` without images."""

    low: float
    high: float
    images: int
    confidence: float
    accuracy: float


class Rejection(NamedTuple):
    """What becomes of the images when unsure answers are held back.

    Attributes:
        threshold: An answer is given from this confidence on.
        answered: Part of the images that get an answer.
        error: Part of the answers that is wrong.
        bound: The error is below this with a probability of 95 %
            (Clopper-Pearson), for one threshold that was chosen beforehand:
            this one was chosen on the same images, so it is somewhat worse.
    """

    threshold: float
    answered: float
    error: float
    bound: float


@dataclass(frozen=True, eq=False)
class Mistakes:
    """A classifier's answers on labelled images, taken apart.

    The counting is scikit-learn's.

    Args:
        classes: Class names.
        labels: Integers `(n,)`.
        probabilities: `(n, classes)`, each row sums to 1.

    Raises:
        ValueError: If the three do not fit, or there are no images.
    """

    classes: tuple
    labels: np.ndarray
    probabilities: np.ndarray

    def __post_init__(self):
        labels = np.asarray(self.labels)
        found = np.asarray(self.probabilities, np.float64)
        count = len(self.classes)
        if found.ndim != 2 or found.shape != (len(labels), count) or not count:
            raise ValueError(
                "`probabilities` must have a row for each label and a column "
                f"for each class, ({len(labels)}, {count}). "
                f"Received: shape {found.shape}"
            )
        if not len(labels) or not ((labels >= 0) & (labels < count)).all():
            raise ValueError(
                f"`labels` must be one or more integers from 0 to {count - 1}. "
                f"Received: {labels[:8]}"
            )
        sums = found.sum(axis=1)
        if (found < 0).any() or not np.allclose(sums, 1, atol=1e-3):
            raise ValueError(
                "`probabilities` must be in [0, 1] and sum to 1 in each row "
                "(logits need a softmax first). Received: sums from "
                f"{sums.min():g} to {sums.max():g}"
            )
        object.__setattr__(self, "classes", tuple(self.classes))
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "probabilities", found)

    @cached_property
    def predicted(self) -> np.ndarray:
        """Integers `(n,)`: the most probable class."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def confidence(self) -> np.ndarray:
        """Its probability `(n,)`."""
        return self.probabilities.max(axis=1)

    @cached_property
    def losses(self) -> np.ndarray:
        """Cross-entropy of each image, `(n,)`: -log p(label)."""
        right = self.probabilities[np.arange(len(self.labels)), self.labels]
        return -np.log(np.maximum(right, 1e-30))

    @property
    def accuracy(self) -> float:
        """Part of the images that is classified correctly."""
        return float((self.predicted == self.labels).mean())

    @cached_property
    def confusion(self) -> np.ndarray:
        """Counts `(classes, classes)`; rows are labels, columns answers."""
        from sklearn.metrics import confusion_matrix

        return confusion_matrix(
            self.labels, self.predicted, labels=np.arange(len(self.classes))
        )

    def per_class(self) -> list[dict]:
        """Dicts of class, images, precision, recall and F1, in class order.

        Precision is `nan` for a class that is never answered, recall for one
        without images.
        """
        from sklearn.metrics import precision_recall_fscore_support

        columns = precision_recall_fscore_support(
            self.labels,
            self.predicted,
            labels=np.arange(len(self.classes)),
            zero_division=np.nan,
        )
        return [
            {
                "class": name,
                "images": int(images),
                "precision": float(precision),
                "recall": float(recall),
                "f1": float(f1),
            }
            for name, precision, recall, f1, images in zip(
                self.classes, *columns, strict=True
            )
        ]

    def confused(self, count: int = 10) -> list[Confusion]:
        """The pairs of classes that are confused most, as `Confusion`."""
        wrong = self.confusion - np.diag(np.diag(self.confusion))
        order = np.argsort(-wrong, axis=None, kind="stable")[:count]
        rows, columns = np.unravel_index(order, wrong.shape)
        return [
            Confusion(
                self.classes[i],
                self.classes[j],
                int(wrong[i, j]),
                float(wrong[i, j] / self.confusion[i].sum()),
            )
            for i, j in zip(rows, columns, strict=True)
            if wrong[i, j]
        ]

    def worst(self, count: int = 16) -> np.ndarray:
        """Indices of the images with the largest loss, the largest first.

        Among them are the images whose label is wrong.
        """
        return np.argsort(-self.losses, kind="stable")[:count]

    def reliability(self, bins: int = 15) -> list[Bin]:
        """Confidence against accuracy in `Bin`s of equal width."""
        right = self.predicted == self.labels
        place = np.ceil(self.confidence * bins).astype(int).clip(1, bins) - 1
        images = np.bincount(place, minlength=bins)
        with np.errstate(invalid="ignore"):
            mean, hit = (
                np.bincount(place, weights=w, minlength=bins) / images
                for w in (self.confidence, right)
            )
        return [
            Bin(i / bins, (i + 1) / bins, int(n), float(c), float(a))
            for i, (n, c, a) in enumerate(zip(images, mean, hit, strict=True))
        ]

    def calibration_error(self, bins: int = 15) -> float:
        """The expected calibration error:

        ```
        ECE = sum_b  n_b / n * |accuracy_b - confidence_b|
        ```

        Reference: Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern
        Neural Networks", ICML 2017, equation 3, with their 15 bins. Few images
        make it too large: an empty or nearly empty bin is mostly noise.
        """
        total = len(self.labels)
        return sum(
            b.images / total * abs(b.accuracy - b.confidence)
            for b in self.reliability(bins)
            if b.images
        )

    def rejection(self, max_error: float | None = None) -> Rejection | None:
        """The lowest confidence from which on answers are good enough.

        Args:
            max_error: Wrong answers accepted, as a part of the answers;
                default half of those without a threshold.

        Returns:
            A `Rejection`; `None` if no threshold reaches it. It says nothing
            about images of other kinds than these.

        Raises:
            ValueError: If `max_error` is not in [0, 1).
        """
        if max_error is None:
            max_error = (1 - self.accuracy) / 2
        if not 0 <= max_error < 1:
            raise ValueError(
                f"`max_error` must be in [0, 1). Received: {max_error}"
            )
        order = np.argsort(-self.confidence, kind="stable")
        sure = self.confidence[order]
        wrong = np.cumsum((self.predicted != self.labels)[order])
        answers = np.arange(1, len(order) + 1)
        # Images of the same confidence are answered together.
        last = np.append(sure[1:] < sure[:-1], True)
        good = np.flatnonzero(last & (wrong <= max_error * answers))
        if not len(good):
            return None
        from scipy.stats import beta

        n, k = int(answers[good[-1]]), int(wrong[good[-1]])
        bound = 1.0 if k == n else float(beta.ppf(_SURE, k + 1, n - k))
        return Rejection(float(sure[good[-1]]), n / len(order), k / n, bound)

    def to_dict(self) -> dict:
        """The numbers as plain values, for JSON."""
        rejection = self.rejection()
        return {
            "images": len(self.labels),
            "accuracy": self.accuracy,
            "loss": float(self.losses.mean()),
            "calibration_error": float(self.calibration_error()),
            "rejection": rejection and rejection._asdict(),
            "confused": [c._asdict() for c in self.confused()],
            "per_class": [
                {k: None if v != v else v for k, v in row.items()}
                for row in self.per_class()
            ],
        }
