"""The ten domains of the decathlon: names, ids, and the reference accuracies.

The reference is a network fine-tuned fully and separately for each domain:
Rebuffi, Bilen, Vedaldi, "Learning multiple visual domains with residual
adapters", NIPS 2017. A domain earns points below an error of
`E_max = 2 (1 - reference)`, so that the reference earns 250 of 1000.

With `d` = 1 to 10, the alphabetical place of a domain's key, the challenge
numbers

    category id = d * 10,000,000 + 1 + class        (class from 0 on)
    image id    = d * 10,000,000 + 200,000 + place  (place from 1 on, over
                  the images of train, then val, then test)

So the first class of aircraft is 10,000,001, the last of vgg-flowers
100,000,102, and the first test image of aircraft 10,206,668. Source: the
challenge's annotation files; the same in the submission scripts of Rebuffi
et al. (CVPR 2018).
"""

from collections.abc import Iterable
from types import MappingProxyType

from keras_mdl.domains import require_domain

# Key in the challenge, name in the papers' tables, reference accuracy in %.
# In the order of the challenge: alphabetical, which its ids depend on.
_TABLE = (
    ("aircraft", "Airc", 60.34),
    ("cifar100", "C100", 82.12),
    ("daimlerpedcls", "DPed", 92.82),
    ("dtd", "DTD", 55.53),
    ("gtsrb", "GTSR", 97.53),
    ("imagenet12", "ImNet", 59.87),
    ("omniglot", "OGlt", 87.69),
    ("svhn", "SVHN", 96.55),
    ("ucf101", "UCF", 51.20),
    ("vgg-flowers", "Flwr", 81.41),
)

KEYS = tuple(key for key, _, _ in _TABLE)
#: Reference accuracies by key, fractions in [0, 1].
REFERENCE = MappingProxyType({key: value / 100 for key, _, value in _TABLE})
#: Errors (fractions) from which on a domain earns nothing, by key.
E_MAX = MappingProxyType({key: 2 * (1 - r) for key, r in REFERENCE.items()})

STEP = 10_000_000
#: Image ids of a domain lie above this, category ids below.
FIRST_IMAGE = 200_000

_KNOWN = {
    name.lower(): key for key, short, _ in _TABLE for name in (key, short)
}


def key_of(name: str) -> str:
    """The challenge's key of a domain, from its key or its short name.

    Args:
        name: `"vgg-flowers"` or, as in the papers' tables, `"Flwr"`; case
            does not matter.

    Raises:
        ValueError: If `name` is no domain of the decathlon.

    Example:

    >>> key_of("OGlt")
    'omniglot'
    """
    known = [n for key, short, _ in _TABLE for n in (key, short)]
    if not isinstance(name, str) or name.lower() not in _KNOWN:
        require_domain(name, known)
    return _KNOWN[name.lower()]


def recognised(names: Iterable[str]) -> list[str]:
    """Those of `names` that call a domain of the decathlon."""
    return [n for n in names if n.lower() in _KNOWN]


def by_key(pairs: Iterable[tuple]) -> dict:
    """`(name, value)` as a dict by challenge key, in the challenge's order.

    Raises:
        ValueError: For an unknown domain, or one that is there twice, be it
            under two names.
    """
    found = {}
    for name, value in pairs:
        key = key_of(name)
        if key in found:
            raise ValueError(
                f"Domain {key!r} must be given once. Received: "
                f"[{found[key][0]!r}, {name!r}]"
            )
        found[key] = name, value
    return {key: found[key][1] for key in KEYS if key in found}


def missing_domains(found: Iterable[str]) -> list[str]:
    """The keys of the decathlon that are not in `found`."""
    return [key for key in KEYS if key not in found]


def first_id(key: str) -> int:
    """The number that all ids of a domain start from.

    Args:
        key: A domain of the decathlon, by key or short name.
    """
    return STEP * (1 + KEYS.index(key_of(key)))


def category_id(key: str, label: int) -> int:
    """The challenge's id of a class.

    Args:
        key: A domain of the decathlon, by key or short name.
        label: The class, counted from 0.

    Example:

    >>> category_id("aircraft", 0), category_id("vgg-flowers", 101)
    (10000001, 100000102)
    """
    return first_id(key) + 1 + label


def domain_of_id(number: int) -> str | None:
    """The key of the domain that an image or category id belongs to.

    Returns:
        The key, or `None` if it belongs to none.

    Example:

    >>> domain_of_id(10206668)
    'aircraft'
    """
    index = number // STEP - 1
    return KEYS[index] if 0 <= index < len(KEYS) else None
