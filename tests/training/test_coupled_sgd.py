"""`CoupledSGD` is the published update rule, step by step."""

import keras
import numpy as np
import pytest

from keras_mdl.training import CoupledSGD, get_recipe


def numpy_loop(w, gradients, rates, momentum, l2):
    """The rule written out: the first velocity is the gradient itself."""
    w, v = w.astype("float64"), None
    for gradient, rate in zip(gradients, rates, strict=True):
        g = gradient + l2 * w
        v = g if v is None else momentum * v + g
        w = w - rate * v
    return w


@pytest.mark.parametrize("l2", [0.0, 0.02])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_it_follows_the_equations_while_the_rate_changes(momentum, l2):
    rng = np.random.default_rng(0)
    start = rng.normal(size=(3, 4)).astype("float32")
    gradients = rng.normal(size=(6, 3, 4)).astype("float32")
    rates = [0.1, 0.1, 0.01, 0.01, 0.5, 0.001]
    variable = keras.Variable(start)
    optimizer = CoupledSGD(0.1, momentum=momentum, l2=l2)
    for gradient, rate in zip(gradients, rates, strict=True):
        optimizer.learning_rate = rate
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(variable),
        numpy_loop(start, gradients, rates, momentum, l2),
        rtol=1e-5,
        atol=1e-6,
    )


def test_a_schedule_is_followed():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
        [1], [1.0, 0.1]
    )
    variable = keras.Variable(np.zeros(1, "float32"))
    optimizer = CoupledSGD(schedule, momentum=0.0)
    seen = []
    for _ in range(4):
        optimizer.apply([keras.ops.ones(1)], [variable])
        seen.append(float(keras.ops.convert_to_numpy(variable)[0]))
    np.testing.assert_allclose(seen, [-1, -2, -2.1, -2.2], rtol=1e-6)


def test_every_variable_decays_scales_and_biases_included():
    variables = [
        keras.Variable(np.ones(2, "float32"), name=n) for n in ("gamma", "bias")
    ]
    optimizer = CoupledSGD(0.1, momentum=0.0, l2=0.5)
    optimizer.apply([keras.ops.zeros(2)] * 2, variables)
    for v in variables:
        np.testing.assert_allclose(keras.ops.convert_to_numpy(v), 0.95)


def test_masks_do_not_decay():
    mask = keras.Variable(np.ones(2, "float32"), name="mask")
    gamma = keras.Variable(np.ones(2, "float32"), name="gamma")
    adamw = get_recipe("quick-domain").replace(weight_decay=0.5)
    for optimizer in (
        CoupledSGD(0.1, momentum=0.0, l2=0.5),
        adamw.optimizer("dtd", 10),
    ):
        optimizer.build([mask, gamma])
        before = keras.ops.convert_to_numpy(gamma).copy()
        optimizer.apply([keras.ops.zeros(2)] * 2)
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(mask), 1)
        assert (keras.ops.convert_to_numpy(gamma) < before).all()


def test_its_config_survives_keras_serialization():
    optimizer = CoupledSGD(0.3, momentum=0.7, l2=0.01)
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(optimizer)
    )
    assert type(again) is CoupledSGD
    assert again.get_config() == optimizer.get_config()
    assert (again.momentum, again.l2) == (0.7, 0.01)
