"""Folders of image files: one sub-folder per class."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from keras_mdl.data.domain_data import DomainData
from keras_mdl.data.epoch import checked_count
from keras_mdl.data.folder_index import counted, folder_index, require_images
from keras_mdl.data.pixels import READ_ERRORS, rgb_from_file
from keras_mdl.data.randomness import epoch_order
from keras_mdl.data.sources import ArraySource, FileSource
from keras_mdl.data.statistics import mean_and_std, pixel_sums
from keras_mdl.domains import Domain, domain_name

_BAD = ("error", "skip")
# Decoded images are kept below this; larger folders are decoded as needed.
MEMORY_LIMIT = 1 << 30
_DECODERS = 4


def from_folder(
    path: str | os.PathLike,
    name: str | None = None,
    on_bad_image: str = "error",
    validation_fraction: float = 0.2,
    seed: int = 0,
    flip: bool = False,
    memory_limit: int = MEMORY_LIMIT,
) -> DomainData:
    """Reads `path/<class>/<image>` or `path/<split>/<class>/<image>`.

    If all sub-folders of `path` are called `train`, `validation` (or `val`)
    or `test`, they are splits. Otherwise they are classes, of which a part
    is set aside for validation, class by class. Classes are sorted by name.
    A `test` folder with images and no class folders has hidden labels.
    Sub-folders of a class belong to it; where they hold all of its images,
    a warning says so. Hidden files are left out, and with a warning that
    counts them, so are files that Pillow cannot open by their extension.
    Links are followed; a real file or folder is visited once. Every image is
    decoded once here, so that a bad file is found now and not in the middle
    of a training.

    Args:
        path: The folder.
        name: Name of the domain; by default that of the folder.
        on_bad_image: `"error"`, or `"skip"` to leave bad files (links that
            lead nowhere included) out and list them in `DomainData.skipped`.
        validation_fraction: Part of each class set aside for validation
            where there is no validation folder; 0 for none.
        seed: Seed of that choice.
        flip: Whether training images may be mirrored.
        memory_limit: Bytes of decoded images to keep in memory; a larger
            folder is decoded anew whenever an image is needed.

    Returns:
        `DomainData`.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: For no classes, empty classes, class names that are no
            text, splits or domains that look like classes, bad images, or
            one file in two classes or splits.
    """
    root = Path(path)
    if not root.is_dir():
        raise FileNotFoundError(
            f"Expected a folder of class folders. Received: path={str(path)!r}"
        )
    if on_bad_image not in _BAD:
        raise ValueError(
            f"`on_bad_image` must be one of {_BAD}. "
            f"Received: on_bad_image={on_bad_image!r}"
        )
    if not 0 <= validation_fraction < 1:
        raise ValueError(
            "`validation_fraction` must lie in [0, 1). Received: "
            f"validation_fraction={validation_fraction!r}"
        )
    index = folder_index(root)
    domain = Domain(name or domain_name(root.resolve().name), index.classes)
    if index.ignored:
        warnings.warn(
            f"Left out of {str(root)!r}, as Pillow opens no such files: "
            f"{counted(index.ignored)}",
            stacklevel=2,
        )
    if index.nested:
        name, inner = next(iter(index.nested.items()))
        warnings.warn(
            f"The images of {len(index.nested)} of {len(index.classes)} "
            f"classes in {str(root)!r} are all in sub-folders, which count as "
            f"one class: {name} = {', '.join(inner[:5])}"
            f"{', ...' if len(inner) > 5 else ''}. If these are the classes, "
            "give the folder that holds them",
            stacklevel=2,
        )
    images, sums, bad = _decoded(index.files, memory_limit)
    if bad and on_bad_image == "error":
        raise ValueError(
            f"{len(bad)} of {len(bad) + len(sums)} images in {str(root)!r} "
            "cannot be read; remove them or use on_bad_image='skip'. "
            "Received: " + ", ".join(f"{p} ({why})" for p, why in bad.items())
        )
    splits = {
        split: [(p, label) for p, label in pairs if p not in bad]
        for split, pairs in index.files.items()
    }
    require_images(splits, index.classes, root)
    if "validation" not in splits and validation_fraction:
        splits = _set_aside(
            splits, validation_fraction, checked_count("seed", seed)
        )
    mean, std = mean_and_std(sums[p] for p, _ in splits["train"])
    return DomainData(
        Domain(domain.name, domain.classes, mean, std),
        {split: _part(pairs, images) for split, pairs in splits.items()},
        bool(flip),
        skipped=tuple(sorted(map(str, bad))),
        ignored=dict(index.ignored),
        provenance=f"folder {root.name}",
    )


def _decoded(files, memory_limit):
    """Images by path (empty if they are too large), sums, and bad files."""
    images, sums, bad = {}, {}, {}
    paths = [p for pairs in files.values() for p, _ in pairs]
    with ThreadPoolExecutor(_DECODERS) as threads:
        # Small portions: `map` would otherwise hold every decoded image.
        for low in range(0, len(paths), 64):
            part = paths[low : low + 64]
            for path, image in zip(part, threads.map(_try, part), strict=True):
                if isinstance(image, str):
                    bad[path] = image
                    continue
                sums[path] = pixel_sums(image)
                memory_limit -= image.nbytes
                if memory_limit >= 0:
                    images[path] = image
                else:
                    images.clear()
    return images, sums, bad


def _try(path):
    """The image, or why it cannot be read."""
    try:
        # A named pipe would be waited for.
        if not path.is_file():
            return "link to nothing" if path.is_symlink() else "no file"
        if not path.stat().st_size:
            return "empty file"
        return rgb_from_file(path)
    except READ_ERRORS as error:
        return f"{type(error).__name__}: {error}".replace(str(path), "file")


def _set_aside(splits, fraction, seed):
    """A part of each class of `train` becomes `validation`."""
    by_label = {}
    for pair in splits["train"]:
        by_label.setdefault(pair[1], []).append(pair)
    train, validation = [], []
    for label, pairs in by_label.items():
        count = min(max(round(fraction * len(pairs)), 1), len(pairs) - 1)
        chosen = set(epoch_order(seed, label, len(pairs))[:count].tolist())
        for index, pair in enumerate(pairs):
            (validation if index in chosen else train).append(pair)
    if validation:
        splits = {"train": train, "validation": validation, **splits}
    return {**splits, "train": train}


def _part(pairs, images):
    """Source and labels of a split."""
    paths, labels = zip(*pairs, strict=True)
    labels = None if None in labels else np.array(labels, np.int32)
    if images:
        return ArraySource([images[p] for p in paths], paths), labels
    return FileSource(paths), labels
