"""The network computes what was published: equality with plain NumPy."""

import keras
import numpy as np
import pytest
from numpy_net import NumpyNet
from tiny import images, randomize, tiny_model, values

import keras_mdl

WIDTH = 1 / 16
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


@pytest.fixture(scope="module")
def model():
    domains = [
        keras_mdl.Domain("a", 5, MEAN, STD),
        keras_mdl.Domain("b", 3, STD, MEAN),
    ]
    model = keras_mdl.build_resnet26(domains, (None, None, 3), width=WIDTH)
    randomize(model)
    # Kernels of the usual size, so that 25 layers do not blow values up.
    for path, v in model.variables_by_path().items():
        if path.endswith("kernel"):
            fan = np.prod(v.shape[:-1])
            v.assign(keras.ops.convert_to_numpy(v) * 2 * (1 / fan) ** 0.5)
    return model


def to_numpy(x):
    return keras.ops.convert_to_numpy(x)


@pytest.mark.parametrize(
    ("domain", "mean", "std"), [("a", MEAN, STD), ("b", STD, MEAN)]
)
def test_the_whole_network_equals_numpy(model, domain, mean, std):
    x = images(3, size=16)
    ours = to_numpy(model[domain](x, training=False))
    expected = NumpyNet(values(model), domain)(x, mean, std)
    assert np.abs(expected).max() > 0.1
    scale = np.abs(expected).max()
    np.testing.assert_allclose(ours / scale, expected / scale, atol=2e-5)


def test_other_sizes_are_fed_to_the_same_network(model):
    x = images(2, size=24)[:, :16]
    expected = NumpyNet(values(model), "a")(x, MEAN, STD)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(
        to_numpy(model["a"](x)) / scale, expected / scale, atol=2e-5
    )


@pytest.fixture(scope="module")
def alone(model):
    """One domain, one view: `layer.input` is that of a layer's first use."""
    return model.only_domain("a")


@pytest.mark.parametrize("training", [False, True], ids=["infer", "train"])
@pytest.mark.parametrize(
    ("block", "stride"),
    [("stage1_block2", 1), ("stage1_block1", 2), ("stage3_block4", 1)],
    ids=["identity", "halved_and_widened", "private_pointwise"],
)
def test_a_residual_block_equals_numpy(alone, block, stride, training):
    weights, net = values(alone), alone["a"]
    start = net.get_layer(f"{block}_conv1_depthwise_a").input
    if stride == 2:
        # The input of the padding that comes first.
        start = net.get_layer(f"{block}_conv1_pad").input
    end = net.get_layer(f"{block}_relu2").output
    part = keras.Model(start, end)
    x = np.random.default_rng(0).normal(size=(4, 8, 8, start.shape[-1]))
    with net.flags():
        ours = to_numpy(part(x.astype("float32"), training=training))
    expected = NumpyNet(weights, "a", training).block(x, block, stride)
    assert (
        ours.shape
        == expected.shape
        == (4, 8 // stride, 8 // stride, end.shape[-1])
    )
    assert (expected > 0).mean() > 0.1
    np.testing.assert_allclose(ours, expected, atol=3e-5, rtol=1e-4)


def test_the_stem_has_no_relu(model):
    stem = model["a"].get_layer("stem_norm_norm_a").output
    part = keras.Model(model["a"].input, stem)
    assert to_numpy(part(images(2, size=16))).min() < 0
    consumers = [
        layer.name
        for layer in model["a"].layers
        if any(t is stem for t in keras.tree.flatten(layer.input))
    ]
    assert not any("relu" in name for name in consumers)


def test_uint8_and_float_pixels_give_equal_logits():
    floats, integers = tiny_model(), tiny_model(input_dtype="uint8")
    for path, v in integers.variables_by_path().items():
        v.assign(floats.variables_by_path()[path])
    x = images(2)
    np.testing.assert_array_equal(
        to_numpy(integers["a"](x.astype("uint8"))), to_numpy(floats["a"](x))
    )


def test_the_model_of_many_domains_gives_what_its_views_give(model):
    x, y = images(2, 0, 16), images(3, 1, 16)
    outputs = model({"a": x, "b": y})
    np.testing.assert_array_equal(
        to_numpy(outputs["a"]), to_numpy(model["a"](x))
    )
    np.testing.assert_array_equal(
        to_numpy(outputs["b"]), to_numpy(model["b"](y))
    )


def test_pixels_are_normalised_in_float32_under_any_policy():
    model = tiny_model(dtype="mixed_bfloat16")
    x = images(2) + 0.3  # no bfloat16 number
    part = keras.Model(
        model["a"].input, model["a"].get_layer("normalize").output
    )
    mean, std = model.domains["a"].mean, model.domains["a"].std
    expected = (x.astype("float64") / 255 - mean) / std
    np.testing.assert_allclose(to_numpy(part(x)), expected, atol=1e-5)
    np.testing.assert_array_equal(
        to_numpy(model({"a": x})["a"]), to_numpy(model["a"](x))
    )


def test_dropout_acts_in_training_only_and_on_its_domain_only():
    model = tiny_model(dropout={"b": 0.5})
    names = [layer.name for layer in model["a"].layers]
    assert not any("dropout" in name for name in names)
    view, x = model["b"], images(4)
    rate = next(layer.rate for layer in view.layers if "dropout" in layer.name)
    assert rate == 0.5
    view.train_only("head")  # BatchNorm is frozen: only dropout is left
    same = [to_numpy(view(x, training=False)) for _ in range(2)]
    np.testing.assert_array_equal(*same)
    assert not np.allclose(to_numpy(view(x, training=True)), same[0])
