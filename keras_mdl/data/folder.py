"""Folders of image files: one sub-folder per class."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from keras_mdl.data.domain_data import DomainData
from keras_mdl.data.epoch import checked_count
from keras_mdl.data.folder_index import folder_index, require_images
from keras_mdl.data.pixels import rgb_from_file
from keras_mdl.data.randomness import epoch_order
from keras_mdl.data.sources import ArraySource, FileSource
from keras_mdl.data.statistics import PixelStatistics
from keras_mdl.domains import Domain

_BAD = ("error", "skip")
# Decoded images are kept below this; larger folders are decoded as needed.
MEMORY_LIMIT = 1 << 30
_DECODERS = 4


def read_folder(
    path,
    name=None,
    on_bad_image="error",
    validation_fraction=0.2,
    seed=0,
    flip=False,
    memory_limit=MEMORY_LIMIT,
):
    """Reads `path/<class>/<image>` or `path/<split>/<class>/<image>`.

    If all sub-folders of `path` are called `train`, `validation` (or `val`)
    or `test`, they are splits. Otherwise they are classes, of which a part
    is set aside for validation, class by class. Classes are sorted by name.
    A `test` folder with images and no class folders has hidden labels.
    Hidden files, and files that are not images by their extension, are left
    out. Every image is decoded once here, so that a bad file is found now
    and not in the middle of a training.

    Args:
        path: The folder.
        name: Name of the domain; by default that of the folder.
        on_bad_image: `"error"`, or `"skip"` to leave bad files out and list
            them in `DomainData.skipped`.
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
        ValueError: For no classes, empty classes, or bad images.
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
    files, classes = folder_index(root)
    decoded = _decode_all(files, memory_limit)
    bad = decoded.bad
    if bad and on_bad_image == "error":
        raise ValueError(
            f"{len(bad)} of {len(decoded.images)} images in {str(root)!r} "
            "cannot be read; remove them or use on_bad_image='skip'. "
            "Received: " + ", ".join(f"{p} ({why})" for p, why in bad.items())
        )
    splits = {
        split: [(p, label) for p, label in pairs if p not in bad]
        for split, pairs in files.items()
    }
    require_images(splits, classes, root)
    if "validation" not in splits and validation_fraction:
        splits = _set_aside(
            splits, validation_fraction, checked_count("seed", seed)
        )
    domain = Domain(name or domain_name(root.resolve().name), classes)
    statistics = PixelStatistics()
    for image_path, _ in splits["train"]:
        statistics.add_sums(decoded.sums[image_path])
    mean, std = statistics.result()
    domain = Domain(domain.name, classes, mean, std)
    return DomainData(
        domain,
        {s: _source(pairs, decoded) for s, pairs in splits.items()},
        flip=flip,
        skipped=sorted(map(str, bad)),
        provenance=f"folder {root.name}",
    )


def domain_name(text):
    """The nearest valid domain name to a file name."""
    return re.sub(r"[^A-Za-z0-9_.\-]+", "-", text).strip("-._")[:64] or "data"


class _Decoded:
    def __init__(self):
        self.images, self.sums, self.bad = {}, {}, {}
        self.in_memory = True


def _decode_all(files, memory_limit):
    decoded = _Decoded()
    paths = [p for pairs in files.values() for p, _ in pairs]
    room = memory_limit
    with ThreadPoolExecutor(_DECODERS) as threads:
        # Small portions: `map` would otherwise hold every decoded image.
        for low in range(0, len(paths), 64):
            part = paths[low : low + 64]
            for path, image in zip(part, threads.map(_try, part), strict=True):
                decoded.images[path] = None
                if isinstance(image, str):
                    decoded.bad[path] = image
                    continue
                decoded.sums[path] = PixelStatistics.sums(image)
                room -= image.nbytes
                if room >= 0:
                    decoded.images[path] = image
                elif decoded.in_memory:
                    decoded.in_memory = False
                    decoded.images = dict.fromkeys(decoded.images)
    return decoded


def _try(path):
    """The image, or why it cannot be read."""
    from PIL import Image

    if not path.stat().st_size:
        return "empty file"
    # What Pillow raises depends on the format's reader.
    errors = (OSError, ValueError, SyntaxError, EOFError, IndexError,
              OverflowError, Image.DecompressionBombError)  # fmt: skip
    try:
        return rgb_from_file(path)
    except errors as error:
        return f"{type(error).__name__}: {error}".replace(str(path), "file")


def _set_aside(splits, fraction, seed):
    train, validation = [], []
    by_label = {}
    for pair in splits["train"]:
        by_label.setdefault(pair[1], []).append(pair)
    for label, pairs in by_label.items():
        order = epoch_order(seed, label, len(pairs))
        count = round(fraction * len(pairs))
        count = min(max(count, 1), len(pairs) - 1)
        chosen = set(order[:count].tolist())
        for index, pair in enumerate(pairs):
            (validation if index in chosen else train).append(pair)
    result = {"train": train}
    if validation:
        result["validation"] = validation
    return {**result, **{s: p for s, p in splits.items() if s != "train"}}


def _source(pairs, decoded):
    paths = [p for p, _ in pairs]
    labels = [label for _, label in pairs]
    labels = None if None in labels else np.array(labels, np.int32)
    if decoded.in_memory:
        images = [decoded.images[p] for p in paths]
        return ArraySource.from_rgb(images), labels
    return FileSource(paths), labels
