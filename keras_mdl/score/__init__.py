"""The score of the Visual Decathlon, its submission file, and their checks.

Needs no TensorFlow, no Keras and no images: accuracies in, points out.
"""

from keras_mdl.score.accuracies import parse_pairs, read_table
from keras_mdl.score.annotations import Annotations, read_annotations
from keras_mdl.score.named_images import TFDS_NAME, ImageFiles, TfdsImages
from keras_mdl.score.points import (
    DomainScore,
    Score,
    decathlon_score,
    score_over_domains,
)
from keras_mdl.score.reference import (
    E_MAX,
    KEYS,
    REFERENCE,
    category_id,
    domain_of_id,
    first_id,
    key_of,
    missing_domains,
    recognised,
)
from keras_mdl.score.submission import (
    accuracies_of,
    build_results,
    check_results,
    domains_in,
    read_results,
    write_results,
)

__all__ = [
    "accuracies_of",
    "Annotations",
    "build_results",
    "category_id",
    "check_results",
    "decathlon_score",
    "domain_of_id",
    "domains_in",
    "DomainScore",
    "E_MAX",
    "first_id",
    "ImageFiles",
    "KEYS",
    "key_of",
    "missing_domains",
    "parse_pairs",
    "read_annotations",
    "read_results",
    "read_table",
    "recognised",
    "REFERENCE",
    "Score",
    "score_over_domains",
    "TFDS_NAME",
    "TfdsImages",
    "write_results",
]
