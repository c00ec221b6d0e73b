"""Arrays in memory become a `DomainData`."""

from collections.abc import Sequence

from keras_mdl.data.domain_data import DomainData
from keras_mdl.data.labels import checked_labels
from keras_mdl.data.sources import ArraySource
from keras_mdl.data.statistics import with_statistics
from keras_mdl.domains import Domain


def from_arrays(
    name: str | Domain,
    splits: dict,
    classes: Sequence[str] | int | None = None,
    flip: bool = False,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    provenance: str = "",
) -> DomainData:
    """Images at hand.

    Args:
        name: Name of the domain, or a `Domain`, whose classes and pixel
            statistics are then taken.
        splits: Mapping from split names to `(images, labels)`. Images:
            `(n, h, w)`, `(n, h, w, c)` with 1, 3 or 4 channels, or a list
            of images of any sizes; uint8, uint16, bool, or floats in
            `[0, 1]`. Labels: integers `(n,)`, or `None` if hidden.
        classes: Class names in label order, or their number; by default
            the largest label plus one.
        flip: Whether training images may be mirrored.
        mean: Per-channel mean in `[0, 1]`; computed from `train` (or the
            first split) by default.
        std: Per-channel standard deviation, likewise.
        provenance: Where the images come from.

    Raises:
        ValueError: For wrong shapes, dtypes, values or labels.
    """
    if not isinstance(splits, dict) or not splits:
        raise ValueError(
            "`splits` must map split names to (images, labels), for example "
            '{"train": (images, labels)}. '
            f"Received: {str(splits)[:80]} of type {type(splits).__name__}"
        )
    sources, labels = {}, {}
    for split, pair in splits.items():
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise ValueError(
                f"Split {split!r} must be a tuple (images, labels); labels "
                f"may be None. Received: {type(pair).__name__}"
            )
        what = f"split {split!r} of {name!r}"
        sources[split] = ArraySource.from_any(pair[0], what)
        labels[split] = checked_labels(pair[1], len(sources[split]), what)
    domain = name
    if not isinstance(name, Domain):
        if classes is None:
            classes = _classes_of(labels)
        domain = Domain(name, classes)
        domain = with_statistics(domain, sources, mean, std)
    parts = {}
    for split, source in sources.items():
        what = f"split {split!r} of domain {domain.name!r}"
        parts[split] = (
            source,
            checked_labels(
                labels[split], len(source), what, domain.num_classes
            ),
        )
    return DomainData(domain, parts, bool(flip), provenance=provenance)


def _classes_of(labels_by_split):
    """The largest label plus one."""
    known = [v for v in labels_by_split.values() if v is not None and len(v)]
    if not known:
        raise ValueError(
            "No split has labels, so `classes` (names or a number) must be "
            f"given. Received: splits={sorted(labels_by_split)}"
        )
    return int(max(v.max() for v in known)) + 1
