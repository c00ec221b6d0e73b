"""What users of such models do by mistake, or to the letter of Keras' docs."""

import copy
import pickle

import keras
import numpy as np
import pytest
from tiny import (
    compiled,
    fit,
    images,
    labels,
    predict,
    randomize,
    tiny,
    tiny_dense,
    tiny_model,
    values,
)

import keras_mdl
from keras_mdl.layers.transforms import ADAPTERS
from keras_mdl.models import build_dense_resnet26
from keras_mdl.models.logits import expects_logits, metric_of_logits


@pytest.fixture
def model():
    return randomize(tiny_model())


# === Copies of a view are as `view.save` writes it ===


def by_save_model(view, path):
    keras.saving.save_model(view, path)
    return keras.models.load_model(path)


COPIES = {
    "save": lambda v, p: (v.save(p), keras.models.load_model(p))[1],
    "save_model": by_save_model,
    "deepcopy": lambda v, p: copy.deepcopy(v),
    "pickle": lambda v, p: pickle.loads(pickle.dumps(v)),
    "clone_model": lambda v, p: keras.models.clone_model(v),
    "json": lambda v, p: keras.models.model_from_json(v.to_json()),
    "config": lambda v, p: type(v).from_config(v.get_config()),
}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("phase", ["domain", "head"])
def test_a_copy_of_a_view_trains_what_the_view_trains(
    model, way, phase, tmp_path
):
    view = compiled(model.for_domain("a", phase))
    fit(view)
    before = model.fingerprint()
    twin = COPIES[way](view, tmp_path / "v.keras")
    assert model.fingerprint() == before
    names = [
        sorted(v.path.split("/")[-2:] for v in m.trainable_variables)
        for m in (view, twin)
    ]
    assert names[0] == names[1]
    if way not in ("clone_model", "json", "config"):  # structure alone
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(twin(images())), predict(model, "a")
        )
        assert len(twin.optimizer.variables) == len(view.optimizer.variables)
    twin = compiled(twin)
    twin.fit(images(), labels("a"), verbose=0)
    assert model.fingerprint() == before


@pytest.mark.parametrize(
    "way", [w for w in COPIES if w not in ("save", "clone_model")]
)
def test_a_joint_view_is_not_copied_by_itself(model, way, tmp_path):
    path = tmp_path / "j.keras"
    with pytest.raises(TypeError, match="MultiDomainModel"):
        COPIES[way](model.joint(), path)


def test_a_summary_marks_what_trains(model, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    for phase, trained in (("domain", True), ("head", False)):
        model.for_domain("a", phase).summary(
            show_trainable=True, line_length=150
        )
        lines = capsys.readouterr().out.splitlines()
        cells = [line.split("│") for line in lines if line.count("│") > 3]
        marks = {
            row[1].split()[0]: "Y" in "".join(row[2:])
            for row in cells
            if row[1].strip()
        }
        marks = {
            name: marks[name]
            for name in ("conv1_depthwise_a", "conv1_pointwise", "head_head_a")
        }
        assert marks == {
            "conv1_depthwise_a": trained,
            "conv1_pointwise": False,
            "head_head_a": True,
        }


@pytest.mark.parametrize("name", ["m.h5", "m.hdf5", "m", "m.tf"])
def test_formats_that_cannot_be_loaded_are_not_written(model, name, tmp_path):
    for saved in (model, model["a"]):
        with pytest.raises(ValueError, match=r"ends in `\.keras`"):
            saved.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_what_keras_writes_by_itself_in_another_format_is_named(
    model, tmp_path
):
    for saved in (model, model["a"]):
        keras.saving.save_model(saved, tmp_path / "m.h5")
        with pytest.raises(ValueError, match="is an HDF5 file"):
            keras_mdl.load_model(tmp_path / "m.h5")


# === Weights of others ===


def test_weights_of_fewer_or_other_domains_change_nothing(model, tmp_path):
    narrow = randomize(model.without_domain("b"), seed=3)
    narrow.save_weights(tmp_path / "n.weights.h5")
    twin = randomize(tiny_model({"a": 3, "b": 3}), seed=5)
    twin["b"].save_weights(tmp_path / "b.weights.h5")
    narrow["a"].save_weights(tmp_path / "a.weights.h5")
    plain = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    plain.save_weights(tmp_path / "p.weights.h5")
    before = model.fingerprint()
    for into, file, message in (
        (model, "n", "other domains"),
        (model["a"], "b", "other domains"),
        (model["a"], "a", "another trunk"),
        (model["a"], "p", "does not say"),
    ):
        with pytest.raises(ValueError, match=message):
            into.load_weights(tmp_path / f"{file}.weights.h5")
        assert model.fingerprint() == before
    # The only domain of its model may take a whole network.
    alone = model.only_domain("a")
    alone["a"].load_weights(tmp_path / "a.weights.h5")
    assert alone.fingerprint() == narrow.fingerprint()


# === Losses and metrics of probabilities ===

# All of them compare classes, or numbers as they are.
FIT_LOGITS = {
    "losses": {
        "CTC", "CategoricalHinge", "Circle", "CosineSimilarity", "Hinge",
        "Huber", "LogCosh", "Loss", "MeanAbsoluteError",
        "MeanAbsolutePercentageError", "MeanSquaredError",
        "MeanSquaredLogarithmicError", "SquaredHinge",
    },
    "metrics": {
        "Accuracy", "CategoricalAccuracy", "CategoricalHinge",
        "ConcordanceCorrelation", "CosineSimilarity", "F1Score",
        "FBetaScore", "Hinge", "IoU", "LogCoshError", "Mean",
        "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanIoU",
        "MeanMetricWrapper", "MeanSquaredError",
        "MeanSquaredLogarithmicError", "Metric", "OneHotIoU",
        "OneHotMeanIoU", "PearsonCorrelation", "R2Score",
        "RootMeanSquaredError", "SparseCategoricalAccuracy",
        "SparseTopKCategoricalAccuracy", "SquaredHinge", "Sum",
        "TopKCategoricalAccuracy",
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", ["losses", "metrics"])
def test_every_loss_and_metric_of_keras_is_decided_about(kind):
    module = getattr(keras, kind)
    decide = expects_logits if kind == "losses" else metric_of_logits
    fitting = set()
    for name in dir(module):
        if not isinstance(getattr(module, name), type):
            continue
        try:
            found = decide(name)
        except ValueError:
            continue  # refused
        told = not isinstance(found, str)
        assert not told or found.get_config()["from_logits"]
        fitting |= set() if told else {name}
    assert fitting == FIT_LOGITS[kind]


@pytest.mark.parametrize(
    "given",
    [
        "AUC", "kl_divergence", "poisson", "kld", keras.metrics.AUC(),
        keras.losses.KLDivergence(), keras.metrics.KLDivergence(),
        keras.losses.kl_divergence, keras.metrics.BinaryAccuracy(),
        keras.metrics.F1Score(threshold=0.5), keras.losses.Dice(),
    ],
    ids=lambda given: given if isinstance(given, str) else "object",
)  # fmt: skip
def test_what_wants_probabilities_is_refused_in_every_spelling(model, given):
    with pytest.raises(ValueError, match="from_logits=True"):
        model["a"].compile("sgd", given)
    with pytest.raises(ValueError, match="from_logits=True"):
        compiled(model["a"], metrics=[given])


@pytest.mark.parametrize(
    "given",
    [keras.metrics.AUC(from_logits=True), "accuracy", max],
    ids=["told", "classes", "own"],
)
def test_what_takes_logits_is_not(given):
    assert metric_of_logits(given) is given


# === Callbacks that use another view ===


class Uses(keras.callbacks.Callback):
    """Does something with the model in the middle of another view's `fit`."""

    def __init__(self, use):
        super().__init__()
        self.use = use

    def on_train_batch_begin(self, batch, logs=None):
        self.use()

    def on_train_batch_end(self, batch, logs=None):
        self.use()


@pytest.mark.parametrize(
    "options",
    [{}, {"jit_compile": False}, {"run_eagerly": True}],
    ids=["default", "no_jit", "eager"],
)
def test_a_callback_may_use_other_views_at_batch_level(options, tmp_path):
    def read(model):
        predict(model, "b")
        model["b"].predict(images(), verbose=0)
        model["b"].evaluate(images(), labels("b"), verbose=0)
        copy.deepcopy(model["b"])
        model.fingerprint()
        model.save(tmp_path / "m.keras")
        model.save_domain("b", tmp_path / "b")
        model.with_domain("c", 4)

    uses = {"nothing": lambda model: None, "read": read,
            "fit": lambda model: fit(model["b"])}  # fmt: skip
    results = {}
    for name, use in uses.items():
        model = randomize(tiny_model())
        compiled(model["b"], **options)
        view = compiled(model["a"], **options)
        fit(view, callbacks=[Uses(lambda m=model, u=use: u(m))])
        results[name] = values(model)
    for name, found in results.items():
        for path, value in found.items():
            if name != "fit" or not path.startswith("domains/b"):
                np.testing.assert_allclose(
                    value, results["nothing"][path], rtol=1e-6, atol=1e-7
                )
    moved = "domains/b/head/head/kernel"
    assert (results["fit"][moved] != results["nothing"][moved]).any()


# === A user's configuration of Keras ===


def test_channels_first_in_the_users_configuration_changes_nothing(tmp_path):
    before = keras.config.image_data_format()
    expected = predict(randomize(tiny_model()), "a")
    keras.config.set_image_data_format("channels_first")
    try:
        model = randomize(tiny_model())
        np.testing.assert_array_equal(predict(model, "a"), expected)
        model.save(tmp_path / "m.keras")
        again = keras_mdl.load_model(tmp_path / "m.keras")
        np.testing.assert_array_equal(predict(again, "a"), expected)
        for build in (keras_mdl.build_resnet26, build_dense_resnet26):
            wide = build({"a": 2}, (16, 16, 3), width=1 / 16)
            assert wide["a"](images(1, size=16)).shape == (1, 2)
    finally:
        keras.config.set_image_data_format(before)


POLICIES = {
    "float64": 1e-6,
    "float16": 0.05,
    "bfloat16": 0.4,
    "mixed_float16": 0.05,
    "mixed_bfloat16": 0.4,
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("backbone", [tiny, tiny_dense])
def test_every_fold_works_under_every_policy(backbone, policy):
    if keras.backend.backend() == "jax":
        if policy == "float64":
            pytest.skip("JAX computes in 64 bits only where asked at its start")
        if not policy.startswith("mixed") and backbone is tiny_dense:
            pytest.skip("XLA compiles for a minute; TensorFlow runs this case")
    kinds = [k for k in ADAPTERS if backbone is tiny_dense or k != "parallel"]
    names = {"plain": 3, **dict.fromkeys(kinds, 3)}
    options = {"adapter": {k: k for k in kinds}}
    if backbone is tiny:
        names["do"] = 3
        options["depthwise"] = {"do": "do"}
    model = tiny_model(names, backbone=backbone, dtype=policy, **options)
    randomize(model)
    folded = model.folded()
    assert all(spec.ordinary for spec in folded.slots.values())
    for name in names:
        found, expected = (
            predict(m, name).astype("float32") for m in (folded, model)
        )
        scale = np.abs(expected).max() + 1e-6
        np.testing.assert_allclose(
            found / scale, expected / scale, atol=POLICIES[policy]
        )


def test_what_belongs_elsewhere_says_where(model):
    with pytest.raises(TypeError, match=r"keras_mdl_export\.export"):
        model.export("folder")
    with pytest.raises(ValueError, match="height and width may be None"):
        keras_mdl.build_resnet26({"a": 2}, input_shape=None)
