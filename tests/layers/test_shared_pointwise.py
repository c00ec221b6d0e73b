"""The separable convolution against NumPy, and its slots."""

import keras
import numpy as np
import pytest
from numpy_net import depthwise, pointwise

from keras_mdl.layers import PerDomainLayer, SharedPointwiseDepthwiseConv

PADDINGS = {
    # Zeros before and after each axis, from the definitions.
    "valid": lambda n, k, s: (0, 0),
    "symmetric": lambda n, k, s: (k // 2, k // 2),
    "same": lambda n, k, s: (
        max((-(-n // s) - 1) * s + k - n, 0) // 2,
        -(-max((-(-n // s) - 1) * s + k - n, 0) // 2),
    ),
}


@pytest.mark.parametrize("pointwise_kind", ["shared", "domain"])
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("size", "k"), [((6, 8), 3), ((7, 5), 3), ((9, 6), 5)])
def test_it_computes_the_papers_equations(
    size, k, stride, padding, pointwise_kind
):
    layer = SharedPointwiseDepthwiseConv(
        5,
        ["a", "b"],
        kernel_size=k,
        strides=stride,
        padding=padding,
        pointwise=pointwise_kind,
    )
    x = np.random.default_rng(0).normal(size=(2, *size, 3)).astype("float32")
    for domain in ("a", "b"):
        ours = keras.ops.convert_to_numpy(layer(x, domain=domain))
        parts = layer.parts(domain)
        kernel, mix = (
            keras.ops.convert_to_numpy(parts[role].kernel)
            for role in ("depthwise", "pointwise")
        )
        pads = [PADDINGS[padding](n, k, stride) for n in size]
        expected = pointwise(depthwise(x, kernel, stride, pads), mix)
        np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_domains_differ_in_the_depthwise_kernel_alone():
    layer = SharedPointwiseDepthwiseConv(5, ["a", "b"])
    x = np.ones((1, 6, 6, 3), "float32")
    first, second = layer(x, domain="a"), layer(x, domain="b")
    assert not np.allclose(first, second)
    assert layer.parts("a")["pointwise"] is layer.parts("b")["pointwise"]
    for role, part in layer.slot("a").items():
        layer.slot("b")[role].set_weights(part.get_weights())
    np.testing.assert_array_equal(first, layer(x, domain="b"))


def test_nothing_stands_between_depthwise_and_pointwise():
    # Linear in the input: no bias, no activation, no normalisation.
    layer = SharedPointwiseDepthwiseConv(5, ["a"])
    x, y = np.random.default_rng(0).normal(size=(2, 1, 6, 6, 3)).astype("f")
    both, one, other = (
        keras.ops.convert_to_numpy(layer(t, domain="a"))
        for t in (2 * x - 3 * y, x, y)
    )
    np.testing.assert_allclose(both, 2 * one - 3 * other, atol=1e-4)


@pytest.mark.parametrize(
    ("initializer", "differ"),
    [(None, True), (keras.initializers.RandomNormal(seed=1), False)],
    ids=["seedless", "seeded"],
)
def test_slots_draw_their_own_values_unless_a_seed_is_given(
    initializer, differ
):
    layer = SharedPointwiseDepthwiseConv(
        5, ["a", "b"], depthwise_initializer=initializer
    )
    layer.build((1, 6, 6, 3))
    a, b = (
        keras.ops.convert_to_numpy(layer.slot(d)["depthwise"].kernel)
        for d in ("a", "b")
    )
    assert (not np.array_equal(a, b)) == differ


def test_a_composite_layer_can_be_a_slot():
    pattern = keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(2)])
    layer = PerDomainLayer(pattern, ["a", "b"])
    x = np.ones((3, 5), "float32")
    assert layer(x, domain="a").shape == (3, 2)
    assert len(layer.slot("b")["layer"].weights) == 4
