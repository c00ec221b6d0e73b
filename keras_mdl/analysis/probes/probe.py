"""What a probe set is: images, and which concept is where in them."""

from typing import NamedTuple, Protocol

import numpy as np


class Concept(NamedTuple):
    """Something that a unit may detect.

    Attributes:
        name: What it is called.
        category: Its kind, as `"color"`, `"texture"`, `"part"`, `"object"`.
    """

    name: str
    category: str


class Labels(NamedTuple):
    """What is where in one image.

    Attributes:
        grid: `(height, width)` of the label maps.
        maps: `{category: list}` of maps and of labels of the whole image. A
            map is an integer array of shape `grid`, a label an integer; `n`
            stands for `ProbeSet.concepts[n - 1]`, 0 for nothing. A category
            that is not annotated in the image is missing.
    """

    grid: tuple
    maps: dict


class ProbeSet(Protocol):
    """Images with labels, by index; read when they are asked for.

    Attributes:
        name: What results call it.
        concepts: All `Concept`s.
    """

    name: str
    concepts: tuple

    def __len__(self) -> int: ...

    def image(self, index: int) -> np.ndarray:
        """uint8 `(height, width, 3)`."""

    def labels(self, index: int) -> Labels:
        """What is where in it."""
