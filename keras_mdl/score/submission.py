"""`results.json`: predictions in the challenge's format, checked.

A JSON list with one object per image, `{"image_id": ..., "category_id": ...}`,
over all domains; see `ids` for the numbers. The server takes it zipped.
"""

import json
import operator
from pathlib import Path

from keras_mdl.files import write_text
from keras_mdl.score.annotations import image_name
from keras_mdl.score.ids import domain_of_id
from keras_mdl.score.reference import KEYS, by_key, missing_domains

_FIELDS = {"image_id", "category_id"}


def build_results(predictions, annotations):
    """Predicted classes as the challenge's list of ids.

    Args:
        predictions: Mapping from domains (key or short name) to mappings
            `{image name: class}`; classes are counted from 0. Names rather
            than an order: TFDS reads images in another order than the
            challenge lists them.
        annotations: Iterable of `Annotations`, one for each domain.

    Returns:
        List of `{"image_id": int, "category_id": int}`, in the order of the
        annotations. It has passed `check_results` with `partial=True`.

    Raises:
        ValueError: For a domain, image or class that is missing or unknown.
    """
    predictions = by_key(predictions)
    annotations = _by_domain(annotations)
    if predictions.keys() != annotations.keys():
        raise ValueError(
            "Predictions and annotations must be of the same domains. "
            f"Received: predictions of {list(predictions)}, annotations of "
            f"{list(annotations)}"
        )
    results = []
    for key, notes in annotations.items():
        found = {image_name(n): c for n, c in predictions[key].items()}
        missing = [n for n in notes.images if n not in found]
        unknown = [n for n in found if n not in notes.images]
        if missing or unknown:
            raise ValueError(
                f"Domain {key!r} needs one prediction for each of the "
                f"{len(notes.images)} images in {notes.path}. "
                f"Received: {len(missing)} missing {missing[:3]}, "
                f"{len(unknown)} unknown {unknown[:3]}"
            )
        categories = tuple(notes.categories)
        for name, image in notes.images.items():
            label = _label(found[name], len(categories), f"{name} of {key!r}")
            results.append(
                {"image_id": image, "category_id": categories[label]}
            )
    check_results(results, annotations.values(), partial=True)
    return results


def check_results(results, annotations, partial=False):
    """Refuses a list that the challenge would refuse or grade wrongly.

    Args:
        results: List as of `build_results`.
        annotations: Iterable of `Annotations`, one for each domain.
        partial: Whether domains of the decathlon may be missing.

    Raises:
        ValueError: For a missing domain, for images that are missing,
            unknown or there twice, and for categories of another domain.
    """
    annotations = _by_domain(annotations)
    missing = missing_domains(annotations)
    if missing and not partial:
        raise ValueError(
            "A submission needs all ten domains (partial=True, --partial: "
            f"fewer). Missing: {', '.join(missing)}. "
            f"Known domains: {', '.join(KEYS)}"
        )
    owners = {i: n for n in annotations.values() for i in n.images.values()}
    seen = set()
    for image, category in map(_pair, _list(results)):
        if image not in owners:
            key = domain_of_id(image)
            raise ValueError(
                f"Image id {image} is in no annotation file"
                + (f"; by its number it belongs to {key!r}" if key else "")
                + f". Known: {_ranges(annotations)}"
            )
        if image in seen:
            raise ValueError(
                "Every image must be there once. Received more than once: "
                f"image_id={image} ({owners[image].name_of(image)})"
            )
        seen.add(image)
        known = owners[image].categories
        if category not in known:
            raise ValueError(
                f"Categories of {owners[image].key!r} are {min(known)} to "
                f"{max(known)}. Received: category_id={category} for "
                f"image_id={image}"
            )
    for key, notes in annotations.items():
        absent = [n for n, i in notes.images.items() if i not in seen]
        if absent:
            raise ValueError(
                f"Domain {key!r} needs one entry for each of its "
                f"{len(notes.images)} images. Missing: {len(absent)}, the "
                f"first {notes.images[absent[0]]} ({absent[0]})"
            )


def write_results(path, results, annotations, partial=False, overwrite=False):
    """Checks a list of results, then writes it: wholly or not at all.

    Args:
        path: File to write; the challenge wants the name `results.json`.
        results: List as of `build_results`.
        annotations: Iterable of `Annotations`, one for each domain.
        partial: Whether domains of the decathlon may be missing.
        overwrite: Whether an existing file may be replaced.

    Raises:
        ValueError: As `check_results`.
        FileExistsError: If `path` exists and `overwrite` is false.
    """
    check_results(results, annotations, partial)
    path = Path(path)
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{path} exists already: choose another name, or replace it with "
            "overwrite=True (--overwrite)"
        )
    write_text(path, json.dumps(results))


def read_results(path):
    """A list of results from a file; `check_results` says what is in it.

    Raises:
        ValueError: If it is not a list of pairs of ids.
    """
    try:
        results = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from error
    for item in _list(results):
        _pair(item)
    return results


def _label(value, count, where):
    try:
        label = operator.index(value)  # NumPy's integers are no JSON
    except TypeError:
        label = -1
    if not 0 <= label < count:
        raise ValueError(
            f"The class of {where} must be an integer from 0 to {count - 1}. "
            f"Received: {value!r}"
        )
    return label


def _by_domain(annotations):
    annotations = list(annotations)
    found = {}
    for notes in annotations:
        if notes.key in found:
            raise ValueError(
                f"Domain {notes.key!r} must be given once. Received: "
                f"{found[notes.key].path} and {notes.path}"
            )
        found[notes.key] = notes
    return {key: found[key] for key in KEYS if key in found}


def _list(results):
    if not isinstance(results, list):
        raise ValueError(
            "Results must be a list of objects with image_id and category_id. "
            f"Received: {type(results).__name__}"
        )
    return results


def _pair(item):
    if (
        not isinstance(item, dict)
        or set(item) != _FIELDS
        or not all(type(v) is int for v in item.values())
    ):
        raise ValueError(
            "A result must be an object with the integers image_id and "
            f"category_id. Received: {item!r}"
        )
    return item["image_id"], item["category_id"]


def _ranges(annotations):
    return ", ".join(
        f"{key} {min(n.images.values())} to {max(n.images.values())}"
        for key, n in annotations.items()
    )
