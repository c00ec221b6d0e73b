"""`check`: what is wrong with the images, said before a training is."""

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from keras_mdl.data.domain_data import DomainData
from keras_mdl.data.near_copies import near_copies
from keras_mdl.data.sources import image_digest
from keras_mdl.data.swapped import swapped_classes

FEW = 10  # training images of a class
_UNEQUAL = 4  # times as many images
_VALIDATION = 100  # images, below which an accuracy says little
_MOST = 50_000  # images that are decoded only to be compared
_NAMED = 3


@dataclass(frozen=True)
class Finding:
    """Something to know about data before they are trained on.

    Attributes:
        kind: `"few_images"`, `"unequal_classes"`, `"no_validation"`,
            `"small_validation"`, `"not_validated"`, `"copies"`,
            `"copies_across_splits"`, `"copies_across_classes"`, these with
            `near_` before them, `"swapped_classes"`, `"unreadable"` or
            `"not_compared"`.
        text: One sentence for people.
    """

    kind: str
    text: str

    def __str__(self):
        return self.text


def check(data: DomainData) -> list[Finding]:
    """Looks for what spoils a training or its figures, in a few seconds.

    Classes with fewer than ten training images or with very different
    numbers, validation sets that are small or lack classes, pictures that
    occur twice (pixel for pixel; files that are decoded only when they are
    needed: byte for byte) or nearly so (see `near_copies`; of pictures in
    memory), classes that seem to have changed places between
    the splits (see `swapped_classes`), and files that were left out. Images
    that are streamed are counted, not compared.

    Args:
        data: `DomainData`; its split `train` needs labels.

    Returns:
        `Finding`s, the worst first; none if there is nothing to say.
    """
    found = []
    if data.skipped:
        found.append(
            Finding(
                "unreadable",
                f"unreadable images, left out: {_counted(data.skipped)}",
            )
        )
    labelled = {
        split: labels
        for split in data.splits
        if (labels := data.labels(split)) is not None
    }
    names = data.domain.classes
    counts = {
        split: dict(
            zip(names, np.bincount(v, minlength=len(names)), strict=True)
        )
        for split, v in labelled.items()
    }
    compared = _comparable(data)
    if compared is None:
        found += _copies(data, labelled)
        if "validation" in labelled:
            pairs = [f"{a!r} and {b!r}" for a, b in swapped_classes(data)]
            if pairs:
                found.append(
                    Finding(
                        "swapped_classes",
                        "classes look swapped between train and validation: "
                        f"{', '.join(pairs)}",
                    )
                )
    found += _counts(counts)
    if compared is not None:
        found.append(Finding("not_compared", compared))
    return found


def _counts(counts):
    """Findings about how many images there are of each class."""
    train = counts["train"]
    few = sorted((n, name) for name, n in train.items() if n < FEW)
    if few:
        yield Finding(
            "few_images",
            f"classes with fewer than {FEW} training images, "
            f"{len(few)} of {len(train)}: "
            f"{_named(f'{name} {n}' for n, name in few)}",
        )
    least, most = (f(train, key=train.get) for f in (min, max))
    if train[most] >= _UNEQUAL * max(train[least], 1):
        share = train[most] / sum(train.values())
        yield Finding(
            "unequal_classes",
            f"unequal classes: {train[most]} training images of {most!r}, "
            f"{train[least]} of {least!r}; always answering {most!r} would be "
            f"right {100 * share:.0f} % of the time. Look at each class's "
            "accuracy, not at the mean alone",
        )
    validation = counts.get("validation")
    if validation is None:
        yield Finding(
            "no_validation",
            "no labelled validation images: the training will not say how "
            "good the network is on images that it has not seen",
        )
        return
    total = sum(validation.values())
    if total < _VALIDATION:
        # Half of a 95 % interval at an accuracy of one half.
        spread = 98 / math.sqrt(total)
        yield Finding(
            "small_validation",
            f"{total} validation images: an accuracy measured on them is "
            f"known to about ±{spread:.0f} points only",
        )
    if missing := [name for name, n in validation.items() if not n]:
        yield Finding(
            "not_validated",
            f"classes without validation images, {len(missing)} of "
            f"{len(validation)}: {_named(missing)}",
        )


def _comparable(data):
    """Why the pictures are not compared, or `None` if they are."""
    sources = [data.parts[split][0] for split in data.splits]
    if not all(hasattr(s, "__getitem__") for s in sources):
        return "copies were not looked for: the images are streamed"
    decoded = sum(len(s) for s in sources if not hasattr(s, "digest"))
    if decoded > _MOST:
        return f"copies were not looked for among {decoded:,} images"
    return None


def _copies(data, labelled):
    """Findings about pictures that occur more than once, or nearly so."""
    places = defaultdict(list)
    for split in data.splits:
        source, labels = data.images(split), labelled.get(split)
        for i in range(len(source)):
            label = None if labels is None else int(labels[i])
            places[image_digest(source, i)].append((split, label, i))
    yield from _told(data, [*places.values()], "copies", "", "=")
    # Files that are decoded when needed would have to be, once more.
    if not any(hasattr(data.images(s), "digest") for s in data.splits):
        firsts = [group[0] for group in places.values()]
        images = [data.images(split)[i] for split, _, i in firsts]
        near = [[firsts[i] for i in group] for group in near_copies(images)]
        yield from _told(data, near, "near_copies", "nearly ", "~")


def _told(data, groups, kind, nearly, sign):
    """What groups of pictures spoil that are (nearly) the same."""
    several = [p for p in groups if len(p) > 1]
    same = f"{nearly}the same " if nearly else ""

    def name(place):
        split, _, i = place
        source = data.images(split)
        return source.name(i) if hasattr(source, "name") else f"{split} {i}"

    def pairs(chosen):
        return _counted(f"{name(p[0])} {sign} {name(p[-1])}" for p in chosen)

    mixed = [
        p
        for p in several
        if len({lab for _, lab, _ in p if lab is not None}) > 1
    ]
    if mixed:
        yield Finding(
            f"{kind}_across_classes",
            f"{same}pictures in more than one class: {pairs(mixed)}",
        )
    across = [
        p
        for p in several
        if p[0][0] == "train" and any(split != "train" for split, _, _ in p)
    ]
    if across:
        leaked = defaultdict(int)
        for split, _, _ in (place for p in across for place in p):
            leaked[split] += split != "train"
        told = ", ".join(
            f"{n} of {data.size(s)} in {s}" for s, n in leaked.items() if n
        )
        yield Finding(
            f"{kind}_across_splits",
            f"{same}training pictures in other splits too ({told}), where the "
            f"accuracy will be too good: {pairs(across)}",
        )
    within = [
        p for p in several if len({(split, lab) for split, lab, _ in p}) == 1
    ]
    if within:
        yield Finding(
            kind,
            f"{same}pictures that occur twice in their class: {pairs(within)}",
        )


def _counted(items):
    items = list(items)
    return f"{len(items)} ({_named(items)})"


def _named(items):
    items = list(map(str, items))
    more = f" and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return ", ".join(items[:_NAMED]) + more
