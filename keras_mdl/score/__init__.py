"""The score of the Visual Decathlon, its submission file, and their checks.

Needs no TensorFlow, no Keras and no images: accuracies in, points out.
"""

from keras_mdl.score.annotations import Annotations as Annotations
from keras_mdl.score.annotations import read_annotations as read_annotations
from keras_mdl.score.decathlon import decathlon_score as decathlon_score
from keras_mdl.score.grading import accuracies_of as accuracies_of
from keras_mdl.score.reference import E_MAX as E_MAX
from keras_mdl.score.reference import REFERENCE as REFERENCE
from keras_mdl.score.result import DomainScore as DomainScore
from keras_mdl.score.result import Score as Score
from keras_mdl.score.several import score_over_domains as score_over_domains
from keras_mdl.score.submission import build_results as build_results
from keras_mdl.score.submission import check_results as check_results
from keras_mdl.score.submission import read_results as read_results
from keras_mdl.score.submission import write_results as write_results

__all__ = [
    "accuracies_of",
    "Annotations",
    "build_results",
    "check_results",
    "decathlon_score",
    "DomainScore",
    "E_MAX",
    "read_annotations",
    "read_results",
    "REFERENCE",
    "Score",
    "score_over_domains",
    "write_results",
]
