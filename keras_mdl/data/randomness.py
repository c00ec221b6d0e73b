"""Random numbers that are pure functions of (seed, epoch, position).

A generator with a history makes the augmentation of an image depend on
everything drawn before it, so a resumed run differs from an uninterrupted
one. NumPy's Philox is a hash of a counter: it can be put anywhere. Only its
raw bits are used, which NumPy promises never to change.
"""

import numpy as np

# The order of an epoch must not share bits with its augmentation.
_ORDER, _AUGMENT = 1, 2
_BLOCK = 4  # words that one step of Philox's counter makes


def uniforms(seed, epoch, start, size, count):
    """Uniform draws for images that stand next to each other in an epoch.

    Args:
        seed: Integer `>= 0`.
        epoch: Integer `>= 0`.
        start: Position of the first image in the epoch's order.
        size: Number of images.
        count: Number of draws per image.

    Returns:
        float64 array of shape `(size, count)` with values in `[0, 1)`.
    """
    blocks = -(-count // _BLOCK)
    bits = _philox(seed, epoch, _AUGMENT).advance(int(start) * blocks)
    words = bits.random_raw(size * blocks * _BLOCK).reshape(size, -1)
    return (words[:, :count] >> np.uint64(11)) * 2.0**-53


def epoch_order(seed, epoch, size):
    """The order in which epoch `epoch` visits `size` images.

    Returns:
        int64 permutation of `range(size)`.
    """
    return np.argsort(_philox(seed, epoch, _ORDER).random_raw(size))


def _philox(seed, epoch, stream):
    return np.random.Philox(np.random.SeedSequence([stream, seed, epoch]))
