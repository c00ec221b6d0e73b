"""Stages inside one `fit`: what trains, how fast, and what is carried over."""

import keras
import numpy as np
import pytest
from tiny import (
    batch,
    changed_paths,
    compiled,
    fit,
    randomize,
    tiny_model,
    values,
)

from keras_mdl import FreezePlan
from keras_mdl.training import CoupledSGD, Stage, StagedFreezing

HEAD_DOMAIN_BASE = [Stage("head", 1), Stage("domain", 1), Stage("base", 1)]


class Watch(keras.callbacks.Callback):
    """Values of all variables, and the learning rate, after each epoch."""

    def __init__(self, owner):
        super().__init__()
        self.owner = owner
        self.seen = [values(owner)]
        self.rates = []
        self.phases = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(values(self.owner))
        optimizer = self.model.optimizer
        rate = keras.ops.convert_to_numpy(optimizer.learning_rate)
        self.rates.append(float(rate))
        self.phases.append(self.model.phase)

    @property
    def changes(self):
        return [
            changed_paths(a, b)
            for a, b in zip(self.seen, self.seen[1:], strict=False)
        ]


def staged(stages, **options):
    return StagedFreezing(stages, **{"verbose": 0, **options})


def expected_changes(model, domain="a"):
    own = set(model.variables_by_path(domain))
    head = {p for p in own if "/head/" in p}
    trunk = {p for p in model.variables_by_path() if p.startswith("trunk")}
    return [head, own, own | trunk]


def run(optimizer, stages, n=8, fit_options=(), **compile_options):
    """One staged fit from the same start; the model and what was seen."""
    keras.utils.set_random_seed(1)
    model = randomize(tiny_model())
    view = compiled(model["a"], optimizer, **compile_options)
    watch = Watch(model)
    epochs = sum(stage.epochs for stage in stages) if stages else 3
    callbacks = [staged(stages)] if stages else []
    options = {"epochs": epochs, **dict(fit_options)}
    history = fit(view, n=n, callbacks=[*callbacks, watch], **options)
    return model, watch, history.history


SETTINGS = {
    "compiled": {"jit_compile": True},
    "not_compiled": {"jit_compile": False, "metrics": ["accuracy"]},
    "steps_per_execution": {"steps_per_execution": 3},
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_each_epoch_changes_exactly_its_stages_set(setting):
    model, watch, _ = run(
        keras.optimizers.SGD(0.05, momentum=0.9, weight_decay=0.1),
        HEAD_DOMAIN_BASE,
        n=14,
        **SETTINGS[setting],
    )
    assert watch.changes == expected_changes(model)
    assert watch.phases == ["head", "domain", "base"]


OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.05, momentum=0.9),
    "adam": lambda: keras.optimizers.Adam(0.01),
    "coupled_sgd": lambda: CoupledSGD(0.05, momentum=0.9, l2=0.1),
    "accumulating": lambda: keras.optimizers.SGD(
        0.05, momentum=0.9, gradient_accumulation_steps=2
    ),
    "averaging": lambda: keras.optimizers.SGD(
        0.05, momentum=0.9, use_ema=True, ema_momentum=0.5
    ),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_stage_boundary_without_a_change_is_no_boundary(optimizer):
    # Momentum, iterations, averages and half-collected gradients carry over.
    make = OPTIMIZERS[optimizer]
    stages = [[Stage("domain", 3)], [Stage("domain", 1), Stage("domain", 2)]]
    whole, split = (run(make(), s, n=12)[0] for s in stages)
    assert whole.fingerprint() == split.fingerprint()


def test_one_stage_is_an_ordinary_fit():
    make = OPTIMIZERS["adam"]
    staged, plain = (run(make(), s)[0] for s in ([Stage("domain", 3)], []))
    assert staged.fingerprint() == plain.fingerprint()


def test_what_trains_on_keeps_its_momentum_what_is_new_starts_without():
    states = []

    class Peek(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            states.append(self.state())

        def on_epoch_end(self, epoch, logs=None):
            states.append(self.state())

        def state(self):
            return {
                v.path: np.array(keras.ops.convert_to_numpy(v))
                for v in self.model.optimizer.variables
            }

    view = compiled(tiny_model()["a"], keras.optimizers.SGD(0.05, momentum=0.9))
    stages = [Stage("head", 1, 0.1), Stage("domain", 1, 0.05)]
    fit(view, epochs=2, callbacks=[staged(stages), Peek()])
    end, start = states[1], states[2]
    kept = [p for p in end if p.endswith("momentum")]
    assert len(kept) == 2
    for path in kept:
        assert np.abs(end[path]).max() > 0
        np.testing.assert_array_equal(start[path], end[path])
    fresh = [p for p in start if p.endswith("momentum") and p not in kept]
    assert len(fresh) == 7
    assert all(not start[p].any() for p in fresh)
    steps = next(p for p in end if p.endswith("iteration"))
    assert start[steps] == end[steps] == 2


def test_averaged_weights_do_not_shrink_when_they_join_later():
    # Keras starts an average at the very first step only: from zero later on.
    optimizer = keras.optimizers.SGD(1e-7, use_ema=True, ema_momentum=0.99)
    model, watch, _ = run(optimizer, [Stage("head", 1), Stage("domain", 1)])
    before, after = watch.seen[0], values(model)
    for path in before:
        if "/moving_" not in path:
            np.testing.assert_allclose(
                after[path], before[path], atol=1e-5, err_msg=path
            )


# === Learning rates ===


def test_each_stage_has_its_rate_and_its_drops():
    stages = [
        Stage("head", 2, 0.5),
        Stage("domain", 4, 0.1, drops=(1, 3)),
        Stage("domain", 1, 0.2, drops=(5,), factor=0.5),
    ]
    _, watch, _ = run(keras.optimizers.SGD(9.0), stages)
    np.testing.assert_allclose(
        watch.rates, [0.5, 0.5, 0.1, 0.01, 0.01, 0.001, 0.2], rtol=1e-5
    )


def test_no_rate_keeps_the_optimizers():
    _, watch, _ = run(keras.optimizers.SGD(0.25), HEAD_DOMAIN_BASE)
    np.testing.assert_allclose(watch.rates, 0.25)


def test_a_schedule_goes_on_over_the_stages():
    # Two steps an epoch: the schedule counts all of them.
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
        [2, 4], [0.1, 0.2, 0.3]
    )
    stages = [Stage("head", 1, schedule), Stage("domain", 2)]
    _, watch, _ = run(keras.optimizers.SGD(9.0), stages)
    np.testing.assert_allclose(watch.rates, [0.1, 0.2, 0.3], rtol=1e-5)
    # A number after a schedule, and a schedule after a number.
    stages = [
        Stage("head", 1),
        Stage("domain", 1, 0.7),
        Stage("head", 1, schedule),
    ]
    _, watch, _ = run(keras.optimizers.SGD(schedule), stages)
    np.testing.assert_allclose(watch.rates, [0.1, 0.7, 0.3], rtol=1e-5)


def test_the_last_stage_goes_on_to_the_end():
    model = randomize(tiny_model())
    watch = Watch(model)
    stages = [Stage("head", 1), Stage("domain", learning_rate=0.1, drops=(2,))]
    fit(compiled(model["a"]), epochs=4, callbacks=[staged(stages), watch])
    assert watch.phases == ["head"] + ["domain"] * 3
    np.testing.assert_allclose(watch.rates[1:], [0.1, 0.1, 0.01], rtol=1e-5)


def test_starting_late_starts_in_the_right_stage():
    model = randomize(tiny_model())
    watch = Watch(model)
    fit(
        compiled(model["a"]),
        epochs=3,
        initial_epoch=2,
        callbacks=[staged([Stage("head", 2), Stage("domain")]), watch],
    )
    assert watch.phases == ["domain"]


# === Precision, joint views, validation ===


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_16_bit_training_walks_through_stages(policy):
    model = randomize(tiny_model(dtype=policy))
    view = compiled(model["a"], keras.optimizers.SGD(0.05, momentum=0.9))
    watch, scales = Watch(model), []

    class Scale(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            optimizer = self.model.optimizer
            if policy == "mixed_float16":
                if epoch == 0:
                    optimizer.dynamic_scale.assign(64.0)
                scale = keras.ops.convert_to_numpy(optimizer.dynamic_scale)
                scales.append(float(scale))

    fit(view, epochs=3, callbacks=[staged(HEAD_DOMAIN_BASE), Scale(), watch])
    assert watch.changes == expected_changes(model)
    # The loss scale that was found is kept, not searched again.
    assert scales == ([64.0] * 3 if policy == "mixed_float16" else [])


def test_a_joint_view_walks_through_stages():
    model = randomize(tiny_model(("a", "b", "c")))
    watch = Watch(model)
    view = compiled(model.joint(["a", "b"]), keras.optimizers.AdamW(0.01))
    fit(view, epochs=3, callbacks=[staged(HEAD_DOMAIN_BASE), watch])
    assert [
        {p.split("/")[-2] for p in changed} == {"head"}
        for changed in watch.changes
    ] == [True, False, False]
    owners = [{"/".join(p.split("/")[:2]) for p in c} for c in watch.changes]
    assert owners[0] == owners[1] == {"domains/a", "domains/b"}
    assert owners[2] == {"domains/a", "domains/b", "trunk/conv1"}


def test_validation_sees_the_weights_of_its_epoch():
    keras.utils.set_random_seed(1)
    model = randomize(tiny_model())
    x, y = batch("a", 6, seed=5)
    judge = model.for_domain("a", "frozen")
    judge.compile("sgd", "sparse_categorical_crossentropy")
    judged = []

    class Judge(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            judged.append(judge.evaluate(x, y, verbose=0))

    history = fit(
        compiled(model["a"], keras.optimizers.SGD(0.05, momentum=0.9)),
        epochs=3,
        validation_data=(x, y),
        callbacks=[staged(HEAD_DOMAIN_BASE), Judge()],
    ).history
    np.testing.assert_allclose(history["val_loss"], judged, rtol=1e-4)
    assert len(set(judged)) == 3


def test_after_the_fit_the_view_predicts_with_the_trained_weights():
    model, _, _ = run(keras.optimizers.SGD(0.05), HEAD_DOMAIN_BASE)
    x = batch("a")[0]
    view = model.for_domain("a", "frozen")
    np.testing.assert_allclose(
        model["a"].predict(x, verbose=0),
        keras.ops.convert_to_numpy(view(x)),
        atol=1e-5,
    )


def test_a_plan_of_ones_own_is_a_stage():
    plan = FreezePlan(
        "biases", [("domains/{domain}/*/bias", True), ("*", False)]
    )
    _, watch, _ = run(keras.optimizers.SGD(0.05), [Stage(plan, 1)])
    assert watch.changes == [{"domains/a/head/head/bias"}]


def test_the_table_of_each_stage_is_printed(capsys):
    model = tiny_model()
    fit(
        compiled(model["a"]),
        epochs=2,
        callbacks=[StagedFreezing([Stage("head", 1, 0.5), Stage("domain", 1)])],
    )
    text = capsys.readouterr().out
    assert "stage 1 of 2, learning rate 0.5" in text
    assert "stage 2 of 2" in text
    assert "phase 'head', training a" in text
    assert text.count("frozen") >= 2


# === Fitting again, backups ===


def test_two_fits_in_a_row_each_walk_all_stages():
    model = randomize(tiny_model())
    view = compiled(model["a"])
    callback = staged([Stage("head", 1), Stage("domain", 1)])
    for _ in range(2):
        watch = Watch(model)
        history = fit(view, epochs=2, callbacks=[callback, watch])
        assert history.epoch == [0, 1]
        assert watch.changes == expected_changes(model)[:2]


def backup_of_two_epochs(path):
    model = tiny_model()
    fit(
        compiled(model["a"]),
        epochs=2,
        callbacks=[
            staged([Stage("head", 1), Stage("domain")], backup_dir=path),
            keras.callbacks.BackupAndRestore(path, delete_checkpoint=False),
        ],
    )
    return model


def test_a_resumed_fit_goes_on_and_the_next_one_starts_anew(tmp_path):
    trained = backup_of_two_epochs(tmp_path)
    model = tiny_model()
    view = compiled(model["a"])
    loaded = []

    class Loaded(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            loaded.append(values(model))

    history = fit(
        view,
        epochs=3,
        callbacks=[
            staged([Stage("head", 1), Stage("domain")], backup_dir=tmp_path),
            keras.callbacks.BackupAndRestore(tmp_path),
            Loaded(),
        ],
    )
    assert history.epoch == [2]
    own = model.variables_by_path("a")
    assert all(np.array_equal(loaded[0][p], values(trained)[p]) for p in own)
    assert fit(view, epochs=1).epoch == [0]


def test_resuming_without_being_told_is_refused(tmp_path):
    backup_of_two_epochs(tmp_path)
    callbacks = [
        staged([Stage("domain")]),
        keras.callbacks.BackupAndRestore(tmp_path),
    ]
    with pytest.raises(ValueError, match="pass the same `backup_dir`"):
        fit(compiled(tiny_model()["a"]), epochs=3, callbacks=callbacks)


# === Errors ===


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StagedFreezing([]), "at least one stage"),
        (lambda: StagedFreezing(["head", "domain"]), "Only the last stage"),
        (lambda: StagedFreezing(["warmup"]), "Unknown phase: 'warmup'"),
        (lambda: Stage("warmup"), "Known phases: base, domain, head"),
        (lambda: Stage("head", 0), "at least 1 epoch"),
        (lambda: Stage("head", 3, drops=(1,)), "`drops` need"),
    ],
)
def test_impossible_stages_are_refused_with_a_reason(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_ordinary_model_is_refused():
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3)])
    model.compile("sgd", "mse")
    with pytest.raises(TypeError, match="needs a view of a MultiDomainModel"):
        model.fit(
            batch("a")[0],
            np.zeros((8, 3)),
            callbacks=[staged(["head"])],
            verbose=0,
        )


def test_a_phase_that_trains_nothing_is_refused_in_the_fit():
    view = compiled(tiny_model()["a"])
    with pytest.raises(ValueError, match="'gate' trains no variable"):
        fit(view, callbacks=[staged(["gate"])])
