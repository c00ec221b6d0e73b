"""Grading a list of results with labels at hand."""

from keras_mdl.score.ids import domain_of_id
from keras_mdl.score.reference import KEYS
from keras_mdl.score.submission import check_results


def domains_in(results):
    """The domains that a list of results has images of, by their ids."""
    found = {domain_of_id(item["image_id"]) for item in results}
    return [key for key in KEYS if key in found]


def accuracies_of(results, annotations, partial=False):
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
