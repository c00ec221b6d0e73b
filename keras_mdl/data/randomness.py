"""Random numbers that are pure functions of (seed, epoch, image index).

A stateful generator makes the augmentation of an image depend on everything
drawn before it, so a resumed run differs from an uninterrupted one. A
counter-based hash has no history: the same three numbers always give the
same draw, on every machine and in every thread.
"""

import numpy as np

# Constants of the SplitMix64 finaliser (Steele, Lea, Flood, OOPSLA 2014).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
# The order of an epoch must not share bits with its augmentation.
_ORDER, _AUGMENT = 1, 2


def uniforms(seed, epoch, indices, count):
    """Uniform draws for a set of images.

    Args:
        seed: Integer `>= 0`.
        epoch: Integer `>= 0`.
        indices: Image indices, shape `(n,)`.
        count: Number of draws per image.

    Returns:
        float64 array of shape `(n, count)` with values in `[0, 1)`.
    """
    bits = _hash(seed, epoch, _AUGMENT, indices)[:, None]
    steps = np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN
    with np.errstate(over="ignore"):
        bits = _mix(bits + steps)
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def epoch_order(seed, epoch, size):
    """The order in which epoch `epoch` visits `size` images.

    Returns:
        int64 permutation of `range(size)`.
    """
    keys = _hash(seed, epoch, _ORDER, np.arange(size))
    return np.argsort(keys, kind="stable")


def _hash(seed, epoch, stream, indices):
    key = np.zeros(1, np.uint64)
    with np.errstate(over="ignore"):
        for word in (seed, epoch, stream):
            key = _mix(key + np.uint64(word) + _GOLDEN)
        return _mix(key + np.asarray(indices).astype(np.uint64) * _GOLDEN)


def _mix(bits):
    with np.errstate(over="ignore"):
        bits = (bits ^ (bits >> np.uint64(30))) * _MIX_1
        bits = (bits ^ (bits >> np.uint64(27))) * _MIX_2
    return bits ^ (bits >> np.uint64(31))
