"""`Tally`: how units and concepts overlap, summed over images."""

import numpy as np


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

    def add(self, activations, thresholds, labels):
        """An image: `(h, w, units)`, `(units,)` and its `Labels`."""
        # A bilinear value is never above the largest that it is made of.
        active = np.flatnonzero((activations > thresholds).any(axis=(0, 1)))
        above = resized(activations[..., active], labels.grid)
        above = above > thresholds[active]
        size = above[..., 0].size if len(active) else 0
        above = above.reshape(size, len(active))
        area, concepts = above.sum(axis=0), self.both.shape[1]
        pixel, unit = np.nonzero(above)
        for category, maps in labels.maps.items():
            self.mask[active, self._category[category]] += area
            for label in maps:
                if np.ndim(label) == 0:
                    if label:
                        self.both[active, label - 1] += area
                        self.label[label - 1] += np.prod(labels.grid)
                    continue
                label = label.ravel()
                self.label += np.bincount(label, minlength=concepts + 1)[1:]
                here = unit * (concepts + 1) + label[pixel]
                counts = np.bincount(
                    here, minlength=len(active) * (concepts + 1)
                )
                counts = counts.reshape(len(active), concepts + 1)
                self.both[active] += counts[:, 1:]

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
