"""Balancing rules: their formulas, and what they do to a joint training."""

import keras
import numpy as np
import pytest
import tiny

from keras_mdl.training import (
    BoundedPriority,
    DynamicWeightAverage,
    ExponentialWeights,
    UncertaintyWeights,
    get_balancing,
)

LOSSES = np.float32([0.5, 2.0])


def weights(rule, losses=LOSSES, state=None):
    state = rule.initial([2, 100]) if state is None else state
    found, state = rule(keras.ops.convert_to_tensor(losses), state)
    return keras.ops.convert_to_numpy(found), state


def test_formulas():
    np.testing.assert_allclose(
        weights(ExponentialWeights(2.0))[0], np.exp(LOSSES / 2) / 2, rtol=1e-6
    )
    relative = np.exp(LOSSES / np.log([2, 100]) / 0.5)
    found, _ = weights(BoundedPriority())
    np.testing.assert_allclose(found, 2 * relative / relative.sum(), rtol=1e-5)
    found, state = weights(UncertaintyWeights(0.1))
    np.testing.assert_allclose(found, [1, 1])
    np.testing.assert_allclose(
        state["log_variance"], 0.1 * (LOSSES - 0.5), atol=1e-7
    )


def test_what_falls_slowly_counts_more_after_two_windows():
    rule = DynamicWeightAverage(window=2)
    state = rule.initial([2, 100])
    for losses in ([1, 1], [1, 1], [0.5, 1], [0.5, 1]):
        found, state = weights(rule, np.float32(losses), state)
        np.testing.assert_allclose(found, [1, 1], rtol=1e-6)
    e = np.exp(np.float32([0.5, 1]) / 2)
    found, _ = weights(rule, LOSSES, state)
    np.testing.assert_allclose(found, 2 * e / e.sum(), rtol=1e-5)


def step(balancing, **options):
    """`(values before, after, joint view)` of one step of plain SGD."""
    keras.utils.set_random_seed(0)
    model = tiny.tiny_model()
    view = model.joint(phase="base")
    view.compile(
        keras.optimizers.SGD(0.1), tiny.LOSS, balancing=balancing, **options
    )
    before = tiny.values(model)
    history = tiny.fit(view, batch_size=8).history
    return before, tiny.values(model), view, history


def test_a_rule_scales_the_gradients_of_each_domain():
    before, plain, _, history = step(None)
    _, after, _, balanced = step(ExponentialWeights())
    for d in ("a", "b"):
        path = f"domains/{d}/head/head/kernel"
        weight = np.exp(history[f"{d}_loss"][0])
        np.testing.assert_allclose(
            after[path] - before[path],
            weight * (plain[path] - before[path]),
            rtol=1e-3, atol=1e-7,
        )  # fmt: skip
        # What is logged for a domain stays its loss.
        assert balanced[f"{d}_loss"] == pytest.approx(history[f"{d}_loss"])
    weight = np.exp(history["a_loss"][0])
    _, halved, _, _ = step(ExponentialWeights(), loss_weights={"a": 0.5})
    path = "domains/a/head/head/kernel"
    np.testing.assert_allclose(
        halved[path] - before[path],
        0.5 * weight * (plain[path] - before[path]),
        rtol=1e-3, atol=1e-7,
    )  # fmt: skip


def test_a_rule_keeps_its_state_between_steps_and_starts_anew():
    _, _, view, history = step(UncertaintyWeights(0.1))
    state = keras.ops.convert_to_numpy(view.balancing_log_variance)
    losses = [history[f"{d}_loss"][0] for d in ("a", "b")]
    np.testing.assert_allclose(
        state, 0.1 * (np.float32(losses) - 0.5), rtol=1e-4
    )
    view.compile("sgd", tiny.LOSS, balancing=UncertaintyWeights(0.1))
    assert not keras.ops.convert_to_numpy(view.balancing_log_variance).any()


@pytest.mark.parametrize("name", ["equal", "bounded", "dynamic"])
def test_a_rule_whose_weights_sum_to_the_domains_keeps_the_scale(name):
    _, _, _, history = step(get_balancing(name))
    parts = [history[f"{d}_loss"][0] for d in ("a", "b")]
    assert min(parts) * 2 <= history["loss"][0] * (1 + 1e-5)
    assert history["loss"][0] <= max(parts) * 2 * (1 + 1e-5)


def test_unknown_rules_are_refused():
    assert get_balancing({"exponential": {"width": 3}}).width == 3
    with pytest.raises(ValueError, match=r"Unknown balancing: 'abdp'.*bounded"):
        get_balancing("abdp")
    with pytest.raises(ValueError, match=r"'bounded'.*unexpected keyword"):
        get_balancing({"bounded": {"width": 3}})
    with pytest.raises(ValueError, match="`rate` must be a number above 0"):
        UncertaintyWeights(0)
