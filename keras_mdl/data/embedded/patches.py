"""Patches of real photographs, split by area.

Each photograph is a class, cut into a grid of blocks. Every fourth block is
for validation, and a patch lies within one block, away from its border: no
pixel of a validation patch, nor any within `2 * MARGIN` pixels, occurs in
training.
"""

from pathlib import Path

import numpy as np

from keras_mdl.data.arrays import from_arrays

MARGIN = 2  # pixels of the photograph
_PER_CLASS = {"train": 220, "validation": 50}
_CANDIDATES = 2  # areas looked at per patch; the least uniform one is taken
_SHORT_SIDE = 400  # photographs are reduced to this before patches are cut

PHOTOS = (
    "astronaut.png",
    "camera.png",
    "chelsea.png",
    "china.jpg",
    "coffee.png",
    "flower.jpg",
    "motorcycle_left.png",
    "rocket.jpg",
)
TEXTURES = (
    "brick.png",
    "cell.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "page.png",
    "text.png",
)
_SPLIT = "Split: by area of the photographs, with a margin."
_PHOTOS_FROM = (
    "Patches of photographs carried by scikit-image (CC0 or public domain; "
    "motorcycle: Middlebury stereo data) and scikit-learn (china, flower: CC "
    f"BY 2.0); which photograph is the class. {_SPLIT}"
)
_TEXTURES_FROM = (
    "Grey patches of surfaces, tissue and print carried by scikit-image "
    "(CC0 or public domain), turned at random, under random illumination; "
    f"which picture is the class. {_SPLIT}"
)


def make_photos(size, seed):
    """Coloured patches, upright, of different scale and colour cast."""
    rng = np.random.default_rng([seed, 3])
    return _make("photos", PHOTOS, size, rng, 0, _tinted, _PHOTOS_FROM)


def make_textures(size, seed):
    """Grey patches at all angles under uneven light."""
    rng = np.random.default_rng([seed, 4])
    return _make("textures", TEXTURES, size, rng, 180, _lit, _TEXTURES_FROM)


def boxes(height, width, split, count, rng):
    """Draws the areas that the patches of one photograph are cut from.

    Args:
        height, width: Of the photograph, in pixels.
        split: `"train"` or `"validation"`.
        count: Number of patches.
        rng: `numpy.random.Generator`.

    Returns:
        int64 array `(count, 3)`: top, left and side of square areas, each
        within one block of the split.
    """
    rows, columns = 4, 4
    if width >= 1.8 * height:
        rows, columns = 2, 8
    blocks = [
        (row, column)
        for row in range(rows)
        for column in range(columns)
        if ((row + 2 * column) % 4 == 1) == (split == "validation")
    ]
    high, wide = height // rows, width // columns
    largest = min(high, wide) - 2 * MARGIN
    chosen = np.array(blocks)[np.arange(count) % len(blocks)]
    side = rng.integers(largest // 2, largest + 1, count)
    top = chosen[:, 0] * high + MARGIN
    left = chosen[:, 1] * wide + MARGIN
    top += (rng.random(count) * (high - 2 * MARGIN - side + 1)).astype(int)
    left += (rng.random(count) * (wide - 2 * MARGIN - side + 1)).astype(int)
    return np.stack([top, left, side], axis=-1)


def areas_of(photo, split, count, rng):
    """Like `boxes`, but prefers areas that show something.

    A patch of empty sky belongs to no photograph in particular: of a few
    candidates the one with the largest deviation of grey levels is taken.
    """
    grey = np.asarray(photo.convert("L"), np.float32)
    areas = boxes(*grey.shape, split, count * _CANDIDATES, rng)
    deviation = [
        grey[top : top + side, left : left + side].std()
        for top, left, side in areas
    ]
    groups = np.reshape(deviation, (_CANDIDATES, count))
    return areas[groups.argmax(axis=0) * count + np.arange(count)]


def _make(name, files, size, rng, turn, finish, provenance):
    images = {split: [] for split in _PER_CLASS}
    labels = {split: [] for split in _PER_CLASS}
    for label, file in enumerate(files):
        photo = _photograph(file)
        for split, count in _PER_CLASS.items():
            for area in areas_of(photo, split, count, rng).tolist():
                angle = rng.uniform(-turn, turn) if turn else 0
                patch = _cut(photo, area, size, angle)
                images[split].append(finish(patch, rng))
                labels[split].append(label)
    classes = tuple(Path(f).stem.removesuffix("_left") for f in files)
    splits = {s: (np.stack(images[s]), np.array(labels[s])) for s in images}
    return from_arrays(name, splits, classes, True, provenance=provenance)


def _photograph(file):
    """A `PIL.Image` from the wheel of scikit-image or scikit-learn."""
    import skimage
    import sklearn
    from PIL import Image

    homes = (
        Path(skimage.__file__).parent / "data",
        Path(sklearn.__file__).parent / "datasets" / "images",
    )
    path = next((h / file for h in homes if (h / file).is_file()), None)
    if path is None:
        raise FileNotFoundError(
            f"{file!r} is expected inside the installed packages scikit-image "
            f"or scikit-learn. Looked in: {', '.join(map(str, homes))}"
        )
    with Image.open(path) as opened:
        photo = opened.convert("RGB")
    scale = _SHORT_SIDE / min(photo.size)
    if scale < 1:
        photo = photo.resize(
            tuple(round(s * scale) for s in photo.size),
            Image.Resampling.BILINEAR,
            reducing_gap=2.0,
        )
    return photo


def _cut(photo, area, size, angle):
    """A square of `area`, turned by `angle` degrees, as float32."""
    from PIL import Image

    top, left, side = area
    patch = photo.crop((left, top, left + side, top + side))
    if angle:
        # The largest square that lies within `area` at every angle.
        inner = max(int(side / np.sqrt(2)), 2)
        edge = (side - inner) // 2
        patch = patch.rotate(angle, Image.Resampling.BICUBIC)
        patch = patch.crop((edge, edge, edge + inner, edge + inner))
    patch = patch.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(patch, np.float32)


def _tinted(patch, rng):
    """Random exposure, saturation and colour cast."""
    grey = patch.mean(axis=-1, keepdims=True)
    patch = grey + (patch - grey) * rng.uniform(0.5, 1.15)
    patch = 128 + (patch - 128) * rng.uniform(0.7, 1.2)
    patch = patch * rng.uniform(0.92, 1.08, 3) + rng.uniform(-20, 20)
    return _noisy(patch, rng)


def _lit(patch, rng):
    """Grey, with its contrast stretched or flattened, and a slope of light."""
    grey = patch.mean(axis=-1)
    grey = (grey - grey.mean()) / (grey.std() + 8)
    size = len(grey)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    slope = rng.uniform(-0.6, 0.6, 2)
    grey = grey * rng.uniform(20, 60) + rng.uniform(80, 170)
    grey = grey * (1 + slope[0] * x + slope[1] * y)
    return np.repeat(_noisy(grey, rng)[..., None], 3, axis=-1)


def _noisy(image, rng):
    image = image + rng.normal(0, rng.uniform(0, 12), image.shape)
    return np.uint8(np.clip(image, 0, 255))
