"""Averages, 16 bits and the search for a rate: what they change, and not."""

import keras
import numpy as np
import pytest
import tiny

from keras_mdl.training import RateTest, find_rate, get_recipe, train

QUICK = get_recipe("quick-domain").replace(epochs=3, batch_size=4)
OWN = "domains/b"


def numpy(variable):
    return np.array(keras.ops.convert_to_numpy(variable))


class Batches(keras.utils.PyDataset):
    def __init__(self):
        super().__init__()
        self.x, self.y = tiny.batch("b", 16)

    def __len__(self):
        return 4

    def __getitem__(self, i):
        return self.x[4 * i : 4 * i + 4], self.y[4 * i : 4 * i + 4]


class Watched(keras.callbacks.Callback):
    """The trained values and the layers' types after each step."""

    def __init__(self):
        super().__init__()
        self.steps, self.types = [], set()

    def on_train_batch_end(self, step, logs=None):
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        variables = self.model.trainable_variables
        self.steps.append({v.path: numpy(v) for v in variables})
        self.types |= {x.compute_dtype for x in self.model.layers}


def test_the_average_over_the_steps_is_validated_and_left():
    model, watched, images = tiny.tiny_model(), Watched(), Batches()
    before = tiny.values(model)
    view = model.for_domain("b")
    history = train(
        view, QUICK.replace(ema=0.8), images, images, [watched], verbose=0
    ).history
    changed = tiny.changed_owners(before, tiny.values(model))
    assert changed == {OWN}
    average = watched.steps[0]
    for step in watched.steps[1:]:
        average = {p: 0.8 * average[p] + 0.2 * v for p, v in step.items()}
    for variable in view.trainable_variables:
        np.testing.assert_allclose(
            numpy(variable), average[variable.path], atol=2e-6
        )
        assert not np.allclose(average[variable.path], step[variable.path])
    loss = view.evaluate(images, verbose=0, return_dict=True)["loss"]
    assert loss == pytest.approx(history["val_loss"][-1], rel=1e-5)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_in_16_bits_the_model_stays_what_it_was(precision):
    model, watched, images = tiny.tiny_model(), Watched(), Batches()
    before, config = tiny.values(model), model.get_config()
    view = model.for_domain("b")
    history = train(
        view, QUICK.replace(precision=precision), images, images, [watched],
        verbose=0,
    ).history  # fmt: skip
    after = tiny.values(model)
    assert tiny.changed_owners(before, after) == {OWN}
    assert {v.dtype for v in after.values()} == {np.dtype("float32")}
    assert model.get_config() == config
    assert precision.removeprefix("mixed_") in watched.types
    assert {x.compute_dtype for x in view.layers} == {"float32"}
    scaled = hasattr(view.optimizer, "inner_optimizer")
    assert scaled == (precision == "mixed_float16")
    # Afterwards it computes in 32 bits, to about the same result.
    loss = view.evaluate(images, verbose=0, return_dict=True)["loss"]
    assert loss == pytest.approx(history["val_loss"][-1], rel=0.02)
    assert loss != history["val_loss"][-1]
    new = view.predict(images.x, verbose=0)
    np.testing.assert_allclose(new, tiny.predict(model, "b", images.x), 1e-5)


def test_a_rate_is_found_on_a_copy():
    model, images = tiny.tiny_model(), Batches()
    before = tiny.values(model)
    view = model.for_domain("b", phase="head")
    found = find_rate(view, QUICK, images, 1e-5, 1e3, 40)
    assert tiny.changed_paths(before, tiny.values(model)) == set()
    assert view.phase == "head"
    assert found.diverged
    assert found.rates[0] == 1e-5
    assert len(found.rates) < 40  # it did not go on for nothing
    steps = np.diff(np.log(found.rates))
    np.testing.assert_allclose(steps, np.log(1e8) / 39)
    assert np.isclose(10 * found.suggested, found.rates).any()
    few = find_rate(view, QUICK, images, 1e-7, 1e-6, 10)
    assert len(few.rates) == 10
    with pytest.raises(ValueError, match="low < high and 10 steps"):
        find_rate(view, QUICK, images, 1e-2, 1e-3)


def test_the_suggestion_is_before_the_end_of_the_fall():
    rates = tuple(10.0 ** np.arange(-5, 1, 0.05))
    fall = np.clip(np.log10(rates) + 3.5, 0, 2)  # from 3e-4 to 3e-2
    noise = np.random.default_rng(0).normal(0, 0.02, len(rates))
    losses = tuple(3 - fall + noise)
    found = RateTest(rates, losses, tuple(3 - fall))
    assert found.suggested == pytest.approx(10**-1.7 / 10, rel=0.15)
    assert found.conclusive
    assert not RateTest(rates, tuple(3 + noise), tuple(3 + noise)).conclusive


@pytest.mark.parametrize(
    "changes", [{"ema": 1.0}, {"balance": 2}, {"precision": "float16"}]
)
def test_recipes_refuse_what_cannot_be(changes):
    with pytest.raises(ValueError, match=f"{next(iter(changes))}"):
        QUICK.replace(**changes)
