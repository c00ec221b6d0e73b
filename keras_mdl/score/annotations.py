"""The challenge's annotation files: images and categories with their ids.

The devkit (`decathlon-1.0-devkit.tar.gz`, folder `annotations`) has
`KEY_train.json`, `KEY_val.json` and, without labels, `KEY_test_stripped.json`
for each domain, in the style of COCO: `images` with `id` and `file_name`
(`data/KEY/test/000001.jpg`), `annotations` with `image_id` and `category_id`,
`categories` with `id` and `name`. Labelled test files, which were published
later, are called `KEY_test.json`: they are for a final score, never for
choosing between models.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from keras_mdl.score.reference import FIRST_IMAGE, STEP, first_id, key_of

_LABELLED = {"train": "train", "validation": "val", "test": "test"}
SPLITS = tuple(_LABELLED)
# The challenge's files start every name with it, the archives of images and
# TFDS do not.
_PREFIX = "data/"


@dataclass(frozen=True)
class Annotations:
    """One split of one domain, as the challenge numbers it.

    Attributes:
        key: Of the domain.
        split: `"train"`, `"validation"` or `"test"`.
        path: The file.
        images: `{image name: image id}` in file order; a name is
            `KEY/test/000001.jpg`, as in TFDS.
        categories: `{category id: class name}` in label order.
        labels: `{image id: category id}`, or `None` if hidden.
    """

    key: str
    split: str
    path: Path
    images: dict = field(repr=False)
    categories: dict = field(repr=False)
    labels: dict | None = field(repr=False, default=None)


def image_name(text: str) -> str:
    """The name of an image without the leading `data/`."""
    return text.replace("\\", "/").removeprefix(_PREFIX)


def read_annotations(
    folder: str | os.PathLike,
    key: str,
    split: str = "test",
    labelled: bool = False,
) -> Annotations:
    """Reads and checks the annotation file of one split.

    Args:
        folder: The folder `annotations` of the devkit.
        key: A domain of the decathlon, by key or short name.
        split: `"train"`, `"validation"` or `"test"`.
        labelled: Whether labels are needed; for `"test"` that is another
            file.

    Returns:
        `Annotations`.

    Raises:
        FileNotFoundError: If the file is not there; names what was looked
            for.
        ValueError: If it is not an annotation file of this domain, or has no
            labels where they are needed.
    """
    key = key_of(key)
    if split not in _LABELLED:
        raise ValueError(
            f"`split` must be one of {SPLITS}. Received: split={split!r}"
        )
    path = _find(Path(folder), key, split, labelled)
    content = read_json(path, dict)
    has_labels = bool(content.get("annotations"))
    if labelled and not has_labels:
        raise ValueError(
            f"{path} has no labels (`annotations`). Received: {sorted(content)}"
        )
    images = _images(content, key, path)
    categories = _categories(content, key, path)
    labels = None
    if has_labels and (labelled or split != "test"):
        labels = _labels(content, images, categories, path)
    return Annotations(key, split, path, images, categories, labels)


def read_json(path: str | os.PathLike, kind: type):
    """What a JSON file holds: an object (`dict`) or a list (`list`).

    Raises:
        ValueError: If it is no JSON or holds something else.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:  # also bytes that are no UTF-8
        raise ValueError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(content, kind):
        what = "one object" if kind is dict else "a list"
        raise ValueError(
            f"{path} must be {what}. Received: {type(content).__name__}"
        )
    return content


def _find(folder, key, split, labelled):
    names = [f"{key}_{_LABELLED[split]}.json"]
    hint = ""
    if split == "test" and labelled:
        hint = "; the files called test_stripped hide the labels"
    elif split == "test":
        names.insert(0, f"{key}_test_stripped.json")
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(
        f"No annotations of {key!r}, split {split!r}: expected "
        f"{' or '.join(names)} in {str(folder)!r}, the folder `annotations` "
        f"of the challenge's devkit{hint}"
    )


def _images(content, key, path):
    low, high = first_id(key) + FIRST_IMAGE, first_id(key) + STEP
    images, ids = {}, set()
    for number, file in _items(content, "images", ("id", "file_name"), path):
        name = image_name(file)
        if not low < number < high:
            raise ValueError(
                f"Image ids of {key!r} lie between {low + 1} and {high - 1}. "
                f"Received: {number} ({name}) in {path}"
            )
        if number in ids or name in images:
            raise ValueError(
                "Image ids and names must be unique. Received more than once: "
                f"{number} ({name}) in {path}"
            )
        ids.add(number)
        images[name] = number
    return images


def _categories(content, key, path):
    if not content.get("categories"):
        # Nothing says that a file without labels must list them.
        for other in ("train", "val", "test"):
            sibling = path.with_name(f"{key}_{other}.json")
            if sibling != path and sibling.is_file():
                path, content = sibling, read_json(sibling, dict)
                break
    found = dict(_items(content, "categories", ("id", "name"), path))
    low = first_id(key) + 1
    # The order matters as well: the challenge's code counts classes by id,
    # TFDS by their place in this list, and both must mean the same class.
    if list(found) != list(range(low, low + len(found))):
        raise ValueError(
            f"Category ids of {key!r} must be {low}, {low + 1}, ... in this "
            f"order. Received: {list(found)[:3]}... in {path}"
        )
    return {number: str(name) for number, name in found.items()}


def _labels(content, images, categories, path):
    known = set(images.values())
    labels = {}
    for image, category in _items(
        content, "annotations", ("image_id", "category_id"), path
    ):
        if image not in known or category not in categories or image in labels:
            raise ValueError(
                "A label must join one known image with one known category, "
                f"once. Received: image_id={image}, category_id={category} in "
                f"{path}"
            )
        labels[image] = category
    if len(labels) < len(known):
        raise ValueError(
            f"{path} has {len(known)} images. Received: labels of {len(labels)}"
        )
    return labels


def _items(content, part, fields, path):
    """The fields of each item of a list in the file; ids are integers."""
    items = content.get(part)
    if not isinstance(items, list) or not items:
        raise ValueError(
            f"{path} must have a list `{part}`. Received: {sorted(content)}"
        )
    for item in items:
        if not isinstance(item, dict) or not all(
            type(item.get(f)) is int if f.endswith("id") else f in item
            for f in fields
        ):
            raise ValueError(
                f"`{part}` of {path} need {' and '.join(fields)}. "
                f"Received: {item!r}"
            )
        yield [item[f] for f in fields]
