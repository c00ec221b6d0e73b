"""Masks and heat maps drawn over pictures, in one style."""

import numpy as np

_LINE = np.array([255, 214, 0])  # stays apart from most photographs
_SHADOW = 0.35


def outlined(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A picture that is dark outside of a mask, with a line around it.

    Args:
        pixels: uint8 `(h, w, 3)`.
        mask: Booleans `(h, w)`.
    """
    inner = mask.copy()
    for axis in (0, 1):
        for step in (-1, 1):
            inner &= np.roll(mask, step, axis)
    shown = np.where(mask[..., None], pixels, pixels * _SHADOW)
    shown[mask & ~inner] = _LINE
    return shown.astype(np.uint8)


def heated(
    pixels: np.ndarray, heat: np.ndarray, strength: float = 0.75
) -> np.ndarray:
    """A picture with a heat map over it, opaque where it is hot.

    Args:
        pixels: uint8 `(h, w, 3)`.
        heat: Numbers in [0, 1], `(h, w)`.
        strength: Opacity of the hottest place.
    """
    from matplotlib import colormaps

    colour = 255 * colormaps["inferno"](heat)[..., :3]
    opacity = strength * np.clip(heat, 0, 1)[..., None]
    grey = pixels.mean(axis=-1, keepdims=True) * 0.6 + pixels * 0.4
    return (grey * (1 - opacity) + colour * opacity).astype(np.uint8)
