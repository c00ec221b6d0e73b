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
from dataclasses import dataclass, field
from pathlib import Path

from keras_mdl.score.ids import FIRST_IMAGE, STEP, first_id
from keras_mdl.score.reference import key_of

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

    def name_of(self, image_id):
        """The image's name, for messages."""
        return next(n for n, i in self.images.items() if i == image_id)


def image_name(text):
    """The name of an image without the leading `data/`."""
    return text.replace("\\", "/").removeprefix(_PREFIX)


def read_annotations(folder, key, split="test", labelled=False):
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
    content = _read_json(path)
    if labelled and not content.get("annotations"):
        raise ValueError(
            f"{path} has no labels (`annotations`). Received: {sorted(content)}"
        )
    images = _images(content, key, path)
    categories = _categories(content, key, path)
    labels = None
    if content.get("annotations") and (labelled or split != "test"):
        labels = _labels(content["annotations"], images, categories, path)
    return Annotations(key, split, path, images, categories, labels)


def _find(folder, key, split, labelled):
    names = [f"{key}_{_LABELLED[split]}.json"]
    if split == "test" and not labelled:
        names.insert(0, f"{key}_test_stripped.json")
    for name in names:
        if (folder / name).is_file():
            return folder / name
    hint = ""
    if split == "test" and labelled:
        hint = "; the files called test_stripped hide the labels"
    raise FileNotFoundError(
        f"No annotations of {key!r}, split {split!r}: expected "
        f"{' or '.join(names)} in {str(folder)!r}, the folder `annotations` "
        f"of the challenge's devkit{hint}"
    )


def _read_json(path):
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # also bytes that are no UTF-8
        raise ValueError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(
            f"{path} must hold one object with `images` and `categories`. "
            f"Received: {type(content).__name__}"
        )
    return content


def _images(content, key, path):
    low, high = first_id(key) + FIRST_IMAGE, first_id(key) + STEP
    images, ids = {}, set()
    for number, item in _items(content, "images", ("id", "file_name"), path):
        name = image_name(item["file_name"])
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
                path, content = sibling, _read_json(sibling)
                break
    found = {
        number: str(item["name"])
        for number, item in _items(content, "categories", ("id", "name"), path)
    }
    low = first_id(key) + 1
    # The order matters as well: the challenge's code counts classes by id,
    # TFDS by their place in this list, and both must mean the same class.
    if list(found) != list(range(low, low + len(found))):
        raise ValueError(
            f"Category ids of {key!r} must be {low}, {low + 1}, ... in this "
            f"order. Received: {list(found)[:3]}... in {path}"
        )
    return found


def _labels(annotations, images, categories, path):
    known = set(images.values())
    labels = {}
    for item in annotations:
        try:
            image, category = item["image_id"], item["category_id"]
        except (TypeError, KeyError) as error:
            raise ValueError(
                f"`annotations` of {path} need `image_id` and `category_id`. "
                f"Received: {item!r}"
            ) from error
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
    """`(id, item)` of a list in the file, whose items have the fields."""
    items = content.get(part)
    if not isinstance(items, list) or not items:
        raise ValueError(
            f"{path} must have a list `{part}`. Received: {sorted(content)}"
        )
    for item in items:
        if (
            not isinstance(item, dict)
            or not all(f in item for f in fields)
            or type(item["id"]) is not int
        ):
            raise ValueError(
                f"`{part}` of {path} need {' and '.join(fields)}. "
                f"Received: {item!r}"
            )
        yield item["id"], item
