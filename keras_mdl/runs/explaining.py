"""What each domain of a model makes of images, and where it sees it."""

from typing import NamedTuple

import numpy as np

from keras_mdl.analysis.attributions import explain
from keras_mdl.analysis.tally import resized
from keras_mdl.data import Preprocess, from_arrays
from keras_mdl.report.overlays import heated
from keras_mdl.runs.fitting import probabilities

_SIDE = 224  # of the pictures at the least


class Explanation(NamedTuple):
    """One domain's answer to one image.

    Attributes:
        image: Index of the image.
        domain: Name of the domain.
        label: The class that is explained.
        probability: Its own.
        predictions: `[(class, probability), ...]`, the best first.
        pixels: The image at the size of the network, uint8 `(h, w, 3)`.
        picture: The same larger.
        overlay: The same with the heat map.
    """

    image: int
    domain: str
    label: str
    probability: float
    predictions: list
    pixels: np.ndarray
    picture: np.ndarray
    overlay: np.ndarray


def explanations(
    model, domains, images, size, method="gradcam++", layer=None, label=None,
    top=3,
):  # fmt: skip
    """`Explanation`s of images, each by every domain.

    Args:
        model: A `MultiDomainModel`.
        domains: Names.
        images: uint8 arrays `(h, w, 3)` of any sizes.
        size: Side of the images that the network takes.
        method, layer: As `keras_mdl.analysis.explain`.
        label: Name of the class to explain; default the most probable one.
        top: Predictions to keep.
    """
    found = []
    for domain in domains:
        info, view = model.domains[domain], model[domain]
        p = probabilities(view, info, images, size)
        order = np.argsort(-p, axis=1, kind="stable")
        classes = order[:, 0]
        if label is not None:
            classes = np.full(len(images), info.classes.index(label))
        seen, shown = (_rendered(info, images, s) for s in
                       (size, max(size, _SIDE)))  # fmt: skip
        heat = explain(view, seen, classes, method, layer)
        for i, picture in enumerate(shown):
            large = resized(heat[i][..., None], picture.shape[:2])[..., 0]
            found.append(
                Explanation(
                    i,
                    domain,
                    info.classes[classes[i]],
                    float(p[i, classes[i]]),
                    [(info.classes[c], float(p[i, c]))
                     for c in order[i, :top]],
                    seen[i],
                    picture,
                    heated(picture, large),
                )
            )  # fmt: skip
    return sorted(found, key=lambda e: e.image)


def _rendered(info, images, side):
    """Images resized and cropped as in evaluation, uint8."""
    data = from_arrays(info, {"images": (images, None)})
    batches = data.batches(
        "images", preprocess=Preprocess.default(side), dtype="uint8"
    )
    return np.concatenate([np.asarray(b) for b in batches])
