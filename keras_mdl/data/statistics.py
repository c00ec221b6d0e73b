"""Per-channel mean and standard deviation of a set of images."""

from dataclasses import replace

import numpy as np

# Decoding a large folder only to average it is not worth the wait.
SAMPLE = 2000
_FLOOR = 1.0 / 255.0


def pixel_sums(image):
    """Number of pixels, sums and sums of squares by channel.

    Histograms keep the sums exact and need no float copy.

    Args:
        image: uint8 array `(..., 3)`.

    Returns:
        float64 array `(3, 3)`: a row each, a column for R, G and B.
    """
    pixels = np.asarray(image).reshape(-1, 3).T
    counts = np.stack([np.bincount(c, minlength=256) for c in pixels])
    levels = np.arange(256) / 255
    return np.stack([counts.sum(1), counts @ levels, counts @ levels**2])


def mean_and_std(sums):
    """Mean and std as two tuples (R, G, B), 0 = black and 1 = white.

    Every pixel counts once, so large images weigh more than small ones. The
    std has a floor of 1/255, so that a constant channel does not turn the
    network's normalisation into a division by zero.

    Args:
        sums: What `pixel_sums` returned for the images, at least one.
    """
    count, total, squares = sum(sums)
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, _FLOOR**2))
    return tuple(mean.round(6).tolist()), tuple(std.round(6).tolist())


def with_statistics(domain, sources, mean=None, std=None):
    """`domain` with pixel statistics: the given ones, or those of `train`.

    Args:
        domain: A `Domain`.
        sources: Mapping from split names to sequences of images, of which
            at most `SAMPLE`, evenly spaced, are looked at.
        mean: Per-channel mean, or `None`.
        std: Per-channel standard deviation, or `None`.
    """
    if mean is None or std is None:
        source = sources.get("train", next(iter(sources.values())))
        count = min(len(source), SAMPLE)
        picked = np.unique(np.linspace(0, len(source) - 1, count, dtype=int))
        found = mean_and_std(pixel_sums(source[int(i)]) for i in picked)
        mean = found[0] if mean is None else mean
        std = found[1] if std is None else std
    return replace(domain, mean=mean, std=std)
