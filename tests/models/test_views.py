"""A view is an ordinary `keras.Model`, and it is asked for by its phase."""

import keras
import numpy as np
import pytest
from tiny import (
    LOSS,
    SIZE,
    batch,
    compiled,
    fit,
    images,
    labels,
    predict,
    randomize,
    tiny_model,
    values,
)

import keras_mdl


@pytest.fixture
def model():
    return tiny_model()


def test_the_same_arguments_give_the_same_view(model):
    assert model["a"] is model.for_domain("a")
    assert model["a"] is model.for_domain("a", phase="domain")
    assert model["a"] is not model.for_domain("a", phase="head")
    assert model["a"] is not model["b"]
    assert model.joint() is not model.joint()


def test_a_view_that_moved_on_is_not_handed_out_for_its_old_phase(model):
    # Otherwise `model["a"]` would train the trunk in silence.
    moved = model["a"].train_only("base")
    assert model["a"].phase == "domain"
    assert not [p for p in model["a"].trainable_paths if "trunk" in p]
    assert moved.phase == "base"
    assert model["a"] is model["a"]


def test_a_view_holds_its_domain_and_no_other(model):
    ids = {id(v) for v in model["a"].weights}
    variables = model.variables_by_path()
    assert ids == {id(v) for p, v in variables.items() if "domains/b" not in p}


def test_it_is_a_functional_model(model):
    view = model["a"]
    assert isinstance(view, keras.Model)
    assert view.domain == "a"
    assert view.input_shape == (None, 8, 8, 3)
    assert keras.Model(view.input, view.get_layer("relu1").output)(
        images(2)
    ).shape == (2, 8, 8, 4)
    lines = []
    view.summary(print_fn=lambda text, **_: lines.append(text))
    assert "Trainable params: 146" in "\n".join(lines).replace("  ", " ")
    assert sum(np.prod(v.shape) for v in view.trainable_variables) == 146


def test_fit_evaluate_predict_with_all_the_usual_options(model, tmp_path):
    view = compiled(
        model["a"], keras.optimizers.Adam(0.01), metrics=["accuracy"]
    )
    checkpoint = tmp_path / "best.keras"
    callbacks = [
        keras.callbacks.ModelCheckpoint(checkpoint, monitor="loss"),
        keras.callbacks.EarlyStopping(
            "loss", patience=5, restore_best_weights=True
        ),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.ReduceLROnPlateau("loss"),
        keras.callbacks.TerminateOnNaN(),
    ]
    x, y = batch("a", 12)
    history = view.fit(
        x,
        y,
        batch_size=4,
        epochs=3,
        validation_split=0.25,
        class_weight={0: 1.0, 1: 2.0, 2: 0.5},
        callbacks=callbacks,
        verbose=0,
    ).history
    assert history["loss"][-1] < history["loss"][0]
    assert len(history["val_accuracy"]) == 3
    result = view.evaluate(x, y, verbose=0, return_dict=True)
    probabilities = keras.ops.softmax(view.predict(x, verbose=0))
    chosen = keras.ops.convert_to_numpy(probabilities)[np.arange(12), y]
    assert result["loss"] == pytest.approx(-np.log(chosen).mean(), rel=1e-4)
    again = keras_mdl.load_model(checkpoint)
    assert again.predict(x, verbose=0).shape == (12, 3)


def test_early_stopping_restores_the_best_weights(model):
    view = compiled(model["a"], keras.optimizers.SGD(1e3))
    stop = keras.callbacks.EarlyStopping(
        "loss", mode="max", patience=0, restore_best_weights=True
    )
    seen = []
    remember = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: seen.append(values(model))
    )
    history = fit(view, epochs=4, callbacks=[remember, stop]).history["loss"]
    best = seen[int(np.argmax(history))]
    after = values(model)
    assert all(np.array_equal(best[p], after[p]) for p in best)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="the TensorBoard callback writes with TensorFlow",
)
def test_tensorboard_logs_are_written(model, tmp_path):
    board = keras.callbacks.TensorBoard(tmp_path, histogram_freq=1)
    x, y = batch("a")
    fit(compiled(model["a"]), validation_data=(x, y), callbacks=[board])
    assert list(tmp_path.glob("train/events*"))
    assert list(tmp_path.glob("validation/events*"))


# === Losses ===


@pytest.mark.parametrize(
    "loss",
    [
        "sparse_categorical_crossentropy",
        "SparseCategoricalCrossentropy",
        keras.losses.sparse_categorical_crossentropy,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    ],
    ids=["string", "class_name", "function", "object"],
)
def test_every_way_to_name_the_loss_means_logits(model, loss):
    view = model["a"]
    view.compile("sgd", loss)
    x, y = batch("a")
    logits = predict(model, "a", x).astype("float64")
    logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = -logits[np.arange(len(y)), y].mean()
    assert view.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    "loss",
    [
        keras.losses.SparseCategoricalCrossentropy(),
        keras.losses.CategoricalCrossentropy(),
        keras.losses.BinaryCrossentropy(),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_a_loss_of_probabilities_is_refused(model, loss):
    with pytest.raises(ValueError, match="from_logits=True"):
        model["a"].compile("sgd", loss)
    with pytest.raises(ValueError, match="from_logits=True"):
        model.joint().compile("sgd", {"a": loss, "b": loss})


def test_other_losses_and_no_loss_pass_untouched(model):
    view = model["a"]
    mine = keras.losses.MeanSquaredError()
    view.compile("sgd", mine)
    assert view.loss is mine
    model["b"].compile("sgd")
    assert model["b"].loss is None


# === Files ===


def test_a_compiled_view_continues_from_its_file_as_if_never_stopped(
    model, tmp_path
):
    view = compiled(
        model.for_domain("a", "base"), keras.optimizers.SGD(0.05, momentum=0.9)
    )
    fit(view, epochs=2)
    # Another view of the same layers leaves other flags behind.
    model.for_domain("a", "head")(images(), training=True)
    view.save(tmp_path / "view.keras")
    again = keras_mdl.load_model(tmp_path / "view.keras", compile=True)
    assert len(again.trainable_variables) == len(view.trainable_variables)
    assert isinstance(again.optimizer, keras.optimizers.SGD)
    x, y = batch("a")
    for network in (view, again):
        network.fit(x, y, batch_size=4, epochs=1, shuffle=False, verbose=0)
    for v, w in zip(view.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(v, w, atol=1e-6)


@pytest.mark.parametrize("phase", ["head", "domain"])
def test_a_loaded_view_still_trains_its_phase_only(model, phase, tmp_path):
    view = compiled(model.for_domain("a", phase))
    frozen = len(view.weights) - len(view.trainable_weights)
    view.save(tmp_path / "view.keras")
    again = keras_mdl.load_model(tmp_path / "view.keras", compile=True)
    assert len(again.weights) - len(again.trainable_weights) == frozen
    before = [np.array(keras.ops.convert_to_numpy(v)) for v in again.weights]
    x, y = batch("a")
    again.fit(x, y, verbose=0)
    moved = {
        v.path
        for v, old in zip(again.weights, before, strict=True)
        if not np.array_equal(keras.ops.convert_to_numpy(v), old)
    }
    assert not [p for p in moved if "pointwise/" in p and "conv1" in p]
    if phase == "head":
        assert all("head" in p for p in moved)


def test_a_view_loaded_by_itself_says_what_it_lacks(model, tmp_path):
    view = randomize(model)["a"]
    view.save(tmp_path / "view.keras")
    again = keras_mdl.load_model(tmp_path / "view.keras")
    x = images()
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(again(x)), predict(model, "a", x)
    )
    with pytest.raises(AttributeError, match="loaded by itself"):
        again.train_only("head")


# === Joint views ===


def test_joint_batches_may_differ_in_size(model):
    view = model.joint()
    outputs = view({"a": images(3), "b": images(5)})
    assert outputs["a"].shape == (3, 3)
    assert outputs["b"].shape == (5, 2)


def test_the_joint_loss_is_the_weighted_sum(model):
    view = model.joint()
    view.compile("sgd", LOSS, loss_weights={"a": 2.0, "b": 0.5})
    x = {d: images(8, i) for i, d in enumerate("ab")}
    y = {d: labels(d, 8, i) for i, d in enumerate("ab")}
    result = view.evaluate(x, y, verbose=0, return_dict=True)
    parts = {}
    for d in "ab":
        model[d].compile("sgd", LOSS)
        parts[d] = model[d].evaluate(x[d], y[d], verbose=0)
    assert result["loss"] == pytest.approx(
        2 * parts["a"] + 0.5 * parts["b"], rel=1e-5
    )


def test_loss_weights_change_in_the_middle_of_a_fit(model):
    view = model.joint(phase="head")
    view.compile(keras.optimizers.SGD(0.1), LOSS, metrics=["accuracy"])
    seen = []

    class Mute(keras.callbacks.Callback):
        def on_train_batch_begin(self, step, logs=None):
            if step == 1:
                # Also brings the variables up to date, which on JAX are
                # empty between steps.
                self.model.set_loss_weights({"b": 0.0})
                seen.append(values(model))

    fit(view, n=12, callbacks=[Mute()])
    after = values(model)
    path = "domains/{}/head/head/kernel"
    # Plain SGD: no momentum, so a weight of 0 stops b at once.
    assert np.array_equal(seen[0][path.format("b")], after[path.format("b")])
    assert not np.array_equal(
        seen[0][path.format("a")], after[path.format("a")]
    )
    with pytest.raises(ValueError, match="Known domains: 'a', 'b'"):
        view.set_loss_weights({"c": 1.0})
    with pytest.raises(ValueError, match="Known domains: 'a', 'b'"):
        view.compile("sgd", LOSS, loss_weights={"c": 1.0})


def test_a_joint_view_saves_the_whole_model(model, tmp_path):
    view = compiled(model.joint(["b"]))
    view.save(tmp_path / "m.keras")
    again = keras_mdl.load_model(tmp_path / "m.keras")
    assert again.fingerprint() == model.fingerprint()


def test_endpoints_belong_to_the_view_of_any_domain_and_phase(model):
    # Keras' `layer.output` of a shared layer is that of the first graph only.
    x = images(2)
    for domain in ("a", "b"):
        for phase in ("base", "domain"):
            view = model.for_domain(domain, phase=phase)
            # Slotted layers as wholes, their depthwise halves, and what
            # stands between them.
            names = ["conv1", "norm1", "relu1", "conv2", "norm2", "relu2"]
            halves = [f"conv{i}/depthwise" for i in (1, 2)]
            assert set(view.endpoints) == {*names, *halves, "pool", "head"}
            assert [n for n in view.endpoints if n not in halves] == [
                *names, "pool", "head",
            ]  # fmt: skip
            inner = keras.Model(view.inputs, view.endpoints)
            found = inner.predict(x, verbose=0)
            assert found["conv1"].shape == (2, SIZE, SIZE, 4)
            pointwise = model.variables_by_path()[
                "trunk/conv1/pointwise/kernel"
            ]
            np.testing.assert_allclose(
                found["conv1/depthwise"]
                @ keras.ops.convert_to_numpy(pointwise)[0, 0],
                found["conv1"],
                rtol=1e-4,
                atol=1e-5,
            )
            np.testing.assert_array_equal(
                found["head"], view.predict(x, verbose=0)
            )


# === What goes wrong leaves the model whole ===

FAULTS = {
    "channels": lambda v: v.predict(images()[..., :2], verbose=0),
    "empty": lambda v: v.predict(images()[:0], verbose=0),
    "loader": lambda v: v.predict(_Broken(), verbose=0),
    "evaluate": lambda v: v.evaluate(_Broken(), verbose=0),
    "fit": lambda v: v.fit(_Broken(), verbose=0),
}


class _Broken(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        raise OSError("a file is gone")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_failed_run_of_one_view_loses_nothing(fault):
    """On JAX the trunk, and with it every domain, would be gone."""
    model = randomize(tiny_model())
    view = compiled(model["b"])
    fit(view)
    before = model.fingerprint()
    with pytest.raises(Exception):  # noqa: B017, PT011
        FAULTS[fault](view)
    assert model.fingerprint() == before
    assert model["a"].predict(images(), verbose=0).shape == (8, 3)
    fit(view)
    assert model.fingerprint()["trunk"] == before["trunk"]


def test_a_model_over_endpoints_never_trains_the_trunk():
    model = randomize(tiny_model())
    view = model.for_domain("b", phase="frozen")
    model.for_domain("a", phase="base")  # made, and flags with it
    x = keras.layers.GlobalAveragePooling2D()(view.endpoints["norm2"])
    outer = keras.Model(view.inputs, keras.layers.Dense(2)(x))
    before = model.fingerprint()
    outer.compile(
        keras.optimizers.SGD(0.05),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    outer.fit(images(), labels("b"), verbose=0)
    assert model.fingerprint() == before


def test_setting_trainable_is_a_phase():
    view = tiny_model()["b"]
    view.trainable = True  # as it is
    view.trainable = False
    assert view.phase == "frozen"
    assert not view.trainable_variables
    assert not view.trainable
    with pytest.raises(ValueError, match="train_only"):
        view.trainable = True


def test_a_plan_that_a_file_cannot_keep_is_refused(tmp_path):
    plan = keras_mdl.FreezePlan(
        "biases", [("domains/{domain}/*/bias", True), ("*", False)]
    )
    model = tiny_model()
    view = model.for_domain("a", phase=plan)
    path = tmp_path / "view.keras"
    with pytest.raises(ValueError, match="part of the variables"):
        view.save(path)
    assert not path.exists()
    model.save(path)


def test_metrics_get_logits_as_losses_do():
    view = tiny_model()["a"]
    y = labels("a")
    for metric in (
        "sparse_categorical_crossentropy",
        "SparseCategoricalCrossentropy",
    ):
        view.compile("sgd", LOSS, metrics=[metric])
        loss, found = view.evaluate(images(), y, verbose=0)
        assert found == pytest.approx(loss, rel=1e-4)
    with pytest.raises(ValueError, match="from_logits=True"):
        view.compile(
            "sgd",
            LOSS,
            metrics=[keras.metrics.SparseCategoricalCrossentropy()],
        )


def test_a_joint_view_takes_a_name_and_names_all_its_losses():
    model = tiny_model({"a": 3, "a_network": 2})
    joint = model.joint()
    assert model.joint("a").domains == ("a",)
    with pytest.raises(ValueError, match="every domain"):
        joint.compile("sgd", {"a": LOSS})


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_pure_dtypes_train(dtype):
    if dtype == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX has no float64 unless it is switched on")
    model = tiny_model(dtype=dtype)
    before = model.fingerprint()
    fit(compiled(model["a"]))
    after = model.fingerprint()
    assert [k for k in before if before[k] != after[k]] == ["domains/a"]
