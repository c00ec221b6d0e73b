"""The written-out depthwise convolution is the native one."""

import itertools

import keras
import numpy as np
import pytest
from numpy_net import depthwise

from keras_mdl.layers import DepthwiseConv2D
from keras_mdl.layers.depthwise import shifted_depthwise

GRID = [
    (size, kernel_size, stride, padding)
    for (size, kernel_size), stride, padding in itertools.product(
        # Even, odd and mixed sizes; odd, even and oblong kernels.
        [((6, 6), (3, 3)), ((7, 5), (5, 5)), ((7, 6), (2, 3))],
        [1, 2],
        ["same", "valid"],
    )
]


def example(size, kernel_size, channels=3):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, *size, channels)).astype("float32")
    kernel = rng.normal(size=(*kernel_size, channels)).astype("float32")
    return x, kernel


@pytest.mark.parametrize(("size", "kernel_size", "stride", "padding"), GRID)
def test_shifts_equal_the_native_operation(size, kernel_size, stride, padding):
    x, kernel = example(size, kernel_size)
    native = keras.ops.depthwise_conv(
        x, kernel[..., None], stride, padding, data_format="channels_last"
    )
    shifted = shifted_depthwise(x, kernel, (stride, stride), padding)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(shifted),
        keras.ops.convert_to_numpy(native),
        atol=1e-5,
    )


@pytest.mark.parametrize(("size", "kernel_size", "stride", "padding"), GRID)
def test_shifts_have_the_native_gradients(size, kernel_size, stride, padding):
    x, kernel = example(size, kernel_size)
    native = gradients(
        lambda a, k: keras.ops.depthwise_conv(
            a, k[..., None], stride, padding, data_format="channels_last"
        ),
        x,
        kernel,
    )
    shifted = gradients(
        lambda a, k: shifted_depthwise(a, k, (stride, stride), padding),
        x,
        kernel,
    )
    for ours, theirs in zip(shifted, native, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("strides", [(1, 2), (2, 1)])
def test_unequal_strides_are_shifts_by_those_strides(strides):
    x, kernel = example((6, 7), (3, 3))
    full = shifted_depthwise(x, kernel, (1, 1), "valid")
    part = shifted_depthwise(x, kernel, strides, "valid")
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(part),
        keras.ops.convert_to_numpy(full)[:, :: strides[0], :: strides[1]],
        atol=1e-6,
    )


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(6, 6), (7, 5)])
def test_the_layer_equals_a_loop_over_pixels(size, stride):
    x, _ = example(size, (3, 3))
    layer = DepthwiseConv2D(3, stride, "valid")
    layer(x)
    bias = np.array([1.0, 2.0, 3.0], "float32")
    layer.bias.assign(bias)
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    no_pads = ((0, 0), (0, 0))
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(layer(x)),
        depthwise(x, kernel, stride, no_pads) + bias,
        atol=1e-5,
    )


@pytest.mark.parametrize(
    "options",
    [
        {"dilation_rate": 2},
        {"depth_multiplier": 2},
        {"padding": "same", "activation": "relu"},
        {"strides": 2, "use_bias": False},
    ],
    ids=str,
)
def test_the_layer_is_keras_own_for_every_option(options):
    x, _ = example((7, 7), (3, 3))
    ours = DepthwiseConv2D(3, **options)
    keras_own = keras.layers.DepthwiseConv2D(3, **options)
    ours(x), keras_own(x)
    keras_own.set_weights(ours.get_weights())
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(ours(x)),
        keras.ops.convert_to_numpy(keras_own(x)),
        atol=1e-5,
    )


def gradients(function, *arrays):
    """Gradients of the sum of squared outputs, on either backend."""

    def loss(*tensors):
        return keras.ops.sum(keras.ops.square(function(*tensors)))

    if keras.backend.backend() == "jax":
        import jax

        return [np.asarray(g) for g in jax.grad(loss, argnums=(0, 1))(*arrays)]
    import tensorflow as tf

    tensors = [tf.constant(a) for a in arrays]
    with tf.GradientTape() as tape:
        for t in tensors:
            tape.watch(t)
        value = loss(*tensors)
    return [g.numpy() for g in tape.gradient(value, tensors)]
