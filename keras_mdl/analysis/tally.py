"""`Tally`: how units and concepts overlap, summed over images."""

from typing import NamedTuple

import numpy as np


class Mask(NamedTuple):
    """Where the units of a layer are above their thresholds in an image.

    Attributes:
        grid: `(height, width)` that it refers to.
        active: The units that are anywhere.
        area: Pixels of each of them.
        pixel, unit: Flat index of the pixel, and place in `active`, of each
            pixel of each unit.
    """

    grid: tuple
    active: np.ndarray
    area: np.ndarray
    pixel: np.ndarray
    unit: np.ndarray


def mask(activations, thresholds, grid):
    """The `Mask` of maps `(h, w, units)`, enlarged to a grid."""
    # A bilinear value is never above the largest that it is made of.
    active = np.flatnonzero((activations > thresholds).any(axis=(0, 1)))
    above = resized(activations[..., active], grid) > thresholds[active]
    pixel, unit = np.divmod(np.flatnonzero(above), max(len(active), 1))
    area = np.bincount(unit, minlength=len(active))
    return Mask(grid, active, area, pixel, unit)


class Tally:
    """Sums over images for the IoU of every unit with every concept.

    ```
    IoU(k, c) = sum_x |M_k(x) & L_c(x)|
              / (sum_{x in X_cat(c)} |M_k(x)| + sum_x |L_c(x)|
                 - sum_x |M_k(x) & L_c(x)|)
    ```

    `M_k(x)` are the pixels where unit `k` is above its threshold, `L_c(x)`
    those of concept `c`, `X_cat(c)` the images that are annotated for the
    category of `c`. Labels of whole images cover every pixel.

    Args:
        units: How many units.
        concepts: `Concept`s.

    Reference: Bau et al., "Network Dissection", CVPR 2017, section 2.3, with
    its union over the whole set; the later NetDissect-Lite leaves out images
    of the category that the mask does not touch, and gets larger values.
    """

    def __init__(self, units, concepts):
        self._category = {}
        for c in concepts:
            self._category.setdefault(c.category, len(self._category))
        self._home = np.array([self._category[c.category] for c in concepts])
        self.both = np.zeros((units, len(concepts)), np.int64)
        self.mask = np.zeros((units, len(self._category)), np.int64)
        self.label = np.zeros(len(concepts), np.int64)

    def add(self, mask, labels):
        """An image: its `Mask`, and `Labels` of the same grid."""
        concepts = self.both.shape[1]
        for category, maps in labels.maps.items():
            self.mask[mask.active, self._category[category]] += mask.area
            for label in maps:
                if np.ndim(label) == 0:
                    if label:
                        self.both[mask.active, label - 1] += mask.area
                        self.label[label - 1] += np.prod(labels.grid)
                    continue
                label = label.ravel()
                self.label += np.bincount(label, minlength=concepts + 1)[1:]
                counts = np.bincount(
                    mask.unit * (concepts + 1) + label[mask.pixel],
                    minlength=len(mask.active) * (concepts + 1),
                )
                counts = counts.reshape(-1, concepts + 1)[:, 1:]
                self.both[mask.active] += counts

    def iou(self):
        """float32 `(units, concepts)`; 0 where there is neither."""
        union = self.mask[:, self._home] + self.label - self.both
        return (self.both / np.maximum(union, 1)).astype(np.float32)


def resized(maps, size):
    """Maps `(h, w, n)` bilinearly as `(height, width, n)`, in `size`.

    Pixels are squares with their values at the centres; beyond the outermost
    centres a map stays as it is there. The same on every backend.
    """
    rows, columns = (
        _weights(before, after)
        for before, after in zip(maps.shape, size, strict=False)
    )
    tall = np.tensordot(rows, maps, axes=1)  # (height, w, n)
    return np.matmul(columns, tall)  # (height, width, n)


def _weights(before, after):
    """Matrix `(after, before)` of linear interpolation."""
    places = (np.arange(after) + 0.5) * before / after - 0.5
    places = places.clip(0, before - 1)
    low = places.astype(int).clip(0, max(before - 2, 0))
    part = (places - low)[:, None]
    eye = np.eye(before, dtype=np.float32)
    high = np.minimum(low + 1, before - 1)
    return ((1 - part) * eye[low] + part * eye[high]).astype(np.float32)
