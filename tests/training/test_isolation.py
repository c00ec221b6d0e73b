"""Training one domain changes no bit of any other, nor of a frozen trunk."""

import keras
import numpy as np
import pytest
from tiny import (
    OPTIMIZERS,
    changed_owners,
    changed_paths,
    compiled,
    fit,
    images,
    randomize,
    tiny_model,
    values,
)

import keras_mdl
from keras_mdl import FreezePlan
from keras_mdl.training import Stage, StagedFreezing

every_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)
decaying = pytest.mark.parametrize("optimizer", ["adamw", "coupled_sgd"])


def model_of(*domains):
    return randomize(tiny_model(domains or ("a", "b", "c")))


@every_optimizer
def test_a_domains_training_changes_that_domain_alone(optimizer, tmp_path):
    model = model_of()
    before = values(model)
    fit(compiled(model["a"], OPTIMIZERS[optimizer]()))
    changed = changed_paths(before, values(model))
    # All of it: weights, offsets and running statistics.
    assert changed == set(model.variables_by_path("a"))

    model.save(tmp_path / "m.keras")
    again = keras_mdl.load_model(tmp_path / "m.keras")
    before = values(again)
    fit(compiled(again["b"], OPTIMIZERS[optimizer]()))
    assert changed_owners(before, values(again)) == {"domains/b"}


@decaying
def test_a_domain_added_later_trains_alone(optimizer):
    wider = model_of("a", "b").with_domain("c", 4)
    before = values(wider)
    fit(compiled(wider["c"], OPTIMIZERS[optimizer]()))
    changed = changed_paths(before, values(wider))
    assert changed == set(wider.variables_by_path("c"))


@decaying
def test_joint_training_leaves_absent_domains_and_the_trunk(optimizer):
    model = model_of()
    before = values(model)
    view = model.joint(["a", "b"])
    fit(compiled(view, OPTIMIZERS[optimizer]()))
    assert changed_owners(before, values(model)) == {"domains/a", "domains/b"}


def test_joint_training_of_the_base_trains_the_trunk_and_no_absent_domain():
    model = model_of()
    before = values(model)
    fit(compiled(model.joint(["a", "b"], phase="base"), OPTIMIZERS["adamw"]()))
    assert changed_owners(before, values(model)) == {
        "trunk",
        "domains/a",
        "domains/b",
    }


def test_the_base_phase_reaches_trunk_and_own_slot_only():
    model = model_of()
    before = values(model)
    fit(compiled(model.for_domain("a", "base"), OPTIMIZERS["adamw"]()))
    assert changed_owners(before, values(model)) == {"trunk", "domains/a"}


@decaying
def test_a_head_trains_without_moving_batch_statistics(optimizer):
    model = model_of()
    before = values(model)
    fit(compiled(model.for_domain("a", "head"), OPTIMIZERS[optimizer]()))
    assert changed_paths(before, values(model)) == {
        "domains/a/head/head/kernel",
        "domains/a/head/head/bias",
    }


def test_head_and_norm_moves_the_statistics_too():
    model = model_of()
    before = values(model)
    fit(compiled(model.for_domain("a", "head_and_norm"), OPTIMIZERS["adamw"]()))
    assert changed_paths(before, values(model)) == {
        p
        for p in model.variables_by_path("a")
        if "/norm/" in p or "/head/" in p
    }


def statistics(model):
    return {p for p in model.variables_by_path("a") if "/moving_" in p}


def test_kept_statistics_are_used_and_stay_while_gamma_trains(tmp_path):
    model = model_of()
    view = compiled(model.for_domain("a", "domain_kept"), OPTIMIZERS["adamw"]())
    assert "keep their running statistics" in view.plan_table()
    model.for_domain("a")(images())  # a view in another phase
    before = values(model)
    fit(view)
    own = set(model.variables_by_path("a"))
    assert changed_paths(before, values(model)) == own - statistics(model)
    # A training step sees what inference sees.
    x = images()
    np.testing.assert_array_equal(view(x, training=True), view(x))
    # Copied into a file by itself, it goes on like that.
    view.save(tmp_path / "view.keras")
    alone = keras.models.load_model(tmp_path / "view.keras")
    np.testing.assert_array_equal(alone(x, training=True), view(x))
    # Another phase follows the images again.
    other = model.for_domain("a", "domain")
    assert np.abs(other(x, training=True) - view(x)).max() > 1e-3


def test_a_stage_can_keep_statistics_and_the_next_record_them():
    model = model_of()
    view = compiled(model.for_domain("a", "head"), OPTIMIZERS["adamw"]())
    first, seen = values(model), {}

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if hasattr(view, "jax_state_sync"):
                view.jax_state_sync()
            moved = changed_paths(first, values(model)) & statistics(model)
            seen[view.phase] = bool(moved)

    stages = [Stage("head", 1), Stage("domain_kept", 1), Stage("domain")]
    staged = StagedFreezing(stages, verbose=0)
    fit(view, epochs=3, callbacks=[staged, Look()])
    assert seen == {"head": False, "domain_kept": False, "domain": True}


def test_a_plan_of_ones_own_is_followed_to_the_variable():
    model = model_of()
    plan = FreezePlan(
        "mine",
        [
            ("domains/{domain}/norm1/norm/gamma", False),
            ("domains/{domain}/norm1/*", True),
            ("domains/{domain}/head/head/bias", True),
            ("*", False),
        ],
    )
    before = values(model)
    fit(compiled(model.for_domain("b", plan), OPTIMIZERS["adamw"]()))
    assert changed_paths(before, values(model)) == {
        "domains/b/norm1/norm/beta",
        # The layer adapts, so its statistics do.
        "domains/b/norm1/norm/moving_mean",
        "domains/b/norm1/norm/moving_variance",
        "domains/b/head/head/bias",
    }


# === Views of the same layers do not leak into each other ===


def paths_of(model, domain, phase):
    view = model.for_domain(domain, phase)
    paths = set(view.trainable_paths)
    layers = {p.rpartition("/")[0] for p in paths}
    statistics = {p for p in model.variables_by_path() if "/moving_" in p}
    return paths | {p for p in statistics if p.rpartition("/")[0] in layers}


def test_views_in_different_phases_take_turns():
    model = model_of()
    turns = [("a", "base"), ("a", "head"), ("b", "domain")]
    views = {
        turn: compiled(model.for_domain(*turn), OPTIMIZERS["adamw"]())
        for turn in turns
    }
    sizes = [4, 4, 3]  # the last round is traced anew for another shape
    for size in sizes:
        for turn in turns:
            before = values(model)
            fit(views[turn], n=2 * size, batch_size=size)
            changed = changed_paths(before, values(model))
            assert changed == paths_of(model, *turn), (turn, size)


@pytest.mark.parametrize("when", ["batch", "epoch"])
def test_other_views_may_be_used_during_a_fit(when):
    if when == "batch" and keras.backend.backend() == "jax":
        pytest.skip("on JAX variables hold their values at epoch ends only")
    model = model_of()
    others = [
        compiled(model.for_domain("a", "head")),
        compiled(model["b"]),
        compiled(model.for_domain("c", "frozen")),
    ]
    seen = []

    class Look(keras.callbacks.Callback):
        def look(self):
            for other in others:
                x = images(5)
                other.predict(x, verbose=0)
                labels = np.zeros(5, int)
                seen.append(other.evaluate(x, labels, verbose=0))

        def on_epoch_end(self, epoch, logs=None):
            if when == "epoch":
                self.look()

        def on_train_batch_end(self, step, logs=None):
            if when == "batch":
                self.look()

    before = values(model)
    view = compiled(model.for_domain("a", "base"), OPTIMIZERS["adamw"]())
    # Ten images in fours: the last batch is traced after the others' calls.
    fit(view, n=10, epochs=2, callbacks=[Look()])
    assert len(seen) == len(others) * (2 if when == "epoch" else 6)
    changed = changed_paths(before, values(model))
    assert changed == paths_of(model, "a", "base")


def test_predicting_and_evaluating_change_nothing():
    model = model_of()
    before = model.fingerprint()
    for view in (model["a"], model.joint(["a", "b"])):
        compiled(view)
        x = {d: images(4) for d in view.domains}
        y = {d: np.zeros(4, int) for d in view.domains}
        if len(view.domains) == 1:
            x, y = x["a"], y["a"]
        view.predict(x, verbose=0)
        view.evaluate(x, y, verbose=0)
        view(x, training=False)
    assert model.fingerprint() == before


def test_a_frozen_view_can_be_called_in_training_mode():
    model = model_of()
    before = model.fingerprint()
    model.for_domain("a", "frozen")(images(), training=True)
    assert model.fingerprint() == before


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_isolation_holds_in_16_bits(policy):
    model = randomize(tiny_model(("a", "b"), dtype=policy))
    before = values(model)
    fit(compiled(model["a"], OPTIMIZERS["sgd_decay"]()))
    assert changed_owners(before, values(model)) == {"domains/a"}


@pytest.mark.skipif(
    keras.backend.backend() == "jax",
    reason="XLA compiles the 26 layers for most of a minute; TensorFlow's run "
    "of this test covers them",
)
def test_the_published_network_keeps_its_word():
    model = keras_mdl.build_resnet26({"a": 3, "b": 2}, (8, 8, 3), width=1 / 16)
    before = values(model)
    fit(compiled(model["a"], OPTIMIZERS["adamw"]()))
    changed = changed_paths(before, values(model))
    assert changed == set(model.variables_by_path("a"))


def test_a_changed_phase_must_be_compiled_before_it_is_fitted():
    view = compiled(model_of()["a"])
    view.train_only("head")
    with pytest.raises(ValueError, match=r"call `compile\(\)`"):
        fit(view)
    view.train_only("head")
    fit(compiled(view))
    # Asking for the phase it is in changes nothing.
    fit(view.train_only("head"))
