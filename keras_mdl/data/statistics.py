"""Per-channel mean and standard deviation of a set of images."""

from dataclasses import replace

import numpy as np

# Decoding a large folder only to average it is not worth the wait.
SAMPLE = 2000
_FLOOR = 1.0 / 255.0


class PixelStatistics:
    """Accumulates mean and standard deviation over images of any size.

    Every pixel counts once, so large images weigh more than small ones.
    """

    def __init__(self):
        self._count = 0
        self._sum = np.zeros(3)
        self._squares = np.zeros(3)

    @staticmethod
    def sums(image):
        """Count, sums and sums of squares of a uint8 array `(..., 3)`."""
        pixels = np.asarray(image).reshape(-1, 3)
        levels = np.arange(256) / 255.0
        # Histograms keep the sums exact and need no float copy.
        counts = np.stack(
            [np.bincount(pixels[:, c], minlength=256) for c in range(3)]
        )
        return len(pixels), counts @ levels, counts @ levels**2

    def add(self, image):
        """Adds a uint8 array of shape `(..., 3)`."""
        self.add_sums(self.sums(image))

    def add_sums(self, sums):
        """Adds what `sums` returned for an image."""
        self._count += sums[0]
        self._sum += sums[1]
        self._squares += sums[2]

    def result(self):
        """Mean and std as two tuples (R, G, B), 0 = black and 1 = white.

        The std has a floor of 1/255, so that a constant channel does not
        turn the network's normalisation into a division by zero.
        """
        count = max(self._count, 1)
        mean = self._sum / count
        variance = np.maximum(self._squares / count - mean**2, 0.0)
        std = np.maximum(np.sqrt(variance), _FLOOR)
        return tuple(mean.round(6).tolist()), tuple(std.round(6).tolist())


def pixel_statistics(source, sample=SAMPLE):
    """Mean and std of at most `sample` images, evenly spaced in `source`.

    Args:
        source: Sequence of uint8 images `(h, w, 3)`.
        sample: Largest number of images to look at.

    Returns:
        `(mean, std)`, see `PixelStatistics.result`.
    """
    size = len(source)
    statistics = PixelStatistics()
    for index in np.unique(
        np.linspace(0, size - 1, min(size, sample), dtype=int)
    ):
        statistics.add(source[int(index)])
    return statistics.result()


def with_statistics(domain, sources, mean=None, std=None):
    """`domain` with pixel statistics: the given ones, or those of `train`."""
    if mean is None or std is None:
        source = sources.get("train", next(iter(sources.values())))
        found = pixel_statistics(source)
        mean = found[0] if mean is None else mean
        std = found[1] if std is None else std
    return replace(domain, mean=mean, std=std)
