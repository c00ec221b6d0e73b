"""The machinery knows nothing of ResNets: an inverted-residual network.

In the style of MobileNetV2: shared 1x1 expansion and projection, a depthwise
kernel and BatchNorms per domain.
"""

import keras
import numpy as np
import pytest
from tiny import (
    changed_owners,
    compiled,
    fit,
    images,
    inverted_residuals,
    labels,
    predict,
    randomize,
    tiny_model,
    values,
)

import keras_mdl
from keras_mdl import DomainBatchNormalization, PerDomainLayer, SharedLayer
from keras_mdl.layers import SharedConv2D
from keras_mdl.training import Stage, StagedFreezing


@pytest.fixture
def model():
    return tiny_model(backbone=inverted_residuals)


def test_it_trains_and_leaves_the_other_domain_alone(model):
    before = values(model)
    fit(compiled(model["a"]))
    assert changed_owners(before, values(model)) == {"domains/a"}


def test_the_base_phase_trains_every_trunk_kernel(model):
    trunk = [p for p in values(model) if p.startswith("trunk/")]
    assert len(trunk) == 7
    trained = model.for_domain("a", "base").trainable_paths
    assert set(trunk) <= set(trained)
    assert not set(trunk) & set(model["a"].trainable_paths)


def test_domains_are_added_and_removed(model):
    randomize(model)
    wider = model.with_domain("c", 4, init_from="b")
    for domain in ("a", "b"):
        np.testing.assert_array_equal(
            predict(wider, domain), predict(model, domain)
        )
    narrower = wider.without_domain("c")
    assert narrower.fingerprint() == model.fingerprint()


def test_files_round_trip(model, tmp_path):
    randomize(model)
    model.save(tmp_path / "m.keras")
    again = keras_mdl.load_model(tmp_path / "m.keras")
    assert again.fingerprint() == model.fingerprint()
    model.save_domain("b", tmp_path / "b.safetensors")
    back = model.without_domain("b").load_domain(tmp_path / "b.safetensors")
    np.testing.assert_array_equal(predict(back, "b"), predict(model, "b"))


def test_stages_and_joint_training_work(model):
    before = values(model)
    view = compiled(model.joint(phase="base"))
    stages = [Stage("head", 1), Stage("base", 1, learning_rate=0.01)]
    fit(view, epochs=2, callbacks=[StagedFreezing(stages, verbose=0)])
    assert changed_owners(before, values(model)) == {
        "trunk",
        "domains/a",
        "domains/b",
    }


def test_macs_and_parameters_are_counted(model):
    rows = {r.owner: r for r in model.summary_by_domain().rows}
    assert rows["a"].macs == inverted_macs()
    assert rows["trunk"].parameters == 3 * 4 + 4 * 8 + 8 * 4 + 4 * 8 + 8 * 6 + (
        6 * 12 + 12 * 6
    )


def inverted_macs():
    """Positions times kernels, by hand."""
    stem = 64 * 3 * 4
    first = 64 * (4 * 8 + 9 * 8 + 8 * 4)
    second = 64 * 4 * 8 + 16 * (9 * 8 + 8 * 6)
    third = 16 * (6 * 12 + 9 * 12 + 12 * 6)
    return stem + first + second + third + 6 * 3


@keras.saving.register_keras_serializable("keras_mdl_tests")
def composite_slot(x, scope):
    """A slot that is a network itself, with names that Keras makes up."""
    pair = keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(3)])
    return scope(PerDomainLayer, "pair", layer=pair)(x)


def test_a_composite_slot_keeps_its_paths_through_every_verb(tmp_path):
    model = randomize(tiny_model(backbone=composite_slot))
    assert set(model.variables_by_path("a")) == {
        f"domains/a/{p}"
        for p in (
            "pair/layer/dense/kernel",
            "pair/layer/dense/bias",
            "pair/layer/dense_2/kernel",
            "pair/layer/dense_2/bias",
            "head/head/kernel",
            "head/head/bias",
        )
    }
    assert model.summary_by_domain().rows[1].macs == 64 * (12 + 12) + 9
    wider = model.with_domain("c", 4)
    np.testing.assert_array_equal(predict(wider, "b"), predict(model, "b"))
    model.save(tmp_path / "m.keras")
    again = keras_mdl.load_model(tmp_path / "m.keras")
    assert again.fingerprint() == model.fingerprint()
    model.save_domain("b", tmp_path / "b.safetensors")
    back = model.without_domain("b").load_domain(tmp_path / "b.safetensors")
    assert back.fingerprint() == model.fingerprint()
    before = values(model)
    fit(compiled(model["a"]))
    assert changed_owners(before, values(model)) == {"domains/a"}


@keras.saving.register_keras_serializable("keras_mdl_tests")
def vectors(x, scope):
    x = keras.layers.Flatten()(x)
    return scope(SharedLayer, "dense", layer=keras.layers.Dense(5))(x)


def test_a_backbone_of_vectors_needs_no_pooling():
    model = tiny_model(backbone=vectors)
    assert model["a"].output_shape == (None, 3)
    wider = model.with_domain("c", 4)
    assert wider["c"](images(2)).shape == (2, 4)


@keras.saving.register_keras_serializable("keras_mdl_tests")
def with_a_path(x, scope):
    for name in scope.option("path", ["conv1", "conv2"]):
        x = scope(SharedConv2D, name, filters=3)(x)
        x = scope(DomainBatchNormalization, f"norm{name[-1]}")(x)
    return x


@pytest.mark.parametrize("registered", [False, True])
def test_a_backbone_that_cannot_be_saved_is_refused(registered):
    def vectors(x, scope):
        # Also one that only has the name of a registered one.
        return keras.layers.Flatten()(x)

    if not registered:
        vectors.__name__ = "unknown"
    with pytest.raises(ValueError, match="must be registered"):
        tiny_model(backbone=vectors)


@keras.saving.register_keras_serializable("keras_mdl_tests")
def twice(x, scope):
    for _ in range(2):
        x = scope(DomainBatchNormalization, "norm")(x)
    return x


def test_a_layer_name_used_twice_is_refused():
    with pytest.raises(ValueError, match="'norm' twice"):
        tiny_model(backbone=twice)


def test_labels_of_the_helper_fit_the_heads():
    for domain, n in {"a": 3, "b": 2, "c": 4}.items():
        assert labels(domain, 50).max() == n - 1


# === Nothing is ignored in silence ===


@keras.saving.register_keras_serializable("keras_mdl_tests")
def with_a_stranger(x, scope):
    x = scope(SharedConv2D, "conv", filters=4)(x)
    return keras.layers.BatchNormalization(name="stranger")(x)


def test_variables_that_belong_to_nobody_are_refused():
    with pytest.raises(ValueError, match=r"stranger \(BatchNormalization, 4"):
        tiny_model(backbone=with_a_stranger)


@keras.saving.register_keras_serializable("keras_mdl_tests")
def with_an_excitation(x, scope):
    x = scope(SharedConv2D, "conv", filters=4)(x)
    s = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    squeeze = keras.Sequential(
        [keras.layers.Dense(2, "relu"), keras.layers.Dense(4, "sigmoid")]
    )
    s = scope(SharedLayer, "excite", layer=squeeze)(s)
    return keras.layers.Multiply(name="scaled")([x, s])


def test_composite_shared_parts_are_counted():
    model = tiny_model(backbone=with_an_excitation)
    rows = {r.owner: r for r in model.summary_by_domain().rows}
    assert rows["a"].macs == 64 * 27 * 4 + 4 * 2 + 2 * 4 + 4 * 3
    assert "scaled" in model["a"].endpoints


@keras.saving.register_keras_serializable("keras_mdl_tests")
def with_attention(x, scope):
    x = keras.layers.Reshape((64, 3))(x)
    return scope(SharedLayer, "mix", layer=keras.layers.LSTM(4))(x)


def test_a_cost_that_is_not_known_is_said_to_be_unknown():
    summary = tiny_model(backbone=with_attention).summary_by_domain()
    assert summary.rows[1].macs is None
    assert "unknown" in str(summary)


@keras.saving.register_keras_serializable("keras_mdl_tests")
def with_wrapped_convolution(x, scope):
    x = scope(SharedConv2D, "conv", filters=4)(x)
    layer = keras.layers.Conv2D(4, 3)
    return scope(SharedLayer, "wrapped", layer=layer)(x)


@pytest.mark.parametrize(
    ("backbone", "options", "message"),
    [
        (vectors, {"adapter": "serial"}, "there is none at all"),
        (vectors, {"depthwise": "do"}, "no depthwise kernel"),
        (with_wrapped_convolution, {"adapter": "serial"}, "change: wrapped"),
        (with_a_path, {"options": {"width": 3}}, "does not read.*width"),
    ],
    ids=["no_kernel", "no_depthwise", "one_unseen", "unread"],
)
def test_an_option_that_nothing_uses_is_refused(backbone, options, message):
    model = tiny_model(backbone=backbone)
    before = model.fingerprint()
    with pytest.raises(ValueError, match=message):
        model.with_domain("c", 4, **options)
    assert model.fingerprint() == before


def test_dropout_without_a_classifier_is_refused():
    with pytest.raises(ValueError, match="before the classifier"):
        tiny_model(dropout=0.5, include_top=False)


# === A way through the network for each domain ===


def test_domains_may_take_ways_of_their_own(tmp_path):
    model = randomize(tiny_model(backbone=with_a_path))
    wider = model.with_domain("c", 4, options={"path": ["conv2"]})
    assert {k: v for k, v in wider.fingerprint().items() if k[-1] in "ab"} == {
        k: v for k, v in model.fingerprint().items() if k[-1] in "ab"
    }
    assert not any("norm1" in p for p in wider.variables_by_path("c"))
    np.testing.assert_array_equal(predict(wider, "a"), predict(model, "a"))
    before = values(wider)
    fit(compiled(wider["c"]))
    assert changed_owners(before, values(wider)) == {"domains/c"}
    wider.save(tmp_path / "m.keras")
    loaded = keras_mdl.load_model(tmp_path / "m.keras")
    assert loaded.fingerprint() == wider.fingerprint()
    assert loaded.slots["c"].options == {"path": ["conv2"]}


@keras.saving.register_keras_serializable("keras_mdl_tests")
def otherwise(x, scope):
    filters = scope.option("filters", 4)
    return scope(SharedConv2D, "conv", filters=filters)(x)


def test_one_layer_cannot_be_two_things():
    model = tiny_model(backbone=otherwise)
    with pytest.raises(ValueError, match="'conv' otherwise for domain 'c'"):
        model.with_domain("c", 4, options={"filters": 5})
