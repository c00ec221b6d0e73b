"""Any picture becomes one thing: a uint8 array of shape `(h, w, 3)`."""

from contextlib import suppress

import numpy as np
from PIL import Image, ImageFile, ImageOps

_CHANNELS = (1, 2, 3, 4)
# Formats in which every pixel may be partly transparent.
_ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
# What Pillow registers beside pictures: films, and pages that need a program.
_NO_PICTURES = ("EPS", "MPEG")
# What Pillow raises for a damaged file depends on the format's reader.
READ_ERRORS = (OSError, ValueError, SyntaxError, EOFError, IndexError,
               OverflowError, Image.DecompressionBombError)  # fmt: skip


def extensions() -> set:
    """Extensions of the image files that can be read here, as ".png".

    Pillow's own and those that plugins have registered. `pillow-heif` (for
    `.heic`) is registered here if it is installed.
    """
    with suppress(ImportError):
        from pillow_heif import register_heif_opener

        register_heif_opener()
    found = set()
    for extension, kind in Image.registered_extensions().items():
        reader = Image.OPEN.get(kind, (None,))[0]
        # Stubs know a format by name and cannot read it.
        stub = isinstance(reader, type) and issubclass(
            reader, ImageFile.StubImageFile
        )
        if reader and not stub and kind not in _NO_PICTURES:
            found.add(extension)
    return found


def rgb_from_array(array, what="image"):
    """Converts one image array to RGB uint8.

    The value range follows from the dtype and is never guessed from the
    values: `uint8` is taken as it is, `uint16` is divided by 257, `bool`
    becomes 0 and 255, floats must lie in `[0, 1]` and are multiplied by
    255, other integers must lie in `[0, 255]`.

    Args:
        array: Shape `(h, w)` or `(h, w, c)` with `c` = 1 (grey), 2 (grey and
            alpha), 3 (RGB) or 4 (RGBA). Alpha is composited on white.
        what: Name of the image in error messages.

    Returns:
        uint8 array of shape `(h, w, 3)`, values 0 to 255.

    Raises:
        ValueError: For another shape, an empty image, values outside the
            range or a dtype that holds no pixels.
    """
    return _rgb(array, 3, what, "(height, width, channels)")


def rgb_from_arrays(images, what="images"):
    """Converts a stack of images to RGB uint8, like `rgb_from_array`.

    Args:
        images: Shape `(n, h, w)` or `(n, h, w, c)`.
        what: Name of the stack in error messages.

    Returns:
        uint8 array of shape `(n, h, w, 3)`.
    """
    return _rgb(images, 4, what, "(n, height, width, channels)")


def _rgb(array, rank, what, shape):
    array = np.asarray(array)
    if array.ndim == rank - 1:
        array = array[..., None]
    if array.ndim != rank or array.shape[-1] not in _CHANNELS:
        raise ValueError(
            f"{what} must have shape {shape}, channels last, with 1, 3 or 4 "
            f"of them, or none for grey. Received: shape={array.shape}"
        )
    if not array.size:
        raise ValueError(f"{what} is empty. Received: shape={array.shape}")
    return _to_rgb(_to_uint8(array, what))


def rgb_from_file(file):
    """Decodes an image file to RGB uint8 with Pillow.

    EXIF orientation is applied, transparency is composited on white, 16-bit
    grey is scaled to 8 bits, of an animation the first frame is taken.

    Args:
        file: Path or binary file object.

    Returns:
        uint8 array of shape `(h, w, 3)`.

    Raises:
        OSError, ValueError, SyntaxError: If the file is empty, truncated or
            not an image.
    """
    with Image.open(file) as image:
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        return _rgb_from_pil(image)


def _rgb_from_pil(image):
    if image.mode.startswith("I;16"):
        return rgb_from_array(np.asarray(image).astype(np.uint16))
    if image.mode in ("I", "F"):
        return _rgb_from_wide(np.asarray(image))
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        return rgb_from_array(np.asarray(image.convert("RGBA")))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _rgb_from_wide(array):
    """32-bit grey has no agreed range: the smallest usual one that fits."""
    low, high = float(array.min()), float(array.max())
    if low < 0 or not high <= 65535:
        raise ValueError(
            "32-bit pixels must lie in [0, 1], [0, 255] or [0, 65535]. "
            f"Received: values in [{low:g}, {high:g}]"
        )
    if array.dtype.kind == "f" and high <= 1:
        return rgb_from_array(array)
    scale = 1.0 if high <= 255 else 257.0
    return rgb_from_array(np.rint(array / scale).astype(np.uint8))


def _to_uint8(array, what):
    kind = array.dtype.kind
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.uint16:
        return np.rint(array / 257.0).astype(np.uint8)
    if kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if kind not in "fiu":
        raise ValueError(
            f"{what} must hold numbers. Received: dtype={array.dtype}"
        )
    low, high = float(array.min()), float(array.max())
    limit = 1 if kind == "f" else 255
    # Written so that NaN fails as well; resampled floats may overshoot.
    if not (low >= -1e-3 and high <= limit + 1e-3):
        raise ValueError(
            f"{what} of dtype {array.dtype} must have values in [0, {limit}] "
            "(convert to uint8 for pixels in [0, 255]). "
            f"Received: values in [{low:g}, {high:g}]"
        )
    if kind == "f":
        array = np.rint(np.clip(array, 0, 1) * 255.0)
    return array.astype(np.uint8)


def _to_rgb(array):
    channels = array.shape[-1]
    if channels == 3:
        return np.ascontiguousarray(array)
    if channels == 1:
        return np.repeat(array, 3, axis=-1)
    colour, alpha = array[..., :-1], array[..., -1:].astype(np.float32) / 255
    blend = np.rint(255.0 + (colour - np.float32(255.0)) * alpha)
    return np.broadcast_to(
        blend.astype(np.uint8), (*array.shape[:-1], 3)
    ).copy()
