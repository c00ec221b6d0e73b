"""`FusedBatchNormalization` is Keras' BatchNormalization, number by number."""

import keras
import numpy as np
import pytest

from keras_mdl.layers import DomainBatchNormalization, FusedBatchNormalization

SHAPE = (4, 5, 3, 6)
OPTIONS = {"momentum": 0.9, "epsilon": 1e-5}
# Rounding to 11 and to 8 bits of values around 1 to 4.
TOLERANCE = {"float32": 2e-5, "mixed_float16": 5e-3, "mixed_bfloat16": 4e-2}


def data(scale=2.0, seed=0, shape=SHAPE):
    rng = np.random.default_rng(seed)
    return rng.normal(0.5, scale, shape).astype("float32")


def pair(policy="float32", **options):
    """Ours and Keras' own, with the same random scale and offset."""
    rng = np.random.default_rng(1)
    layers = [
        cls(**{**OPTIONS, **options}, dtype=policy)
        for cls in (FusedBatchNormalization, keras.layers.BatchNormalization)
    ]
    gamma, beta = rng.uniform(0.5, 1.5, SHAPE[-1]), rng.normal(size=SHAPE[-1])
    for layer in layers:
        layer.build(SHAPE)
        layer.gamma.assign(gamma)
        layer.beta.assign(beta)
        layer.moving_mean.assign(beta / 2)
        layer.moving_variance.assign(gamma * 2)
    return layers


def to_numpy(x):
    return keras.ops.convert_to_numpy(x).astype("float32")


@pytest.mark.parametrize("policy", TOLERANCE)
@pytest.mark.parametrize("training", [True, False])
def test_outputs_and_statistics_are_those_of_keras(policy, training):
    ours, theirs = pair(policy)
    x = keras.ops.cast(data(), ours.compute_dtype)
    for _ in range(3):
        a, b = ours(x, training=training), theirs(x, training=training)
    assert a.dtype == b.dtype
    tolerance = TOLERANCE[policy]
    np.testing.assert_allclose(to_numpy(a), to_numpy(b), atol=tolerance)
    for v, w in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(
            to_numpy(v), to_numpy(w), atol=tolerance, err_msg=v.name
        )


def test_running_statistics_move_by_the_documented_rule():
    ours, _ = pair()
    mean, variance = to_numpy(ours.moving_mean), to_numpy(ours.moving_variance)
    x = data()
    ours(x, training=True)
    np.testing.assert_allclose(
        to_numpy(ours.moving_mean),
        0.9 * mean + 0.1 * x.mean((0, 1, 2)),
        rtol=1e-4,
        atol=1e-5,
    )
    np.testing.assert_allclose(
        to_numpy(ours.moving_variance),
        0.9 * variance + 0.1 * x.var((0, 1, 2)),  # biased
        rtol=1e-4,
    )


@pytest.mark.parametrize("scale", [1e-3, 3e-3])
def test_small_variances_get_the_same_epsilon(scale):
    # Variances of about epsilon: another epsilon would show.
    ours, theirs = pair()
    x = data(scale) - 0.5
    np.testing.assert_allclose(
        to_numpy(ours(x, training=True)),
        to_numpy(theirs(x, training=True)),
        rtol=5e-5,
        atol=2e-5,
    )


def test_a_frozen_layer_infers_and_keeps_its_statistics():
    ours, theirs = pair()
    ours.trainable = theirs.trainable = False
    before = [to_numpy(v).tobytes() for v in ours.weights]
    x = data()
    np.testing.assert_allclose(
        to_numpy(ours(x, training=True)),
        to_numpy(theirs(x, training=True)),
        atol=1e-6,
    )
    np.testing.assert_array_equal(
        to_numpy(ours(x, training=True)), to_numpy(ours(x, training=False))
    )
    assert [to_numpy(v).tobytes() for v in ours.weights] == before


@pytest.mark.parametrize("policy", TOLERANCE)
def test_gradients_are_those_of_keras(policy):
    ours, theirs = pair(policy)
    target = data(1.0, seed=3)

    def loss(layer, x):
        x = keras.ops.cast(x, layer.compute_dtype)
        y = keras.ops.cast(layer(x, training=True), "float32")
        # Weighted and squared, so that no gradient is zero by symmetry.
        return keras.ops.mean(keras.ops.square(y - target))

    for ours_g, theirs_g in zip(
        gradients(loss, ours, data()),
        gradients(loss, theirs, data()),
        strict=True,
    ):
        scale = np.abs(theirs_g).max()
        assert scale > 0
        np.testing.assert_allclose(
            ours_g / scale, theirs_g / scale, atol=TOLERANCE[policy]
        )


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"scale": False}, SHAPE),
        ({"center": False}, SHAPE),
        ({}, (8, 6)),
        ({"axis": 1}, (4, 6, 5, 3)),
    ],
    ids=["no_scale", "no_center", "2d", "channels_first"],
)
def test_what_the_kernel_does_not_cover_is_inherited(options, shape):
    ours = FusedBatchNormalization(**options)
    theirs = keras.layers.BatchNormalization(**options)
    x = data(shape=shape)
    np.testing.assert_allclose(
        to_numpy(ours(x, training=True)),
        to_numpy(theirs(x, training=True)),
        atol=2e-5,
    )
    for v, w in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(to_numpy(v), to_numpy(w), atol=1e-5)


def test_compiled_by_xla_it_is_still_keras():
    ours, theirs = pair()
    results = []
    for layer in (ours, theirs):
        inputs = keras.Input(SHAPE[1:])
        model = keras.Model(inputs, layer(inputs))
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=True)
        model.fit(data(), data(seed=5), verbose=0, shuffle=False, epochs=2)
        results.append(model.get_weights())
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_a_domain_has_its_own_statistics():
    layer = DomainBatchNormalization(["a", "b"])
    layer.build(SHAPE)
    layer(data(), domain="a", training=True)
    means = [to_numpy(layer.slot(d)["norm"].moving_mean) for d in ("a", "b")]
    assert np.abs(means[0]).min() > 0
    np.testing.assert_array_equal(means[1], 0)


@pytest.mark.parametrize("training", [True, None])
def test_training_given_to_a_symbolic_call_is_obeyed(training):
    layer = DomainBatchNormalization(["a", "b"])
    inputs = keras.Input(SHAPE[1:])
    model = keras.Model(inputs, layer(inputs, domain="a", training=training))
    # As for any Keras layer: the call says nothing, the node's value counts.
    y = to_numpy(model(data()))
    centred = np.abs(y.mean((0, 1, 2))).max() < 1e-3
    assert centred == bool(training)


def gradients(loss, layer, x):
    """Gradients with respect to x, gamma and beta, on either backend."""
    if keras.backend.backend() == "jax":
        import jax

        def pure(tensors, x):
            kept = [v.value for v in layer.weights]
            trained = layer.trainable_variables
            for v, t in zip(trained, tensors, strict=True):
                v.assign(t)
            result = loss(layer, x)
            for v, t in zip(layer.weights, kept, strict=True):
                v.assign(t)
            return result

        start = [v.value for v in layer.trainable_variables]
        (gamma, beta), gx = jax.grad(pure, argnums=(0, 1))(start, x)
        return [np.asarray(g) for g in (gx, gamma, beta)]
    import tensorflow as tf

    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = loss(layer, x)
    variables = [x, *(v.value for v in layer.trainable_variables)]
    return [g.numpy() for g in tape.gradient(value, variables)]
