"""What training does to an image at random, as functions of given draws.

Draws are numbers in `[0, 1)`, one set per image, so that every function here
is pure. Pillow does the work where it has the operation.

Sources: RandAugment, Cubuk et al., 2020 (operations and ranges as in
torchvision); random erasing, Zhong et al., 2020; mixup, Zhang et al., 2018;
cutmix, Yun et al., 2019; crops by area, Szegedy et al., 2015.
"""

from functools import cache

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

MOST_OPERATIONS = 4
# The names of an image's draws. New ones go to the end: their order decides
# what an epoch looks like.
DRAWS = (
    "row", "column", "flip", "contrast", "brightness", "saturation",
    "area", "aspect", "erase", "erase_area", "erase_aspect", "erase_row",
    "erase_column", "mix", "mix_part", "mix_row", "mix_column",
    *(f"{what}{i}" for i in range(MOST_OPERATIONS) for what in ("op", "sign")),
    "plain",
)  # fmt: skip


def room(image, size, padding=0):
    """How far a crop can move, in pixels `(down, right)`.

    Raises:
        ValueError: If the crop is larger than the (padded) image.
    """
    rest = tuple(
        n + 2 * padding - s for n, s in zip(image.shape[:2], size, strict=True)
    )
    if min(rest) < 0:
        raise ValueError(
            "An image is smaller than the crop: give a `resize` of at least "
            f"{max(size)}. Received: image of {image.shape[:2]}, "
            f"crop={tuple(size)} (height, width)"
        )
    return rest


def crop(image, size, padding, mode, draw):
    """A crop at a random position of the padded image."""
    if size is None:
        return image
    down, right = room(image, size, padding)
    top = int(draw["row"] * (down + 1))
    left = int(draw["column"] * (right + 1))
    if padding:
        mode = {"zero": "constant"}.get(mode, mode)
        around = (padding, padding)
        image = np.pad(image, (around, around, (0, 0)), mode)
    return image[top : top + size[0], left : left + size[1]]


def area_box(image, area, draw):
    """Left, top, right, bottom of a random area and aspect (3:4 to 4:3)."""
    height, width = image.shape[:2]
    low, high = area
    part = height * width * (low + (high - low) * draw["area"])
    aspect = (4 / 3) ** (2 * draw["aspect"] - 1)
    wide = min(max(round((part * aspect) ** 0.5), 1), width)
    high = min(max(round((part / aspect) ** 0.5), 1), height)
    left = int(draw["column"] * (width - wide + 1))
    top = int(draw["row"] * (height - high + 1))
    return left, top, left + wide, top + high


def rand_augment(image, operations, magnitude, draw):
    """`operations` random operations of one magnitude, 0 to 10."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    known = _operations()
    for i in range(operations):
        operation = known[int(draw[f"op{i}"] * len(known))]
        sign = 1 if draw[f"sign{i}"] < 0.5 else -1
        picture = operation(picture, magnitude / 10, sign)
    return np.asarray(picture)


def values(images, labels, draws, p):
    """Contrast, brightness, saturation, erasing, mixup and cutmix.

    Args:
        images: uint8 batch `(b, h, w, 3)`.
        labels: Labels; one-hot `(b, classes)` if images are mixed.
        draws: A mapping per image.
        p: The `Preprocess`.

    Returns:
        Images, as float32 if anything was changed, and labels.
    """

    def column(name):
        return np.float32([d[name] for d in draws])[:, None, None, None]

    def factor(name):
        return 1 + getattr(p, name) * (2 * column(name) - 1)

    if p.contrast or p.brightness or p.saturation:
        images = images.astype(np.float32)
        mean = images.mean(axis=(1, 2, 3), keepdims=True)
        contrast = factor("contrast")
        images *= contrast
        images += mean * (1 - contrast) + 255 * (factor("brightness") - 1)
        if p.saturation:
            grey = images @ np.float32([0.299, 0.587, 0.114])
            saturation = factor("saturation")
            images *= saturation
            images += grey[..., None] * (1 - saturation)
        np.clip(images, 0, 255, out=images)
    if p.erase:
        images = images.copy()
        for image, draw in zip(images, draws, strict=True):
            if draw["erase"] < p.erase:
                image[_erased(image, draw)] = image.mean(axis=(0, 1))
    if p.mixes:
        return _mixed(images, labels, draws, p)
    return images, labels


def _erased(image, draw):
    """A box of 2 to 33 per cent of the area, aspect 3:10 to 10:3."""
    area = 0.02 + 0.31 * draw["erase_area"]
    aspect = (10 / 3) ** (2 * draw["erase_aspect"] - 1)
    return _box(
        image, (area / aspect) ** 0.5, (area * aspect) ** 0.5, draw, "erase"
    )


def _box(image, high, wide, draw, name):
    """Slices of a box whose sides are given as parts of the image's."""
    result = []
    for part, size, axis in zip(
        (high, wide), image.shape[:2], ("row", "column"), strict=True
    ):
        side = min(round(part * size), size)
        low = int(draw[f"{name}_{axis}"] * (size - side + 1))
        result.append(slice(low, low + side))
    return tuple(result)


def _mixed(images, labels, draws, p):
    """Each image with the one before it in the (shuffled) batch."""
    from scipy.special import betaincinv

    images = images.astype(np.float32)
    others = np.roll(images, 1, axis=0)
    kept = np.ones(len(images), np.float32)
    for i, draw in enumerate(draws):
        cut = bool(p.cutmix) and (not p.mixup or draw["mix"] < 0.5)
        alpha = p.cutmix if cut else p.mixup
        kept[i] = betaincinv(alpha, alpha, draw["mix_part"])
        if cut:
            side = (1 - kept[i]) ** 0.5
            box = _box(images[i], side, side, draw, "mix")
            images[i][box] = others[i][box]
            pixels = images.shape[1] * images.shape[2]
            kept[i] = 1 - others[i][box].size / 3 / pixels
        else:
            images[i] = kept[i] * images[i] + (1 - kept[i]) * others[i]
    if labels is not None:
        kept = kept[:, None]
        labels = kept * labels + (1 - kept) * np.roll(labels, 1, axis=0)
    return images, labels


@cache
def _operations():
    """Functions of a picture, a magnitude in [0, 1] and a sign."""

    def enhanced(kind):
        return lambda image, m, sign: kind(image).enhance(1 + 0.9 * m * sign)

    def affine(matrix):
        def apply(image, m, sign):
            return image.transform(
                image.size,
                Image.Transform.AFFINE,
                matrix(m * sign, *image.size),
                Image.Resampling.BILINEAR,
            )

        return apply

    # Shears and shifts up to 0.3 and 0.45 of the side, turns to 30 degrees.
    return (
        lambda image, m, sign: image,
        affine(lambda m, w, h: (1, 0.3 * m, 0, 0, 1, 0)),
        affine(lambda m, w, h: (1, 0, 0, 0.3 * m, 1, 0)),
        affine(lambda m, w, h: (1, 0, 0.45 * m * w, 0, 1, 0)),
        affine(lambda m, w, h: (1, 0, 0, 0, 1, 0.45 * m * h)),
        lambda image, m, sign: image.rotate(
            30 * m * sign, Image.Resampling.BILINEAR
        ),
        enhanced(ImageEnhance.Brightness),
        enhanced(ImageEnhance.Color),
        enhanced(ImageEnhance.Contrast),
        enhanced(ImageEnhance.Sharpness),
        lambda image, m, sign: ImageOps.posterize(image, 8 - round(4 * m)),
        lambda image, m, sign: ImageOps.solarize(image, round(256 * (1 - m))),
        lambda image, m, sign: ImageOps.autocontrast(image),
        lambda image, m, sign: ImageOps.equalize(image),
    )
