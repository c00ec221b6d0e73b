"""`DrawnProbe`: pictures with exact masks of every concept; needs no files."""

import functools

import numpy as np

from keras_mdl.analysis.probes.canvas import COLOURS, TEXTURES, Canvas
from keras_mdl.analysis.probes.probe import Concept, Labels

_TEXTURED = 0.3  # of the surfaces that may be


def _box(x0, y0, x1, y1):
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def _disc(x, y, rx, ry=None):
    angle = np.linspace(0, 2 * np.pi, 25)[:-1]
    ry = rx if ry is None else ry
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=-1)


_ANY = tuple(COLOURS)
_PETALS = [
    ("petal", _disc(0.45 * np.cos(a), -0.3 + 0.45 * np.sin(a), 0.27), None)
    for a in np.arange(6) * np.pi / 3
]
# Parts in painting order: name, corners in [-1, 1], colours (`None`: one
# colour of any kind for all of these parts of the object).
OBJECTS = {
    "house": [
        ("wall", _box(-0.8, -0.1, 0.8, 0.95), None),
        ("roof", [(-1, -0.1), (0, -0.95), (1, -0.1)], ("red", "brown", "grey")),
        ("door", _box(-0.18, 0.35, 0.18, 0.95), ("brown", "green", "blue")),
        ("window", _box(-0.65, 0.1, -0.32, 0.45), ("black", "white", "yellow")),
        ("window", _box(0.32, 0.1, 0.65, 0.45), ("black", "white", "yellow")),
    ],
    "tree": [
        ("trunk", _box(-0.14, 0.1, 0.14, 0.98), ("brown", "black")),
        ("crown", _disc(0, -0.3, 0.68), ("green", "orange", "yellow")),
    ],
    "car": [
        ("body", _box(-0.98, -0.05, 0.98, 0.45), None),
        ("body", [(-0.6, 0), (-0.4, -0.5), (0.4, -0.5), (0.7, 0)], None),
        ("window", _box(-0.38, -0.38, 0.34, -0.05), ("black", "white", "blue")),
        ("wheel", _disc(-0.55, 0.45, 0.27), ("black", "grey")),
        ("wheel", _disc(0.55, 0.45, 0.27), ("black", "grey")),
    ],
    "boat": [
        ("mast", _box(-0.05, -0.95, 0.05, 0.4), ("brown", "black", "white")),
        ("sail", [(0.1, -0.9), (0.85, 0.25), (0.1, 0.25)], None),
        ("hull", [(-0.95, 0.4), (0.95, 0.4), (0.6, 0.9), (-0.6, 0.9)], None),
    ],
    "face": [
        ("hair", _disc(0, -0.2, 0.82), ("black", "brown", "yellow")),
        ("skin", _disc(0, 0.1, 0.7, 0.85), ("pink", "brown")),
        ("eye", _disc(-0.27, -0.1, 0.11), ("blue", "green", "white")),
        ("eye", _disc(0.27, -0.1, 0.11), ("blue", "green", "white")),
        ("mouth", _disc(0, 0.55, 0.3, 0.11), ("red",)),
    ],
    "flower": [
        ("stem", _box(-0.06, 0, 0.06, 0.98), ("green",)),
        *_PETALS,
        ("centre", _disc(0, -0.3, 0.25), ("yellow", "brown")),
    ],
    "fish": [
        ("tail", [(0.5, 0), (0.98, -0.5), (0.98, 0.5)], None),
        ("scales", _disc(-0.15, 0, 0.75, 0.45), None),
        ("fin", [(-0.3, -0.4), (0.2, -0.85), (0.3, -0.3)], None),
        ("eye", _disc(-0.6, -0.08, 0.1), ("black", "white")),
    ],
}
SKIES = {
    "clear": ("sky blue", "blue"),
    "overcast": ("silver", "grey"),
    "night": ("black", "navy"),
    "sunset": ("orange", "pink"),
}
# Bands under the sky: how high each is, and its colours.
PLACES = {
    "coast": [(0.3, ("teal", "cyan")), (0.2, ("beige",))],
    "desert": [(0.5, ("tan", "yellow"))],
    "field": [(0.5, ("olive", "lime"))],
    "forest": [(0.7, ("dark green",))],
    "meadow": [(0.4, ("green", "lime"))],
    "snowfield": [(0.5, ("white",))],
    "street": [(0.4, ("maroon", "tan", "purple")), (0.3, ("grey", "black"))],
}
SCENES = [f"{sky} {place}" for sky in SKIES for place in PLACES]


class DrawnProbe:
    """Scenes with objects of several parts, colours and textures.

    Every stroke paints the picture and the label maps, without antialiasing:
    the masks are exact, so a unit that detects a concept perfectly has an IoU
    of 1. There are many colours and scenes on purpose: a mask of 0.5 % of all
    pixels cannot reach an IoU of 0.04 with a concept that covers an eighth of
    them. The pictures are of flat colours and say what a network sees in such
    drawings: for photographs take `Broden`. Image `i` depends on `seed` and
    `i` alone and is drawn when it is asked for.

    Args:
        images: How many.
        size: Side in pixels, of the pictures and their label maps.
        seed: Of what is drawn.

    Raises:
        ValueError: For less than an image, or less than 32 pixels.
    """

    name = "embedded"
    categories = ("color", "texture", "part", "object", "scene")

    def __init__(
        self, images: int = 1000, size: int = 112, seed: int = 0
    ) -> None:
        if images < 1 or size < 32:
            raise ValueError(
                "`images` must be 1 or more and `size` 32 or more. "
                f"Received: images={images}, size={size}"
            )
        self._images, self._size, self._seed = images, size, seed
        # A picture and its labels are asked for one after the other.
        self._draw = functools.lru_cache(64)(self._draw)
        parts = [part[0] for o in OBJECTS.values() for part in o]
        names = {
            "color": COLOURS, "texture": TEXTURES, "part": parts,
            "object": OBJECTS, "scene": SCENES,
        }  # fmt: skip
        self.concepts = tuple(
            Concept(name, category)
            for category in self.categories
            for name in dict.fromkeys(names[category])
        )
        self._number = {
            (c.category, c.name): n for n, c in enumerate(self.concepts, 1)
        }

    def __len__(self):
        return self._images

    def image(self, index: int) -> np.ndarray:
        """uint8 `(size, size, 3)`."""
        return self._draw(index)[0].pixels

    def labels(self, index: int) -> Labels:
        """`Labels`: a map for each category, and the scene as one label."""
        canvas, scene = self._draw(index)
        maps = {category: [m] for category, m in canvas.maps.items()}
        maps["scene"] = [self._number["scene", scene]]
        return Labels((self._size, self._size), maps)

    def _draw(self, index):
        rng = np.random.default_rng([self._seed, index])
        canvas = Canvas(self._size, self._number, rng)
        sky, place = (str(rng.choice(list(k))) for k in (SKIES, PLACES))
        top = 1 - sum(high for high, _ in PLACES[place])
        top += rng.uniform(-0.1, 0.1)
        self._surface(canvas, _box(0, 0, 1, top), SKIES[sky], rng)
        for high, colours in PLACES[place]:
            self._surface(canvas, _box(0, top, 1, 1), colours, rng)
            top += high
        if rng.random() < 0.5:  # a cloth that is no object
            self._surface(
                canvas, _placed(_box(-1, -1, 1, 1), rng, 0.25), _ANY, rng,
                textured=1,
            )  # fmt: skip
        for _ in range(rng.integers(1, 4)):
            name = str(rng.choice(list(OBJECTS)))
            put = _placement(rng, 0.28)
            own = [str(rng.choice(_ANY))]
            for part, outline, colours in OBJECTS[name]:
                self._surface(
                    canvas, put(outline), colours or own, rng, name, part
                )
        return canvas, f"{sky} {place}"

    @staticmethod
    def _surface(
        canvas, outline, colours, rng, thing=None, part=None, textured=_TEXTURED
    ):
        colour = str(rng.choice(colours))
        texture = second = None
        if rng.random() < textured:
            texture = str(rng.choice(list(TEXTURES)))
            second = str(rng.choice([c for c in COLOURS if c != colour]))
        canvas.paint(outline, colour, texture, second, object=thing, part=part)


def _placement(rng, largest):
    """A function that turns, scales and moves outlines in [-1, 1]."""
    scale = rng.uniform(0.5, 1) * largest
    angle = rng.uniform(-0.2, 0.2)
    turn = np.array(
        [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    )
    mirror = [rng.choice([-1, 1]), 1]
    centre = rng.uniform(scale, 1 - scale, 2)
    return lambda outline: np.asarray(outline) * mirror @ turn * scale + centre


def _placed(outline, rng, largest):
    return _placement(rng, largest)(outline)
