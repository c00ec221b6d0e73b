"""Each method on each kind of network trains what it says, or is refused."""

import keras
import numpy as np
import pytest
from tiny import (
    OPTIMIZERS,
    changed_paths,
    compiled,
    fit,
    inverted_residuals,
    predict,
    randomize,
    tiny,
    tiny_dense,
    tiny_model,
    values,
)

import keras_mdl
from keras_mdl.layers import DomainDepthwiseConv2D, SharedConv2D
from keras_mdl.models import from_keras
from keras_mdl.training import METHODS


def taken_over():
    """A mobile network of Keras' own layers, strides and bias included."""
    layers = keras.layers
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, 2, padding="same", use_bias=False, name="stem")(x)
    x = layers.BatchNormalization(name="stem_bn")(x)
    x = layers.ReLU(6.0, name="stem_relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", name="spatial")(x)
    x = layers.BatchNormalization(name="spatial_bn")(x)
    x = layers.Activation("hard_silu", name="act")(x)
    x = layers.Conv2D(6, 1, name="project")(x)
    x = layers.BatchNormalization(name="project_bn")(x)
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    network = keras.Model(inputs, layers.Dense(3, name="logits")(x))
    model = from_keras(network, "a", scaling="-1..1", verbose=0)
    return model.with_domain("b", 2)


NETWORKS = {
    "separable": lambda: tiny_model(["a", "b"], backbone=tiny),
    "dense": lambda: tiny_model(["a", "b"], backbone=tiny_dense),
    "inverted": lambda: tiny_model(["a", "b"], backbone=inverted_residuals),
    "taken_over": taken_over,
}
# What stands in the last part but one of a path, by what a row of METHODS
# says that it trains. In the separable network the last pointwise kernel is
# the domain's own.
TRAINS = {
    "pointwise_sharing": {"depthwise", "pointwise", "norm", "head"},
    "classifier_only": {"head"},
    "classifier_and_norm": {"norm", "head"},
    "depthwise_sharing": {"adapter", "pointwise", "norm", "head"},
    "serial_adapter": {"adapter", "norm", "head"},
    "parallel_adapter": {"adapter", "norm", "head"},
    "dan_linear": {"adapter", "head"},
    "dan_diagonal": {"adapter", "head"},
    "dan_low_rank": {"adapter", "head"},
    "piggyback": {"adapter", "depthwise_transform", "head"},
    "piggyback_ternary": {"adapter", "depthwise_transform", "head"},
    "individual": {"conv", "depthwise", "pointwise", "norm", "head"},
}
# Roles that a network has none of.
WITHOUT = {
    "separable": {"conv"},
    "dense": {"depthwise", "depthwise_transform", "pointwise"},
    "inverted": {"pointwise"},
    "taken_over": {"pointwise"},
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    return request.param, randomize(NETWORKS[request.param]())


def test_every_method_has_its_row_here():
    assert set(TRAINS) == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_one_step_changes_what_the_row_says_and_nothing_else(network, method):
    name, model = network
    before = model.fingerprint()
    wider, view = METHODS[method].start(model, keras_mdl.Domain("c", 4))
    start = values(wider)
    # Decay moves whatever it can get hold of.
    fit(compiled(view, OPTIMIZERS["adamw"]()))
    changed = changed_paths(start, values(wider))
    assert model.fingerprint() == before
    alone = METHODS[method].alone
    assert all(alone or p.startswith("domains/c/") for p in changed)
    trained = {p for p in changed if "moving_" not in p}
    assert trained == set(view.trainable_paths)
    roles = {p.split("/")[2 if p.startswith("trunk") else 3] for p in trained}
    assert roles == TRAINS[method] - WITHOUT[name]
    if METHODS[method].adapter:
        trunk = {p for p in start if p.startswith("trunk/") and "bias" not in p}
        adapted = {p.split("/")[2] for p in trained if "/adapter/" in p}
        assert {p.split("/")[1] for p in trunk} <= adapted


@pytest.mark.parametrize("kind", ["do", "serial", "piggyback", "dan_linear"])
def test_folded_is_unfolded_on_every_network(network, kind):
    name, model = network
    option = {"depthwise" if kind == "do" else "adapter": kind}
    if (name, kind) == ("dense", "do"):
        with pytest.raises(ValueError, match="no depthwise kernel"):
            model.with_domain("c", 4, **option)
        return
    wider = model.with_domain("c", 4, **option)
    rng = np.random.default_rng(0)
    for path, v in wider.variables_by_path("c").items():
        if "/adapter/" in path or "_transform/" in path:
            if "moving_variance" not in path:
                v.assign(rng.normal(0.3, 0.5, v.shape))
    np.testing.assert_allclose(
        predict(wider.folded(), "c"), predict(wider, "c"), rtol=2e-3, atol=2e-3
    )


GEOMETRIES = (
    # kernel size, strides, padding, dilation
    ((3, 5), (2, 1), "same", 1),
    ((5, 3), (1, 2), "valid", 1),
    ((3, 3), (2, 2), ((0, 1), (1, 2)), 1),
    ((3, 3), (1, 1), ((2, 2), (3, 0)), 1),
    ((2, 3), (1, 1), ((1, 0), (1, 1)), 1),
    ((3, 1), (1, 1), "symmetric", (2, 1)),
)


@keras.saving.register_keras_serializable("keras_mdl_tests")
def every_geometry(x, scope):
    """A dense and a depthwise convolution of each geometry, side by side."""
    found = []
    names = ("kernel_size", "strides", "padding", "dilation_rate")
    for i, geometry in enumerate(GEOMETRIES):
        options = dict(zip(names, geometry, strict=True))
        y = scope(SharedConv2D, f"dense{i}", filters=4, **options)(x)
        y = scope(DomainDepthwiseConv2D, f"spatial{i}", **options)(y)
        found.append(keras.layers.Flatten(name=f"flat{i}")(y))
    return keras.layers.Concatenate(name="all")(found)


@pytest.mark.parametrize("kind", ["parallel", "serial", "dan_linear", "do"])
def test_folded_is_unfolded_under_every_geometry(kind):
    model = tiny_model(["a"], backbone=every_geometry, input_shape=(9, 8, 3))
    option = {"depthwise" if kind == "do" else "adapter": kind}
    wider = model.with_domain("c", 4, **option)
    rng = np.random.default_rng(0)
    for path, v in wider.variables_by_path("c").items():
        if path.endswith("kernel") and "transform" not in path:
            v.assign(rng.normal(0.3, 0.5, v.shape))
    x = rng.uniform(0, 1, (2, 9, 8, 3)).astype("float32")
    expected = keras.ops.convert_to_numpy(wider["c"](x))
    found = keras.ops.convert_to_numpy(wider.folded()["c"](x))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_parallel_adapters_fold_under_every_padding():
    """The centre of a kernel is where padding puts it, also at stride 2."""
    model = randomize(taken_over())
    wider = model.with_domain("c", 4, adapter="parallel")
    np.testing.assert_allclose(
        predict(wider.folded(), "c"), predict(wider, "c"), rtol=2e-4, atol=2e-4
    )
    assert wider.folded().slots["c"].adapter == "folded"
