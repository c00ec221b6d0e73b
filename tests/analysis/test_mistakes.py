"""What is said about mistakes is true, down to hand-made cases."""

import numpy as np
import pytest

from keras_mdl.analysis import Mistakes
from keras_mdl.report.mistakes_page import mistake_sections, readable_classes

CLASSES = ("cat", "dog", "owl")


def _sure(answers, confidence=0.8):
    """Probabilities of answers of one confidence."""
    rest = (1 - confidence) / (len(CLASSES) - 1)
    found = np.full((len(answers), len(CLASSES)), rest)
    found[np.arange(len(answers)), answers] = confidence
    return found


def test_counts_pairs_and_rates():
    labels = np.array([0, 0, 0, 1, 1, 1])
    m = Mistakes(CLASSES, labels, _sure([0, 1, 1, 1, 1, 0]))
    assert m.confusion.tolist() == [[1, 2, 0], [1, 2, 0], [0, 0, 0]]
    assert m.accuracy == pytest.approx(0.5)
    assert [tuple(c)[:3] for c in m.confused()] == [
        ("cat", "dog", 2),
        ("dog", "cat", 1),
    ]
    assert m.confused()[0].part == pytest.approx(2 / 3)
    cat, dog, owl = m.per_class()
    assert (cat["precision"], cat["recall"]) == (
        pytest.approx(1 / 2), pytest.approx(1 / 3),
    )  # fmt: skip
    assert (dog["precision"], dog["images"]) == (pytest.approx(1 / 2), 3)
    # Of what there is nothing, nothing is claimed.
    assert np.isnan(owl["precision"])
    assert np.isnan(owl["recall"])
    assert m.to_dict()["per_class"][2]["recall"] is None


def test_the_largest_losses_come_first():
    p = np.array([[0.9, 0.05, 0.05], [0.5, 0.3, 0.2], [0.98, 0.01, 0.01]])
    m = Mistakes(CLASSES, [0, 0, 2], p)
    assert m.worst(2).tolist() == [2, 1]
    assert m.losses == pytest.approx(-np.log([0.9, 0.5, 0.01]))


def test_calibration_of_a_network_that_says_the_truth_and_of_a_boaster():
    right = np.repeat([0, 1], [20, 80])  # of 100 images of "dog"
    honest = Mistakes(CLASSES, np.ones(100, int), _sure(right, 0.8))
    boaster = Mistakes(CLASSES, np.ones(100, int), _sure(right, 0.98))
    assert honest.calibration_error() == pytest.approx(0, abs=1e-9)
    assert boaster.calibration_error() == pytest.approx(0.18)
    filled = [b for b in honest.reliability() if b.images]
    assert [b.images for b in filled] == [100]
    assert filled[0].low < 0.8 <= filled[0].high + 1e-9
    assert filled[0].accuracy == pytest.approx(0.8)


def test_a_threshold_holds_back_what_is_unsure():
    # The four least sure of ten answers are wrong.
    confidence = np.linspace(0.5, 0.95, 10)
    answers = np.repeat([0, 1], [4, 6])
    p = np.concatenate(
        [_sure([a], c) for a, c in zip(answers, confidence, strict=True)]
    )
    m = Mistakes(CLASSES, np.ones(10, int), p)
    none = m.rejection(max_error=0.0)
    assert none.threshold == pytest.approx(confidence[4])
    assert (none.answered, none.error) == (0.6, 0.0)
    # Zero of six: up to 39 % of wrong answers are compatible with that.
    assert none.bound == pytest.approx(1 - 0.05 ** (1 / 6))
    half = m.rejection()
    assert half.threshold == pytest.approx(confidence[3])
    assert half.error <= 0.2
    # All of one confidence: they are answered together or not at all.
    alike = Mistakes(CLASSES, np.ones(10, int), _sure(answers))
    assert alike.rejection() is None
    with pytest.raises(ValueError, match=r"in \[0, 1\)"):
        m.rejection(1.5)


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([0, 1], _sure([0]), r"\(2, 3\)\. Received: shape \(1, 3\)"),
        ([3], _sure([0]), "from 0 to 2"),
        ([], np.zeros((0, 3)), "one or more integers"),
        ([0], [[3.0, -1.0, 2.0]], "logits need a softmax"),
    ],
)
def test_what_does_not_fit_is_refused(labels, probabilities, message):
    with pytest.raises(ValueError, match=message):
        Mistakes(CLASSES, labels, probabilities)


def test_of_many_classes_those_with_mistakes_are_drawn():
    counts = np.eye(100, dtype=int) * 9
    counts[70, 3] = 2
    shown = readable_classes(counts)
    assert {3, 70} <= set(shown)
    assert len(shown) == 25


def test_sections_of_a_perfect_network_claim_nothing_else():
    m = Mistakes(CLASSES, [0, 1, 2], _sure([0, 1, 2]))
    texts = [s.text for s in mistake_sections("x", m, {})]
    assert any("Nothing is wrong" in t for t in texts)
