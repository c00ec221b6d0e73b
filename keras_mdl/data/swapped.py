"""Classes whose images seem to have changed places between two splits."""

import numpy as np

_SIDE = 32  # pixels of what is compared
_MOST = 2000  # images of a split that are looked at
_SURE = 0.01  # false alarms accepted in a data set without a swap
_KNOWN = 0.75  # accuracy on a pair of classes that makes it comparable


def swapped_classes(data, split="validation"):
    """Pairs of classes that a split seems to name the wrong way round.

    A linear discriminant on colours and gradients (HOG) learns from one half
    of `train`. It has to tell a pair of classes apart on the other half, and
    has to be wrong about the same pair on the split: more often than a coin
    would, with `p < 0.01` over all pairs together (Bonferroni).

    Weak features find no pair rather than a wrong one: classes that look alike
    are never named, nor are those of too few images. A pair needs more than
    `log2(100 * pairs)` in the split, 7 for 2 classes and 17 for 40.

    Args:
        data: `DomainData` with labelled splits `train` and `split`, of random
            access.
        split: Which split is compared with `train`.

    Returns:
        `[(class, class)]`, sorted.
    """
    from scipy.stats import binom
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    count = data.domain.num_classes
    pairs = count * (count - 1) / 2
    images = np.sort(np.bincount(data.labels(split), minlength=2))
    if binom.cdf(0, images[-2:].sum(), 0.5) * pairs >= _SURE:
        return []  # no pair has images enough
    x, y = _sample(data, "train")
    half = np.zeros(len(y), bool)
    for label in np.unique(y):  # every second image of each class
        half[np.flatnonzero(y == label)[::2]] = True
    known = np.intersect1d(y[half], y[~half])
    if len(known) < 2:
        return []
    fitted = np.isin(y, known) & half
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    model.fit(x[fitted], y[fitted])

    def scores(features):
        found = np.full((len(features), count), -np.inf)
        values = model.decision_function(features)
        if len(model.classes_) == 2:
            values = np.stack([-values, values], 1)
        found[:, model.classes_] = values
        return found

    held, held_labels = scores(x[~half]), y[~half]
    x, y = _sample(data, split)
    new = scores(x)
    answers = [
        np.bincount(new[y == c].argmax(1), minlength=count)
        if (y == c).any()
        else np.eye(count)[c]
        for c in range(count)
    ]
    nearest = np.argmax(answers, axis=1)
    found = []
    for a in range(count):
        b = int(nearest[a])
        if b <= a or nearest[b] != a:
            continue
        told = np.divide(*_right(held, held_labels, a, b))
        right, total = _right(new, y, a, b)
        if told >= _KNOWN and binom.cdf(right, total, 0.5) * pairs < _SURE:
            found.append((data.domain.classes[a], data.domain.classes[b]))
    return sorted(found)


def _right(scores, labels, a, b):
    """How many images of two classes are told apart, and of how many."""
    margin = scores[:, a] - scores[:, b]
    of_a, of_b = margin[labels == a] > 0, margin[labels == b] < 0
    return int(of_a.sum() + of_b.sum()), len(of_a) + len(of_b)


def _sample(data, split):
    """Features and labels of at most `_MOST` images, evenly by class."""
    labels, images = data.labels(split), data.images(split)
    each = max(_MOST // data.domain.num_classes, 4)
    chosen = []
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        spread = np.linspace(0, len(of_class) - 1, min(each, len(of_class)))
        chosen.append(of_class[spread.astype(int)])
    chosen = np.concatenate(chosen)
    features = np.stack([_features(images[int(i)]) for i in chosen])
    return features, labels[chosen]


def _features(image):
    from PIL import Image
    from skimage.feature import hog

    picture = Image.fromarray(image).resize((_SIDE, _SIDE), Image.BILINEAR)
    colours = np.asarray(picture.resize((4, 4), Image.BOX)).ravel() / 255
    gradients = hog(
        np.asarray(picture.convert("L")), pixels_per_cell=(8, 8),
        cells_per_block=(2, 2),
    )  # fmt: skip
    return np.concatenate([colours, gradients])
