"""Drawn shapes with surfaces: the varied base domain, in ImageNet's part."""

import numpy as np

from keras_mdl.data.arrays import from_arrays
from keras_mdl.data.embedded.outlines import OUTLINES

SURFACES = ("plain", "striped", "checked", "dotted")
CLASSES = tuple(f"{s}-{f}" for f in OUTLINES for s in SURFACES)
_PER_CLASS = {"train": 170, "validation": 28}

_PROVENANCE = (
    "Drawn by this package: 9 shapes x 4 surfaces in random colour, size, "
    "angle, light and background, with blur, noise and occlusion. Split: "
    "drawn independently."
)


def make(size, seed):
    """Shapes such as "striped-star" before a busy background."""
    splits = {}
    for number, (split, count) in enumerate(_PER_CLASS.items()):
        rng = np.random.default_rng([seed, 5, number])
        labels = np.repeat(np.arange(len(CLASSES)), count)
        images = [
            _draw(outline, count * len(SURFACES), size, rng)
            for outline in OUTLINES.values()
        ]
        splits[split] = (np.concatenate(images), labels)
    return from_arrays("shapes", splits, CLASSES, True, provenance=_PROVENANCE)


def _draw(outline, count, size, rng):
    """`count` images of one shape, a quarter for each surface, in order."""
    surface = np.repeat(np.arange(len(SURFACES)), count // len(SURFACES))
    x, y = _grid(size)
    image = _background(count, size, rng)
    # Where the shape is, how large, and how it is turned. `pixel` is the size
    # of one pixel in the shape's own coordinates.
    scale = _column(rng.uniform(0.55, 0.9, count))
    angle = _column(rng.uniform(0, 2 * np.pi, count))
    shift = (1 - scale) * 0.9
    across = x - shift * _column(rng.uniform(-1, 1, count))
    down = y - shift * _column(rng.uniform(-1, 1, count))
    stretch = _column(rng.uniform(0.85, 1.18, count))
    u = (across * np.cos(angle) + down * np.sin(angle)) / scale * stretch
    v = (down * np.cos(angle) - across * np.sin(angle)) / scale / stretch
    pixel = 2.0 / size / scale
    mask = np.clip(0.5 - outline(u, v) / pixel, 0, 1)
    # Colours: two for the surface, apart from each other and the ground.
    ground = image.mean(axis=(1, 2))
    first = _apart(ground, 70, rng)
    second = _apart(first, 95, rng)
    pattern = _pattern(surface, size, rng)[..., None]
    first, second = first[:, None, None], second[:, None, None]
    light = 1 + 0.35 * _slope(count, size, rng)[..., None]
    paint = (first + (second - first) * pattern) * light
    image = image + (paint - image) * mask[..., None]
    return _photographed(image, rng)


def _background(count, size, rng):
    """Graded colours under one of: nothing, clouds, stripes, clutter."""
    ends = rng.uniform(0, 255, (2, count, 1, 1, 3)).astype(np.float32)
    ramp = 0.5 + 0.5 * _slope(count, size, rng)[..., None]
    image = ends[0] + (ends[1] - ends[0]) * ramp * rng.uniform(
        0, 1, (count, 1, 1, 1)
    ).astype(np.float32)
    kind = rng.integers(0, 4, count)
    strength = rng.uniform(5, 35, (count, 1, 1)).astype(np.float32)
    clouds = _smooth(rng.normal(0, 1, (count, size, size)), size / 10)
    clouds /= clouds.std(axis=(1, 2), keepdims=True)
    stripes = np.sin(_phase(count, size, rng, 3, 12))
    clutter = np.sign(_smooth(rng.normal(0, 1, (count, size, size)), size / 20))
    texture = np.choose(
        _column(kind), [np.zeros_like(clouds), clouds, stripes, clutter]
    )
    return image + (strength * texture)[..., None]


def _pattern(surface, size, rng):
    """Surface of each image, 0 to 1: plain, stripes, checks or dots."""
    count = len(surface)
    along = _phase(count, size, rng, 4.0, 7.5, return_pair=True)
    stripes = _sharp(np.sin(along[0]))
    checks = _sharp(np.sin(along[0] * 0.75) * np.sin(along[1] * 0.75))
    dots = _sharp(np.sin(along[0]) + np.sin(along[1]) - 0.7)
    plain = np.zeros_like(stripes)
    return np.choose(_column(surface), [plain, stripes, checks, dots])


def _photographed(image, rng):
    """Occlusion by a bar, blur, noise; as uint8."""
    count, size = image.shape[:2]
    x, y = _grid(size)
    angle = _column(rng.uniform(0, np.pi, count))
    place = _column(rng.uniform(-0.6, 0.6, count))
    distance = np.abs(x * np.cos(angle) + y * np.sin(angle) - place)
    width = _column(rng.uniform(0.06, 0.16, count))
    width = width * (_column(rng.random(count)) < 0.3)
    bar = np.clip((width - distance) * size / 2, 0, 1)[..., None]
    colour = rng.uniform(0, 255, (count, 1, 1, 3)).astype(np.float32)
    image = image + (colour - image) * bar
    blurred = np.flatnonzero(rng.random(count) < 0.3)
    image[blurred] = _smooth(image[blurred], 0.8 * size / 32)
    sigma = rng.uniform(0, 14, (count, 1, 1, 1)).astype(np.float32)
    image += sigma * rng.standard_normal(image.shape, np.float32)
    return np.uint8(np.clip(image, 0, 255))


def _grid(size):
    """Pixel centres in [-1, 1], each of shape `(1, size, size)`."""
    line = (np.arange(size, dtype=np.float32) + 0.5) * (2.0 / size) - 1
    return line[None, None, :], line[None, :, None]


def _slope(count, size, rng):
    """A linear ramp at a random angle, within [-1, 1]."""
    x, y = _grid(size)
    angle = _column(rng.uniform(0, 2 * np.pi, count))
    return (x * np.cos(angle) + y * np.sin(angle)) / np.float32(np.sqrt(2))


def _phase(count, size, rng, shortest, longest, return_pair=False):
    """Phase of a wave, radians; periods in pixels of a 32-pixel image."""
    x, y = _grid(size)
    angle = _column(rng.uniform(0, np.pi, count))
    number = 32 * np.pi / _column(rng.uniform(shortest, longest, count))
    first = (x * np.cos(angle) + y * np.sin(angle)) * number
    first = first + _column(rng.uniform(0, 2 * np.pi, count))
    if not return_pair:
        return first
    return first, (y * np.cos(angle) - x * np.sin(angle)) * number


def _sharp(wave):
    """A wave with soft edges between 0 and 1."""
    return np.clip(0.5 + 1.6 * wave, 0, 1)


def _apart(colours, distance, rng):
    """Random colours, each at least `distance` (mean level) from `colours`."""
    result = rng.uniform(0, 255, colours.shape).astype(np.float32)
    while True:
        near = np.abs(result - colours).mean(axis=-1) < distance
        if not near.any():
            return result
        result[near] = rng.uniform(0, 255, (near.sum(), 3))


def _smooth(images, sigma):
    from scipy.ndimage import gaussian_filter1d

    images = np.asarray(images, np.float32)
    for axis in (1, 2):
        images = gaussian_filter1d(images, sigma, axis, mode="reflect")
    return images


def _column(values):
    return np.asarray(values)[:, None, None].astype(
        np.float32 if np.asarray(values).dtype.kind == "f" else int
    )
