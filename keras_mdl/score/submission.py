"""`results.json`: predictions in the challenge's format, checked and graded.

A JSON list with one object per image, `{"image_id": ..., "category_id": ...}`,
over all domains; see `reference` for the numbers. The server takes it zipped.
"""

import json
import operator
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from keras_mdl.files import write_text
from keras_mdl.score.annotations import Annotations, image_name, read_json
from keras_mdl.score.reference import (
    KEYS,
    by_key,
    domain_of_id,
    missing_domains,
)

_FIELDS = {"image_id", "category_id"}


def build_results(
    predictions: Mapping, annotations: Iterable[Annotations]
) -> list[dict]:
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
    predictions = by_key(predictions.items())
    annotations = by_key((n.key, n) for n in annotations)
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


def check_results(
    results: list[dict],
    annotations: Iterable[Annotations],
    partial: bool = False,
) -> None:
    """Refuses a list that the challenge would refuse or grade wrongly.

    Args:
        results: List as of `build_results`.
        annotations: Iterable of `Annotations`, one for each domain.
        partial: Whether domains of the decathlon may be missing.

    Raises:
        ValueError: For a missing domain, for images that are missing,
            unknown or there twice, and for categories of another domain.
    """
    annotations = by_key((n.key, n) for n in annotations)
    missing = missing_domains(annotations)
    if missing and not partial:
        raise ValueError(
            "A submission needs all ten domains (partial=True, --partial: "
            f"fewer). Missing: {', '.join(missing)}. "
            f"Known domains: {', '.join(KEYS)}"
        )
    wanted = {
        image: (notes, name)
        for notes in annotations.values()
        for name, image in notes.images.items()
    }
    left = dict(wanted)
    for image, category in map(_pair, _list(results)):
        if image not in wanted:
            key = domain_of_id(image)
            known = ", ".join(
                f"{k} {min(n.images.values())} to {max(n.images.values())}"
                for k, n in annotations.items()
            )
            raise ValueError(
                f"Image id {image} is in no annotation file"
                + (f"; by its number it belongs to {key!r}" if key else "")
                + f". Known: {known}"
            )
        notes, name = wanted[image]
        if image not in left:
            raise ValueError(
                "Every image must be there once. Received more than once: "
                f"image_id={image} ({name})"
            )
        del left[image]
        if category not in notes.categories:
            raise ValueError(
                f"Categories of {notes.key!r} are {min(notes.categories)} to "
                f"{max(notes.categories)}. Received: category_id={category} "
                f"for image_id={image}"
            )
    if left:
        image, (notes, name) = next(iter(left.items()))
        absent = sum(n is notes for n, _ in left.values())
        raise ValueError(
            f"Domain {notes.key!r} needs one entry for each of its "
            f"{len(notes.images)} images. Missing: {absent}, the first "
            f"{image} ({name})"
        )


def write_results(
    path: str | os.PathLike,
    results: list[dict],
    annotations: Iterable[Annotations],
    partial: bool = False,
    overwrite: bool = False,
) -> None:
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


def read_results(path: str | os.PathLike) -> list[dict]:
    """A list of results from a file; `check_results` says what is in it.

    Raises:
        ValueError: If it is not a list of pairs of ids.
    """
    results = read_json(path, list)
    for item in results:
        _pair(item)
    return results


def domains_in(results: list[dict]) -> list[str]:
    """The domains that a list of results has images of, by their ids."""
    found = {domain_of_id(item["image_id"]) for item in results}
    return [key for key in KEYS if key in found]


def accuracies_of(
    results: list[dict],
    annotations: Iterable[Annotations],
    partial: bool = False,
) -> dict:
    """Accuracies by domain: the part of its images that are right.

    Args:
        results: List as of `build_results`.
        annotations: Iterable of `Annotations` with labels.
        partial: Whether domains of the decathlon may be missing.

    Returns:
        Dict from keys to fractions in [0, 1], for `decathlon_score`.

    Raises:
        ValueError: As `check_results`, or where labels are hidden.
    """
    annotations = list(annotations)
    hidden = [n.key for n in annotations if n.labels is None]
    if hidden:
        raise ValueError(
            "Grading needs labels. Received: hidden labels of "
            f"{', '.join(hidden)}"
        )
    check_results(results, annotations, partial)
    answers = {r["image_id"]: r["category_id"] for r in results}
    return {
        n.key: sum(answers[i] == c for i, c in n.labels.items()) / len(n.labels)
        for n in annotations
    }


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
