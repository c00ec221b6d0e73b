"""Masks of Piggyback in a domain's file: one bit a weight, or two."""

import math

import keras
import numpy as np

from keras_mdl.layers.adapters.piggyback import MASK, START, THRESHOLD

_KEPT, _NEGATIVE = ".kept", ".negative"


def hardened(path, value, ternary):
    """A mask's real numbers as those that matter; others as they are.

    A mask works through `m > 0.5` (ternary: and `m < 0`) alone. Only this is
    stored.
    """
    if not path.endswith("/" + MASK):
        return value
    value = keras.ops.convert_to_numpy(value)
    signs = (value > THRESHOLD).astype(value.dtype)
    if ternary:
        signs -= value < 0
    return (START * signs).astype(value.dtype)


def packed(tensors):
    """`(tensors, shapes)`: hardened masks replaced by their bits.

    Args:
        tensors: `{path: array}`.

    Returns:
        The tensors with `path.kept` (bits) and, if any weight is negated,
        `path.negative` instead of each mask, and `{path: shape}` of the masks.
    """
    found, shapes = {}, {}
    for path, value in tensors.items():
        if not path.endswith("/" + MASK):
            found[path] = value
            continue
        shapes[path] = list(value.shape)
        found[path + _KEPT] = np.packbits(value != 0)
        if (value < 0).any():
            found[path + _NEGATIVE] = np.packbits(value < 0)
    return found, shapes


def unpacked(tensors, shapes):
    """The reverse of `packed`.

    Raises:
        ValueError: If the bits are missing or do not fit the shapes.
    """
    found = dict(tensors)
    for path, shape in shapes.items():
        size = math.prod(shape)
        signs = _bits(found, path + _KEPT, size).astype("float32")
        if path + _NEGATIVE in found:
            signs -= 2 * _bits(found, path + _NEGATIVE, size)
        found[path] = (START * signs).astype("float32").reshape(shape)
    return found


def _bits(tensors, key, size):
    packed = tensors.pop(key, None)
    if (
        packed is None
        or packed.dtype != np.uint8
        or (packed.shape != (-(-size // 8),))
    ):
        raise ValueError(f"the mask {key!r} is missing or of another size")
    return np.unpackbits(packed, count=size)
