"""A folded model: plain layers, equal outputs, no trace of the factor."""

import zipfile

import keras
import numpy as np
import pytest
from tiny import images, tiny_model

from keras_mdl.layers import DepthwiseConv2D, DomainDepthwiseConv2D
from keras_mdl.layers.do_conv import DOConv2D, DOConvolution
from keras_mdl.layers.do_depthwise import DODepthwiseConv2D
from keras_mdl.models.folding import fold

SHAPE = (8, 8, 4)
# Without compilation a step on JAX is slow.
JIT = keras.backend.backend() == "jax"


def to_numpy(x):
    return np.array(keras.ops.convert_to_numpy(x))


def example(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(2, *SHAPE)).astype("float32")


def randomized(model, seed=0):
    rng = np.random.default_rng(seed)
    for v in model.weights:
        low = 0.5 if v.name == "moving_variance" else -0.5
        v.assign(rng.uniform(low, low + 1, v.shape))
    return model


def network():
    """Both layers, one used twice, one nested, and some that are neither."""
    inputs = keras.Input(SHAPE, name="pixels")
    shared = DOConv2D(4, 3, padding="same", groups=2, name="shared")
    x = shared(shared(inputs))
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = DODepthwiseConv2D(
        3, depth_multiplier=2, d_multiplier=11, use_bias=False, name="deep"
    )(x)
    x = keras.ops.relu(x)
    block = keras.Input(x.shape[1:])
    nested = keras.Model(block, DOConv2D(3, 3, name="inner")(block), name="n")
    x = keras.layers.Dropout(0.5, name="drop")(nested(x))
    x = keras.layers.Conv2D(5, 1, name="plain")(x)
    return keras.Model(inputs, {"out": x}, name="network")


def all_layers(model):
    return list(model._flatten_layers(include_self=False))


def assert_plain(model):
    assert not any(isinstance(x, DOConvolution) for x in all_layers(model))
    names = {v.name for v in model.variables}
    assert not names & {"d_train", "kernel_extra"}


def test_outputs_are_equal_and_layers_plain():
    model, x = randomized(network()), example()
    before = [to_numpy(v) for v in model.variables]
    folded = fold(model)
    assert_plain(folded)
    assert folded.name == "network"
    assert [x.name for x in folded.layers] == [x.name for x in model.layers]
    assert type(folded.get_layer("shared")) is keras.layers.Conv2D
    assert type(folded.get_layer("deep")) is DepthwiseConv2D
    y = to_numpy(model(x)["out"])
    np.testing.assert_allclose(to_numpy(folded(x)["out"]), y, atol=1e-5)
    # The model given is as it was, and shares nothing.
    assert not {id(v) for v in model.variables} & {
        id(v) for v in folded.variables
    }
    for v, old in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(to_numpy(v), old)


def test_the_saved_file_has_no_trace_of_the_factor(tmp_path):
    path, x = tmp_path / "model.keras", example()
    model = randomized(network())
    # Not the optimizer's state either.
    model.compile("adam", {"out": "mse"}, jit_compile=JIT)
    model.train_on_batch(x, {"out": to_numpy(model(x)["out"])})
    folded = fold(model)
    folded.save(path)
    text = b"".join(
        zipfile.ZipFile(path).read(name)
        for name in ("config.json", "model.weights.h5")
    )
    for trace in (b"DOConv", b"DODepthwise", b"d_train", b"d_multiplier"):
        assert trace not in text
    again = keras.models.load_model(path)
    assert_plain(again)
    assert again.count_params() == sum(
        int(np.prod(v.shape))
        for v in model.weights
        if v.name not in ("d_train", "kernel_extra")
    )
    np.testing.assert_array_equal(
        to_numpy(again(x)["out"]), to_numpy(folded(x)["out"])
    )


def test_a_folded_model_trains():
    folded, x = fold(network()), example()
    folded.compile("sgd", {"out": "mse"}, jit_compile=JIT)
    target = np.zeros((2, 4, 4, 5), "float32")
    losses = folded.fit(x, {"out": target}, epochs=2, verbose=0).history["loss"]
    assert np.all(np.isfinite(losses))


def test_a_model_without_the_factor_is_cloned():
    inputs = keras.Input(SHAPE)
    model = keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs))
    folded, x = fold(model), example()
    np.testing.assert_array_equal(to_numpy(folded(x)), to_numpy(model(x)))


def test_a_sequential_model_folds():
    model = keras.Sequential([keras.Input(SHAPE), DOConv2D(2, 3)])
    folded, x = fold(randomized(model)), example()
    assert_plain(folded)
    np.testing.assert_allclose(to_numpy(folded(x)), to_numpy(model(x)), 1e-5)


@keras.saving.register_keras_serializable("keras_mdl_tests")
def do_backbone(x, scope):
    x = scope(DomainDepthwiseConv2D, "conv")(x)
    return keras.layers.ReLU(name="relu")(x)


def test_the_view_of_a_domain_folds_to_an_ordinary_model():
    mdl = tiny_model(("a", "b"), backbone=do_backbone, depthwise="do")
    view = randomized(mdl["b"])
    view.compile("sgd", "sparse_categorical_crossentropy")
    folded, x = fold(view), images(2)
    assert type(folded) is type(keras.Model(view.inputs, view.outputs))
    assert_plain(folded)
    assert view.count_params() - folded.count_params() == 81 * 3
    np.testing.assert_allclose(
        to_numpy(folded(x)), to_numpy(view(x)), rtol=1e-4, atol=1e-5
    )


def test_only_functional_models_are_folded():
    with pytest.raises(ValueError, match="functional"):
        fold(tiny_model(("a",)))
    with pytest.raises(ValueError, match="functional"):
        fold(keras.Sequential([DOConv2D(2, 3)]))


def test_a_layer_with_a_hidden_factor_is_refused():
    inputs = keras.Input((3, *SHAPE))
    hidden = keras.layers.TimeDistributed(DOConv2D(2, 3), name="outer")
    model = keras.Model(inputs, hidden(inputs))
    with pytest.raises(ValueError, match="'outer' has a DO layer inside"):
        fold(model)


def test_what_was_folded_can_still_be_used_after_the_copy_has_trained():
    """On JAX a shared buffer would be gone after the copy's first step."""
    model = randomized(network())
    expected = to_numpy(model(example())["out"])
    folded = fold(model)
    folded.compile("sgd", "mse", jit_compile=JIT)
    folded.fit(example(), {"out": np.zeros_like(expected)}, verbose=0)
    np.testing.assert_array_equal(to_numpy(model(example())["out"]), expected)
