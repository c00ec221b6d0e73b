"""`Domain`: what a visual domain is, as a small validated value."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")
_RGB = 3
# Characters that no list of names, one a line and in UTF-8, can hold: control
# characters, line and paragraph separators, and surrogates (what Python makes
# of bytes in file names that are not UTF-8).
_NO_TEXT = ("Cc", "Cs", "Zl", "Zp")


@dataclass(frozen=True)
class Domain:
    """One visual domain: its name, its classes and its pixel statistics.

    A domain is a set of images with a label set of its own (flowers, traffic
    signs, handwriting). It is known by its name everywhere: in variable
    paths, in saved files, in the keys of batches. It is never a number.

    Args:
        name: Letters, digits, `_`, `-` and `.`, starting with a letter or a
            digit, at most 64 characters: the name becomes part of variable
            paths and file names.
        classes: The class names in label order, or an integer `n >= 2` for
            `n` classes named `"0"` to `"n-1"`.
        mean: Per-channel mean (R, G, B) of the training images, in units of
            the full pixel range (0 = black, 1 = white).
        std: Per-channel standard deviation, in the same units. The network
            normalises pixels `x` in `[0, 255]` as `(x / 255 - mean) / std`.

    Raises:
        ValueError: For a name that would break a path, fewer than two
            classes, class names that are repeated, empty or more than a line
            of text, or statistics that are not three finite numbers (`std`
            above zero).

    Example:

    >>> signs = Domain("signs", classes=["stop", "yield", "go"])
    >>> signs.num_classes
    3
    """

    name: str
    classes: tuple = field(repr=False)
    mean: tuple = (0.485, 0.456, 0.406)
    std: tuple = (0.229, 0.224, 0.225)

    def __post_init__(self):
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise ValueError(
                "A domain name must be 1 to 64 letters, digits, `_`, `-` or "
                "`.`, starting with a letter or digit (it becomes part of "
                f"file names and variable paths). Received: name={self.name!r}"
            )
        object.__setattr__(
            self, "classes", _class_names(self.classes, self.name)
        )
        for label, low in (("mean", None), ("std", 0.0)):
            value = _three_floats(getattr(self, label), label, self.name)
            if low is not None and min(value) <= low:
                raise ValueError(
                    f"`std` of domain {self.name!r} must be above zero. "
                    f"Received: std={value}"
                )
            object.__setattr__(self, label, value)

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    def to_config(self) -> dict:
        """The domain as JSON-serialisable plain values."""
        return {
            "name": self.name,
            "classes": list(self.classes),
            "mean": list(self.mean),
            "std": list(self.std),
        }

    @classmethod
    def from_config(cls, config: dict) -> Domain:
        """The inverse of `to_config`."""
        return cls(**config)


def as_domains(domains) -> tuple:
    """Validates a collection of domains and returns it as a tuple.

    Args:
        domains: A `Domain`, an iterable of `Domain` objects (or of their
            configs), or a mapping from names to classes (names or a count).

    Returns:
        A tuple of `Domain` objects.

    Raises:
        ValueError: If there is none, or if two names are equal when case is
            ignored (they would collide on case-insensitive file systems).
        TypeError: If an item is not a domain.
    """
    if isinstance(domains, Domain):
        domains = (domains,)
    elif isinstance(domains, dict):
        domains = [
            v if isinstance(v, Domain) else Domain(k, v)
            for k, v in domains.items()
        ]
    result = []
    for item in domains:
        if isinstance(item, dict):
            item = Domain.from_config(item)
        if not isinstance(item, Domain):
            raise TypeError(
                "Expected `keras_mdl.Domain` objects or a mapping from domain "
                f"names to classes. Received: {item!r} of type "
                f"{type(item).__name__}"
            )
        result.append(item)
    if not result:
        raise ValueError("At least one domain is needed. Received: none")
    seen = {}
    for item in result:
        key = item.name.lower()
        if key in seen:
            raise ValueError(
                "Domain names must be unique (ignoring case). "
                f"Received: {seen[key]!r} and {item.name!r}"
            )
        seen[key] = item.name
    return tuple(result)


def domain_name(text: str) -> str:
    """The nearest valid domain name to a file name."""
    return re.sub(r"[^A-Za-z0-9_.\-]+", "-", text).strip("-._")[:64] or "data"


def require_domain(name, known):
    """Returns `name` if it is one of `known`; otherwise says which are.

    Raises:
        ValueError: If `name` is unknown.
    """
    known = tuple(known)
    if name not in known:
        raise ValueError(
            f"Unknown domain: {name!r}. Known domains: "
            + ", ".join(repr(k) for k in known)
        )
    return name


def _class_names(classes, domain):
    countable = hasattr(classes, "__index__") or hasattr(classes, "__iter__")
    if isinstance(classes, (bool, str)) or not countable:
        raise ValueError(
            f"`classes` of domain {domain!r} must be a list of class names or "
            f"a number of classes. Received: classes={classes!r}"
        )
    if hasattr(classes, "__index__"):
        classes = [str(i) for i in range(classes.__index__())]
    names = tuple(str(c) for c in classes)
    if len(names) < 2:
        raise ValueError(
            f"Domain {domain!r} needs at least 2 classes. "
            f"Received: classes={list(names)}"
        )
    if not all(n.strip() for n in names):
        raise ValueError(
            f"Class names of domain {domain!r} must not be empty. "
            f"Received: classes={list(names)}"
        )
    for name in names:
        if any(unicodedata.category(c) in _NO_TEXT for c in name):
            raise ValueError(
                f"Class names of domain {domain!r} must be one line of text "
                "without control characters (exported files list them, one "
                f"a line, in UTF-8). Received: {name!r}"
            )
    # Composed and decomposed accents look the same.
    counts = Counter(unicodedata.normalize("NFC", n) for n in names)
    repeated = sorted(n for n, count in counts.items() if count > 1)
    if repeated:
        raise ValueError(
            f"Class names of domain {domain!r} must be unique. "
            f"Received more than once: {repeated}"
        )
    return names


def _three_floats(values, label, domain):
    try:
        result = tuple(float(v) for v in values)
    except (TypeError, ValueError):
        result = ()
    if len(result) != _RGB or not all(abs(v) < float("inf") for v in result):
        raise ValueError(
            f"`{label}` of domain {domain!r} must be three finite numbers "
            f"(R, G, B). Received: {label}={values!r}"
        )
    return result
