"""What is published about the ten domains of the Visual Decathlon.

Sources: Rebuffi, Bilen, Vedaldi, "Learning multiple visual domains with
residual adapters", NIPS 2017 (the benchmark); sizes from the challenge's
annotation files; pixel statistics and the flip rule as used by the authors'
released code for "Efficient parametrization of multi-domain deep neural
networks", CVPR 2018.
"""

import warnings
from dataclasses import dataclass

from keras_mdl.domains import require_domain

TFDS_NAME = "visual_domain_decathlon"


@dataclass(frozen=True)
class DecathlonFacts:
    """What is published about one domain of the decathlon.

    Args:
        key: Name in the challenge and in TFDS.
        challenge_id: 1 to 10, alphabetical.
        num_classes: Number of classes.
        sizes: Images in `(train, validation, test)`.
        mean: Per-channel mean (R, G, B), 0 = black and 1 = white.
        std: Per-channel standard deviation, in the same units.
        flip: Whether images may be mirrored.
    """

    key: str
    challenge_id: int
    num_classes: int
    sizes: tuple
    mean: tuple
    std: tuple
    flip: bool


_GREY_PEDESTRIANS = ((0.482035,) * 3, (0.236126,) * 3)

_TABLE = (
    DecathlonFacts(
        "aircraft", 1, 100, (3334, 3333, 3333),
        (0.479830, 0.510741, 0.534380), (0.210702, 0.205089, 0.237297),
        True,
    ),
    DecathlonFacts(
        "cifar100", 2, 100, (40000, 10000, 10000),
        (0.507059, 0.486667, 0.440784), (0.267451, 0.256471, 0.276078),
        True,
    ),
    DecathlonFacts(
        "daimlerpedcls", 3, 2, (23520, 5880, 19600),
        *_GREY_PEDESTRIANS, True,
    ),
    DecathlonFacts(
        "dtd", 4, 47, (1880, 1880, 1880),
        (0.526965, 0.470252, 0.423967), (0.252269, 0.240918, 0.249941),
        True,
    ),
    DecathlonFacts(
        "gtsrb", 5, 43, (31367, 7842, 12630),
        (0.339213, 0.311784, 0.320470), (0.275603, 0.265761, 0.270899),
        False,
    ),
    DecathlonFacts(
        "imagenet12", 6, 1000, (1232167, 49000, 48238),
        (0.485, 0.456, 0.406), (0.229, 0.224, 0.225),
        True,
    ),
    DecathlonFacts(
        "omniglot", 7, 1623, (17853, 6492, 8115),
        (0.080998,) * 3, (0.270469,) * 3,
        False,
    ),
    DecathlonFacts(
        "svhn", 8, 10, (47217, 26040, 26032),
        (0.437682, 0.443770, 0.472804), (0.198030, 0.201016, 0.197036),
        False,
    ),
    DecathlonFacts(
        "ucf101", 9, 101, (7585, 1952, 3783),
        (0.499531, 0.498804, 0.499820), (0.108987, 0.108102, 0.106799),
        True,
    ),
    DecathlonFacts(
        "vgg-flowers", 10, 102, (1020, 1020, 6149),
        (0.434147, 0.383099, 0.297148), (0.285098, 0.238423, 0.263963),
        True,
    ),
)  # fmt: skip

_BY_KEY = {facts.key: facts for facts in _TABLE}


def names():
    """The ten keys, in challenge order."""
    return tuple(_BY_KEY)


def facts(name):
    """The `DecathlonFacts` of one domain.

    Raises:
        ValueError: If `name` is none of the ten keys.
    """
    return _BY_KEY[require_domain(name, _BY_KEY)]


def check(name: str, num_classes: int, sizes: dict[str, int]) -> None:
    """Compares data on disk with the table.

    Args:
        name: One of `names()`.
        num_classes: Number of classes found.
        sizes: Mapping from split names to sizes found.

    Raises:
        ValueError: For another number of classes: its labels mean something
            else. Other sizes (a subset, say) only warn.
    """
    expected = facts(name)
    if num_classes != expected.num_classes:
        raise ValueError(
            f"Decathlon domain {name!r} has {expected.num_classes} classes. "
            f"Received: {num_classes} classes"
        )
    known = dict(
        zip(("train", "validation", "test"), expected.sizes, strict=True)
    )
    wrong = {s: n for s, n in sizes.items() if known.get(s, n) != n}
    if wrong:
        warnings.warn(
            f"Decathlon domain {name!r}: split sizes differ from the "
            f"published {known}, so results are not comparable with "
            f"published ones. Received: {wrong}",
            stacklevel=4,
        )
