"""Handwritten digits, from scikit-learn."""

import numpy as np

from keras_mdl.data.arrays import from_arrays

_TRAIN = 1347  # of 1797, in file order

_PROVENANCE = (
    "1797 scanned digits, 8 x 8 pixels, 43 people: UCI Optical Recognition "
    "of Handwritten Digits (CC BY 4.0), as carried by scikit-learn "
    "(load_digits), enlarged and placed at random with a little noise. "
    f"Split: the first {_TRAIN} in file order train, the rest validate."
)


def make(size, seed):
    """White digits on black, each at its own position and scale."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    rng = np.random.default_rng([seed, 1])
    images = np.stack([_placed(i, size, rng) for i in digits.images])
    labels = digits.target.astype(np.int32)
    parts = {"train": slice(_TRAIN), "validation": slice(_TRAIN, None)}
    return from_arrays(
        "digits",
        {s: (images[part], labels[part]) for s, part in parts.items()},
        tuple("0123456789"),
        provenance=_PROVENANCE,
    )


def _placed(digit, size, rng):
    from PIL import Image

    side = round(size * rng.uniform(0.65, 1.0))
    # The scans have 17 grey levels.
    picture = Image.fromarray(np.uint8(digit * (255 / 16)))
    picture = picture.rotate(
        rng.uniform(-20, 20), Image.Resampling.BICUBIC
    ).resize((side, side), Image.Resampling.BICUBIC)
    canvas = np.zeros((size, size), np.float32)
    top, left = rng.integers(0, size - side + 1, 2)
    canvas[top : top + side, left : left + side] = picture
    canvas = canvas * rng.uniform(0.5, 1.0)
    canvas += rng.normal(0, rng.uniform(0, 20), canvas.shape)
    return np.uint8(np.clip(canvas, 0, 255))
