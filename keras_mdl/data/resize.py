"""Resizing, as training does it and as many apps do."""

import numpy as np
from PIL import Image


def resized(image, size, antialias=True, box=None):
    """Bilinear resize.

    Antialiased, every pixel of the image counts (Pillow). Plain, a pixel of
    the result is made of the four that are nearest to its place, however much
    the image shrinks: so do OpenCV, MediaPipe and Android's
    `createScaledBitmap`. Where nothing shrinks both are the same.

    Args:
        image: uint8 array `(h, w, 3)`.
        size: `(height, width)`, or the length of the shorter side; the
            longer side is then rounded down as in torchvision, which the
            published decathlon pipelines use. `None` does nothing.
        antialias: Whether to antialias.
        box: `(left, top, right, bottom)` of the part to resize; default all.

    Returns:
        uint8 array.
    """
    if size is None:
        return image
    left, top, right, bottom = box or (0, 0, image.shape[1], image.shape[0])
    height, width = bottom - top, right - left
    if not isinstance(size, tuple):
        short = min(height, width)
        size = (int(size * height / short), int(size * width / short))
    if size == (height, width) == image.shape[:2]:
        return image
    if not antialias and (size[0] < height or size[1] < width):
        return _plain(image[top:bottom, left:right], size)
    picture = Image.fromarray(np.ascontiguousarray(image))
    return np.asarray(
        picture.resize(
            size[::-1], Image.Resampling.BILINEAR, (left, top, right, bottom)
        )
    )


def _plain(image, size):
    top, bottom, down = _neighbours(image.shape[0], size[0])
    left, right, along = _neighbours(image.shape[1], size[1])
    along, down = along[:, None], down[:, None, None]

    def row(y):
        x0, x1 = image[np.ix_(y, left)], image[np.ix_(y, right)]
        return x0 * (1 - along) + x1 * along

    return np.rint(row(top) * (1 - down) + row(bottom) * down).astype("uint8")


def _neighbours(before, after):
    """Of each new pixel's centre: the old pixels around it, and how far."""
    centres = (np.arange(after) + 0.5) * before / after - 0.5
    centres = centres.clip(0, before - 1)
    low = centres.astype(int)
    high = np.minimum(low + 1, before - 1)
    return low, high, (centres - low).astype("float32")
