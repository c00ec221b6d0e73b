"""Networks of others with weights that show every mistake."""

import keras
import numpy as np

layers = keras.layers
SIZE = 8


def pixels(n=3, size=SIZE, seed=0):
    values = np.random.default_rng(seed).uniform(0, 255, (n, size, size, 3))
    return values.astype("float32")


def drawn(network, seed=0):
    """The network with weights and statistics that show every mistake."""
    rng = np.random.default_rng(seed)
    for v in network.weights:
        shape = tuple(v.shape)
        if "gamma" in v.name:
            value = rng.uniform(-0.5, 1.5, shape)  # negative ones too
        elif "variance" in v.name:
            value = rng.uniform(0.5, 1.5, shape)
        elif v.name == "count":
            continue
        else:
            depthwise = len(shape) == 4 and shape[-1] == 1
            fan = np.prod(shape[: 2 if depthwise else -1])
            scale = (2 / fan) ** 0.5 if len(shape) > 1 else 0.1
            value = rng.normal(0, scale, shape)
        v.assign(value)
    return network


def assert_same(model, network, scaled, size=SIZE):
    """The first domain's softmax is the network's output."""
    x = pixels(size=size)
    expected = keras.ops.convert_to_numpy(network(scaled(x), training=False))
    (domain, *_) = model.domains
    logits = model[domain](x, training=False)
    found = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)
    assert np.ptp(expected, axis=0).max() > 1e-4  # images differ


def small(*more):
    x = inputs = keras.Input((SIZE, SIZE, 3))
    for layer in (layers.Conv2D(4, 3, name="conv"), *more):
        x = layer(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(3, "softmax", name="logits")(x))
