"""REINFORCE climbs the expected reward: against enumeration, value by value."""

import itertools
import math

import numpy as np
import pytest

from keras_mdl.search import Controller, SearchSpace
from keras_mdl.search.controller import learning_rate, relaxation
from keras_mdl.search.space import SpaceStage

# 2 * 2 * 2 * 2 = 16 lists: a layer that may be left out, with two choices.
SPACE = SearchSpace(
    size=16,
    stem_kernels=(3,),
    stem_widths=(8,),
    separable_kernels=(),
    stages=(SpaceStage((8,), 1, "relu", 2),),
    kernels=(3,),
    expansions=(1, 2),
    squeezes=(False,),
    head_widths=(8,),
    feature_widths=(8, 16),
)


def everything():
    sizes = [len(d.choices) for d in SPACE.decisions]
    return list(itertools.product(*map(range, sizes)))


def reward(choices):
    """A number for each network: inactive decisions change nothing."""
    active = SPACE.active(choices)
    return math.sin(sum(
        (i + 1) * (c + 1) for i, (c, on)
        in enumerate(zip(choices, active, strict=True)) if on
    ))  # fmt: skip


@pytest.fixture
def controller():
    found = Controller(SPACE)
    rng = np.random.default_rng(0)
    for x in found.logits:
        x += rng.normal(0, 1, x.shape)
    return found


def expected(controller, of):
    """`sum_path p(path) of(path)`, over all lists of choices."""
    total = 0.0
    for choices in everything():
        p = math.prod(
            q[c] for q, c in zip(controller.probabilities(), choices,
                                 strict=True)
        )  # fmt: skip
        total = total + p * of(choices)
    return total


def test_the_mean_of_its_gradient_is_that_of_the_expected_reward(controller):
    """Also with a baseline, whose mean part is zero."""
    parts = [len(x) for x in controller.logits]
    mean = expected(
        controller,
        lambda c: np.concatenate(controller.gradient(c, reward(c) - 0.7)),
    )
    numeric = []
    for x in controller.logits:
        for i in range(len(x)):
            values = []
            for step in (1e-5, -2e-5):
                x[i] += step
                values.append(expected(controller, reward))
            x[i] += 1e-5
            numeric.append((values[0] - values[1]) / 2e-5)
    assert len(mean) == sum(parts)
    np.testing.assert_allclose(mean, numeric, atol=1e-8)


def test_probabilities_of_networks_sum_to_one(controller):
    networks = {
        tuple(c if on else -1 for c, on in zip(x, SPACE.active(x),
                                               strict=True)):
        controller.log_probability(x)
        for x in everything()
    }  # fmt: skip
    assert len(networks) == SPACE.network_count()
    assert sum(map(math.exp, networks.values())) == pytest.approx(1)


def test_the_entropy_part_climbs_the_entropy():
    flat, sharp = Controller(SPACE, entropy=0.1), Controller(SPACE, 0.1)
    assert all(not g.any() for g in flat.gradient(SPACE.middle(), 0.0))
    sharp.logits[-1][:] = [2, 0]
    gradient = sharp.gradient(SPACE.middle(), 0.0)[-1]
    assert gradient[0] < 0 < gradient[1]


def test_baseline_schedule_and_warm_up():
    controller = Controller(SPACE)
    assert controller.observe(0.5) == 0
    assert controller.baseline == pytest.approx(0.5)
    controller.observe(0.9)
    weights = 0.95 * 0.05, 0.05
    mean = (weights[0] * 0.5 + weights[1] * 0.9) / sum(weights)
    assert controller.baseline == pytest.approx(mean)
    rates = [learning_rate(s, 100, 0.01) for s in (0, 24, 25, 100)]
    assert rates == pytest.approx([0, 0, 0.01, 0.1])
    assert [relaxation(s, 100) for s in (0, 10, 25, 99)] == [1, 0.6, 0, 0]


def test_it_learns_and_its_state_is_all_of_it():
    controller, rng = Controller(SPACE), np.random.default_rng(1)
    start = expected(controller, reward)
    for _ in range(400):
        choices = controller.sample(rng)
        controller.learn(choices, reward(choices), 0.05)
    assert start < 0.3
    assert expected(controller, reward) > 0.5
    assert reward(controller.best()) > 0.6
    assert controller.mean_entropy() < 0.6
    copy = Controller(SPACE)
    copy.load_state(controller.state())
    for c in (controller, copy):
        c.learn(SPACE.middle(), 1.0, 0.1)
    assert np.array_equal(copy.state(), controller.state())
    with pytest.raises(ValueError, match="for another search space"):
        copy.load_state(np.zeros(5))
