"""Domains that need no files and no network.

One is drawn (`shapes`, varied and larger: the base domain, in the part of
ImageNet); the others are real images and fonts that come inside the wheels
of scikit-learn, scikit-image and matplotlib. They are small, and made for
tutorials, tests and first comparisons, not for published figures.
"""

from dataclasses import replace

from keras_mdl.data.domain_data import DomainData
from keras_mdl.data.embedded import digits, glyphs, patches, shapes
from keras_mdl.data.epoch import checked_count
from keras_mdl.domains import require_domain

_MAKERS = {
    "shapes": shapes.make,
    "digits": digits.make,
    "glyphs": glyphs.make,
    "photos": patches.make_photos,
    "textures": patches.make_textures,
}


def names():
    """Names of the embedded domains; the base domain `shapes` first."""
    return tuple(_MAKERS)


def load(
    name: str, size: int = 32, seed: int = 0, flip: bool | None = None
) -> DomainData:
    """Makes one embedded domain; the same arguments make the same images.

    Args:
        name: One of `names()`.
        size: Side of the square images in pixels, at least 16.
        seed: Seed of what is drawn or cut out at random. It does not move
            the border between training and validation material.
        flip: Whether training images may be mirrored; by default what suits
            the domain.

    Returns:
        `DomainData` with splits `train` and `validation`; its `provenance`
        names library, licence and the rule of the split.
    """
    make = _MAKERS[require_domain(name, _MAKERS)]
    size = checked_count("size", size, low=16)
    data = make(size, checked_count("seed", seed))
    return data if flip is None else replace(data, flip=bool(flip))
