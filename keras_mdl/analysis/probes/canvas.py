"""`Canvas`: paints a picture and, with the same strokes, its label maps."""

import numpy as np
from PIL import Image, ImageDraw

# Paints, apart from each other by more than twice `_SHADE` in some channel: no
# name reaches into another's.
COLOURS = {
    "beige": (235, 215, 175),
    "black": (20, 20, 20),
    "blue": (35, 75, 205),
    "brown": (120, 75, 35),
    "cyan": (70, 220, 230),
    "dark green": (10, 80, 30),
    "green": (40, 150, 55),
    "grey": (128, 128, 128),
    "lime": (160, 230, 40),
    "magenta": (225, 40, 190),
    "maroon": (115, 15, 35),
    "navy": (20, 25, 100),
    "olive": (125, 125, 25),
    "orange": (240, 140, 20),
    "pink": (250, 160, 195),
    "purple": (125, 45, 150),
    "red": (215, 30, 35),
    "silver": (190, 190, 195),
    "sky blue": (135, 190, 240),
    "tan": (200, 160, 105),
    "teal": (15, 125, 125),
    "white": (240, 240, 240),
    "yellow": (245, 225, 50),
}
_SHADE = 14
# Where a surface has its second colour; u and v in periods.
TEXTURES = {
    "bricked": lambda u, v: ((u + (v // 1 % 2) / 2) % 1 < 0.15) | (v % 1 < 0.2),
    "chequered": lambda u, v: (u % 1 < 0.5) ^ (v % 1 < 0.5),
    "dotted": lambda u, v: (u % 1 - 0.5) ** 2 + (v % 1 - 0.5) ** 2 < 0.1,
    "grid": lambda u, v: (u % 1 < 0.25) | (v % 1 < 0.25),
    "ringed": lambda u, v: np.hypot(u - u.mean(), v - v.mean()) % 1 < 0.5,
    "striped": lambda u, v: u % 1 < 0.5,
    "wavy": lambda u, v: (u + np.sin(2 * np.pi * v) / 4) % 1 < 0.5,
    "zigzag": lambda u, v: (u + np.abs(v % 1 - 0.5)) % 1 < 0.5,
}
CATEGORIES = ("color", "texture", "part", "object")


class Canvas:
    """A picture of flat colours, and which concept is at each pixel.

    Args:
        size: Side in pixels.
        number: `{(category, name): label}`.
        rng: A NumPy random generator.
    """

    def __init__(self, size, number, rng):
        self.pixels = np.zeros((size, size, 3), np.uint8)
        self.maps = {c: np.zeros((size, size), np.int32) for c in CATEGORIES}
        self._number, self._rng = number, rng
        self._down, self._across = np.mgrid[:size, :size] / size

    def paint(self, outline, colour, texture=None, second=None, **names):
        """Fills a polygon; what was there is covered, in all maps.

        Args:
            outline: Corners `(n, 2)`, x and y in [0, 1] of the canvas.
            colour: Key of `COLOURS`.
            texture: Key of `TEXTURES`.
            second: Colour of the pattern.
            **names: `object=` and `part=` of what is painted.
        """
        region = self._inside(outline)
        self._fill(region, colour)
        if texture is not None:
            self._fill(region & self._pattern(texture), second)
        for category in ("texture", "part", "object"):
            name = texture if category == "texture" else names.get(category)
            label = self._number[category, name] if name else 0
            self.maps[category][region] = label

    def _fill(self, region, colour):
        shade = self._rng.integers(-_SHADE, _SHADE + 1, 3)
        self.pixels[region] = np.clip(np.add(COLOURS[colour], shade), 0, 255)
        self.maps["color"][region] = self._number["color", colour]

    def _inside(self, outline):
        size = len(self.pixels)
        picture = Image.new("1", (size, size))
        corners = [tuple(c) for c in np.asarray(outline) * size - 0.5]
        ImageDraw.Draw(picture).polygon(corners, fill=1)
        return np.asarray(picture)

    def _pattern(self, texture):
        angle = self._rng.uniform(0, np.pi)
        periods = self._rng.uniform(8, 16)
        c, s = np.cos(angle) * periods, np.sin(angle) * periods
        u = self._across * c + self._down * s + self._rng.random()
        v = self._down * c - self._across * s + self._rng.random()
        return TEXTURES[texture](u, v)
