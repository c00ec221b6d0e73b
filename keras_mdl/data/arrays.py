"""Arrays in memory become a `DomainData`."""

from keras_mdl.data.domain_data import DomainData
from keras_mdl.data.labels import checked_labels, classes_of
from keras_mdl.data.sources import ArraySource
from keras_mdl.data.statistics import with_statistics
from keras_mdl.domains import Domain


def read_arrays(name, splits, classes, flip, mean, std):
    """The work of `DomainData.from_arrays`, which documents the arguments."""
    sources, labels = {}, {}
    for split, pair in _checked_mapping(splits).items():
        what = f"split {split!r} of domain {name!r}"
        sources[split] = ArraySource.from_any(pair[0], what)
        labels[split] = checked_labels(pair[1], len(sources[split]), what)
    if classes is None:
        classes = classes_of(labels)
    domain = Domain(name, classes)
    for split, values in labels.items():
        what = f"split {split!r} of domain {name!r}"
        checked_labels(values, len(sources[split]), what, domain.num_classes)
    domain = with_statistics(domain, sources, mean, std)
    return DomainData(
        domain, {s: (sources[s], labels[s]) for s in sources}, flip
    )


def _checked_mapping(splits):
    if not isinstance(splits, dict) or not splits:
        raise ValueError(
            "`splits` must map split names to (images, labels), for example "
            '{"train": (images, labels)}. '
            f"Received: {str(splits)[:80]} of type {type(splits).__name__}"
        )
    for split, pair in splits.items():
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise ValueError(
                f"Split {split!r} must be a tuple (images, labels); labels "
                f"may be None. Received: {type(pair).__name__}"
            )
    return splits
