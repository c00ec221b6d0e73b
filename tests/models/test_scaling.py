"""Pixels reach a network that was taken over as it expects them."""

import keras
import numpy as np
import pytest
from drawn_networks import SIZE, assert_same, drawn, pixels, small

from keras_mdl.models import from_keras

layers = keras.layers


@pytest.mark.parametrize(
    ("scaling", "scaled"),
    [
        ("0..255", lambda x: x),
        ("0..1", lambda x: x / 255),
        ("-1..1", lambda x: x / 127.5 - 1),
        (((0.1, 0.2, 0.3), 0.5), lambda x: (x / 255 - [0.1, 0.2, 0.3]) / 0.5),
        ("caffe", lambda x: x[..., ::-1] - [103.939, 116.779, 123.68]),
    ],
    ids=["raw", "unit", "symmetric", "mean_std", "caffe"],
)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_pixels_are_scaled_as_the_network_expects(scaling, scaled, dtype):
    network = drawn(small())
    model = from_keras(
        network, "a", scaling=scaling, input_dtype=dtype, verbose=0
    )
    x = np.floor(pixels())
    expected = network(scaled(x).astype("float32"), training=False)
    logits = model["a"](x.astype(dtype), training=False)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(keras.ops.softmax(logits)),
        keras.ops.convert_to_numpy(expected),
        rtol=1e-4,
        atol=1e-5,
    )


def test_adapted_statistics_become_constants(tmp_path):
    normalize = layers.Normalization()
    normalize.adapt(pixels(8))
    x = inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.GlobalAveragePooling2D()(
        layers.Conv2D(4, 3, name="conv")(normalize(x))
    )
    network = keras.Model(inputs, layers.Dense(3, "softmax")(x))
    model = from_keras(network, "a", verbose=0)
    wider = model.with_domain("b", 2)
    for m in (model, wider):
        assert_same(m, network, lambda x: x)


@pytest.mark.parametrize(
    ("scaling", "shape"), [((0.5, 0.25), ()), ("imagenet", (1, 1, 3))]
)
def test_a_scaling_that_is_the_same_for_all_channels_is_one_number(
    scaling, shape
):
    """Runtimes multiply an image by one number faster than by three."""
    network = keras.Sequential(
        [keras.Input((SIZE, SIZE, 3)), layers.Flatten(), layers.Dense(3)]
    )
    model = from_keras(network, "a", scaling, verbose=0)
    steps = model.get_config()["backbone_config"]["steps"]
    (config,) = (s["layer"]["config"] for s in steps if s["name"] == "scaling")
    assert np.shape(config["scale"]) == np.shape(config["offset"]) == shape
