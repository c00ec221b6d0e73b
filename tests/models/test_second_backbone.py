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
    labels,
    predict,
    randomize,
    tiny_model,
    values,
)

import keras_mdl
from keras_mdl import DomainBatchNormalization, PerDomainLayer, SharedLayer
from keras_mdl.training import Stage, StagedFreezing


@keras.saving.register_keras_serializable("keras_mdl_tests")
def inverted_residuals(x, slot, blocks=((4, 1), (6, 2), (6, 1)), expansion=2):
    layers = keras.layers

    def mix(x, name, filters):
        conv = layers.Conv2D(filters, 1, use_bias=False)
        x = slot(SharedLayer, name, layer=conv)(x)
        return slot(DomainBatchNormalization, f"{name}_norm")(x)

    def relu6(x, name):
        return layers.ReLU(6.0, name=name)(x)

    x = mix(x, "stem", 4)
    for index, (filters, strides) in enumerate(blocks):
        name = f"block{index}"
        y = mix(x, f"{name}_expand", expansion * x.shape[-1])
        y = relu6(y, f"{name}_expand_relu")
        spatial = layers.DepthwiseConv2D(
            3, strides, padding="same", use_bias=False
        )
        y = slot(PerDomainLayer, f"{name}_spatial", layer=spatial)(y)
        y = slot(DomainBatchNormalization, f"{name}_spatial_norm")(y)
        y = relu6(y, f"{name}_spatial_relu")
        y = mix(y, f"{name}_project", filters)
        if strides == 1 and filters == x.shape[-1]:
            y = layers.Add(name=f"{name}_add")([x, y])
        x = y
    return x


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
    assert rows["a"].macs > 0
    assert rows["trunk"].parameters == 3 * 4 + 4 * 8 + 8 * 4 + 4 * 8 + 8 * 6 + (
        6 * 12 + 12 * 6
    )


@keras.saving.register_keras_serializable("keras_mdl_tests")
def composite_slot(x, slot):
    """A slot that is a network itself, with names that Keras makes up."""
    pair = keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(3)])
    return slot(PerDomainLayer, "pair", layer=pair)(x)


def test_a_composite_slot_keeps_its_paths_through_every_verb(tmp_path):
    model = randomize(tiny_model(backbone=composite_slot))
    assert len(model.variables_by_path("a")) == 4 + 2
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
def vectors(x, slot):
    x = keras.layers.Flatten()(x)
    return slot(SharedLayer, "dense", layer=keras.layers.Dense(5))(x)


def test_a_backbone_of_vectors_needs_no_pooling():
    model = tiny_model(backbone=vectors)
    assert model["a"].output_shape == (None, 3)
    wider = model.with_domain("c", 4)
    assert wider["c"](images(2)).shape == (2, 4)


@pytest.mark.parametrize("registered", [False, True])
def test_a_backbone_that_cannot_be_saved_is_refused(registered):
    def vectors(x, slot):
        # Also one that only has the name of a registered one.
        return keras.layers.Flatten()(x)

    if not registered:
        vectors.__name__ = "unknown"
    with pytest.raises(ValueError, match="must be registered"):
        tiny_model(backbone=vectors)


@keras.saving.register_keras_serializable("keras_mdl_tests")
def twice(x, slot):
    for _ in range(2):
        x = slot(DomainBatchNormalization, "norm")(x)
    return x


def test_a_layer_name_used_twice_is_refused():
    with pytest.raises(ValueError, match="'norm' twice"):
        tiny_model(backbone=twice)


def test_labels_of_the_helper_fit_the_heads():
    for domain, n in {"a": 3, "b": 2, "c": 4}.items():
        assert labels(domain, 50).max() == n - 1
