"""Printed characters in many fonts, from matplotlib."""

from functools import cache
from pathlib import Path

import numpy as np

from keras_mdl.data.arrays import from_arrays

# Without O/0 and I/1, which some of the fonts draw alike.
CLASSES = tuple("ABCDEFGHJKLMNPQRSTUVWXYZ23456789")
FONTS = {
    "train": (
        *(f"DejaVuSans{style}" for style in ("", "-Oblique", "-BoldOblique")),
        *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique")),
        *(f"DejaVuSerif{style}" for style in ("", "-Bold")),
        *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic")),
        *("cmr10", "cmss10", "cmti10"),
    ),
    "validation": (
        *("DejaVuSans-Bold", "DejaVuSansMono-BoldOblique"),
        *("DejaVuSerif-Italic", "STIXGeneralBolIta"),
        *("cmb10", "cmtt10"),
    ),
}
_PER_CLASS = {"train": 80, "validation": 18}

_PROVENANCE = (
    "Letters and digits in the fonts that matplotlib carries: DejaVu "
    "(Bitstream Vera licence), STIX (SIL Open Font License) and Computer "
    "Modern (BaKoMa licence), drawn in random colour, size, slant and "
    "position. Split: the fonts of validation are not used in training."
)


def make(size, seed):
    """Coloured characters on coloured, graded and noisy grounds."""
    rng = np.random.default_rng([seed, 2])
    splits = {}
    for split, fonts in FONTS.items():
        labels = np.repeat(np.arange(len(CLASSES)), _PER_CLASS[split])
        images = [
            _glyph(CLASSES[label], fonts[i % len(fonts)], size, rng)
            for i, label in enumerate(labels)
        ]
        splits[split] = (np.stack(images), labels)
    return from_arrays("glyphs", splits, CLASSES, provenance=_PROVENANCE)


def _glyph(character, font, size, rng):
    mask = _mask(character, font, size, rng)[..., None]
    ink, paper, other = rng.uniform(0, 255, (3, 3)).astype(np.float32)
    # Keep ink and paper apart in brightness, or the character disappears.
    while abs(float((ink - (paper + other) / 2).mean())) < 75:
        ink = rng.uniform(0, 255, 3).astype(np.float32)
    y, x = np.mgrid[0 : 1 : size * 1j, 0 : 1 : size * 1j].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    ramp = (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle) + 0.5
    ramp = np.clip(ramp, 0, 1)[..., None]
    image = paper + (other - paper) * ramp * rng.uniform(0, 1)
    image = image + (ink - image) * mask
    noise = rng.normal(0, rng.uniform(0, 12), image.shape)
    return np.uint8(np.clip(image + noise, 0, 255))


def _mask(character, font, size, rng):
    """Coverage `(size, size)` in [0, 1]; placed at twice the size."""
    from PIL import Image, ImageDraw

    wide = 2 * size
    upright = Image.new("L", (wide, wide))
    ImageDraw.Draw(upright).text(
        (size, size), character, 255, _font(font, wide * 3 // 4), anchor="mm"
    )
    # The inverse map: from a pixel of the result back to the upright one.
    angle = np.deg2rad(rng.uniform(-18, 18))
    cos, sin = np.array([np.cos(angle), np.sin(angle)]) / rng.uniform(
        0.75, 1.25
    )
    x, y = size * (1 + rng.uniform(-0.15, 0.15, 2))
    across, down = size - cos * x + sin * y, size - sin * x - cos * y
    placed = upright.transform(
        (wide, wide),
        Image.Transform.AFFINE,
        (cos, -sin, across, sin, cos, down),
        Image.Resampling.BICUBIC,
    ).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(placed, np.float32) / 255


@cache
def _font(name, points):
    import matplotlib
    from PIL import ImageFont

    path = Path(matplotlib.get_data_path(), "fonts", "ttf", f"{name}.ttf")
    # The basic layout engine is in every build of Pillow.
    return ImageFont.truetype(
        str(path), points, layout_engine=ImageFont.Layout.BASIC
    )
