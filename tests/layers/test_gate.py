"""Gates and mixed kernels: counts, order, and the sum they stand for."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_mdl.layers import (
    DepthwiseConv2D,
    DomainDepthwiseConv2D,
    SharedPointwiseDepthwiseConv,
    SoftmaxDomainGate,
)
from keras_mdl.layers.depthwise import depthwise_per_image
from keras_mdl.layers.transforms import MixedKernels

TEN = [f"domain{i}" for i in range(10)]


def to_numpy(x):
    return np.array(ops.convert_to_numpy(x))


def pixels(*shape, seed=0):
    values = np.random.default_rng(seed).normal(size=shape)
    return values.astype("float32")


def shares(n, t, seed=1):
    values = np.random.default_rng(seed).uniform(0.1, 1, (n, t))
    return (values / values.sum(axis=1, keepdims=True)).astype("float32")


# === The gate ===


@pytest.mark.parametrize(
    ("channels", "numbers"),
    [(3, 24), (64, 1_285), (128, 4_597), (256, 17_365), (512, 67_477)],
)
def test_the_counts_are_those_of_the_released_gate(channels, numbers):
    gate = SoftmaxDomainGate(TEN)
    gate.build((None, 8, 8, channels))
    assert gate.count_params() == numbers


def test_it_computes_the_equation():
    gate = SoftmaxDomainGate(["a", "b", "c"])
    x = pixels(4, 5, 6, 8)
    found = to_numpy(gate(x))
    w1, b1, w2, b2 = (to_numpy(v) for v in gate.weights)
    hidden = np.maximum(x.mean(axis=(1, 2)) @ w1 + b1, 0)
    logits = hidden @ w2 + b2
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)


def test_the_order_is_by_name_whatever_order_is_given():
    names = ["gtsrb", "dtd", "aircraft"]
    for given in (names, names[::-1]):
        assert SoftmaxDomainGate(given).domains == tuple(sorted(names))


def test_it_starts_near_the_uniform_mixture_but_not_at_it():
    gate = SoftmaxDomainGate(TEN)
    found = to_numpy(gate(pixels(16, 8, 8, 64)))
    assert np.abs(found - 0.1).max() < 0.1
    assert found.std() > 0


@pytest.mark.parametrize("weight", [0.25, 0.9, 0.9999])
def test_it_can_start_at_any_share_of_one_domain(weight):
    gate = SoftmaxDomainGate(["a", "b", "c", "d"])
    gate(pixels(1, 4, 4, 8))
    gate.start_at("b", weight)
    expected = np.full((3, 4), (1 - weight) / 3)
    expected[:, 1] = weight
    np.testing.assert_allclose(
        to_numpy(gate(pixels(3, 4, 4, 8))), expected, rtol=1e-4
    )


@pytest.mark.parametrize("weight", [0, 1, -1, 2, float("nan")])
def test_a_share_that_cannot_learn_is_refused(weight):
    gate = SoftmaxDomainGate(["a", "b"])
    gate(pixels(1, 4, 4, 8))
    before = [to_numpy(v) for v in gate.weights]
    with pytest.raises(ValueError, match="above 0 and below 1"):
        gate.start_at("a", weight)
    with pytest.raises(ValueError, match="Known domains: 'a', 'b'"):
        gate.start_at("x", 0.5)
    for old, v in zip(before, gate.weights, strict=True):
        np.testing.assert_array_equal(old, to_numpy(v))


def test_in_mixed_precision_rows_still_sum_to_one():
    gate = SoftmaxDomainGate(TEN, dtype="mixed_bfloat16")
    found = gate(pixels(8, 4, 4, 16))
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    np.testing.assert_allclose(to_numpy(found).sum(axis=1), 1, rtol=1e-6)


# === The mixture ===

FORMS = [
    {"strides": 1, "padding": "same"},
    {"strides": 2, "padding": "valid"},
    {"strides": 2, "padding": "same"},
]


class Mixture:
    """A depthwise convolution, used with a mixture of kernels."""

    def __init__(self, t=4, channels=5, **options):
        self.conv = DepthwiseConv2D(3, use_bias=False, **options)
        self.mix = MixedKernels([f"d{i}" for i in range(1, t)], domain="d0")
        self(pixels(1, 9, 9, channels), shares(1, t))
        for seed, v in enumerate([*self.conv.weights, *self.mix.weights]):
            v.assign(pixels(*v.shape, seed=seed + 7))

    def __call__(self, x, weights):
        return self.conv(x, self.mix(self.conv(x, kernel_only=True), weights))


def sum_of_convolutions(layer, x, weights):
    conv = layer.conv
    kernels = layer.mix.stack(conv.kernel)
    return sum(
        weights[:, t, None, None, None]
        * ops.depthwise_conv(
            x, kernels[t], strides=conv.strides, padding=conv.padding
        )
        for t in range(len(kernels))
    )


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("t", [2, 5, 10])
def test_one_mixed_convolution_is_the_sum_of_all(t, form):
    layer = Mixture(t, **form)
    x, weights = pixels(6, 9, 9, 5), shares(6, t)
    np.testing.assert_allclose(
        to_numpy(layer(x, weights)),
        to_numpy(sum_of_convolutions(layer, x, ops.convert_to_tensor(weights))),
        rtol=1e-4,
        atol=1e-5,
    )


def gradients(f, *inputs):
    """Of `sum(f ** 2)`, on either backend."""

    def loss(*xs):
        return ops.sum(f(*xs) ** 2)

    if keras.backend.backend() == "jax":
        import jax

        return jax.grad(loss, argnums=tuple(range(len(inputs))))(*inputs)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = loss(*inputs)
    return tape.gradient(value, inputs)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_so_are_its_gradients_of_image_and_gate(form):
    layer = Mixture(**form)
    inputs = [
        ops.convert_to_tensor(v) for v in (pixels(3, 9, 9, 5), shares(3, 4))
    ]
    found = gradients(layer, *inputs)
    expected = gradients(lambda x, w: sum_of_convolutions(layer, x, w), *inputs)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(
            to_numpy(a), to_numpy(b), rtol=1e-3, atol=1e-3
        )


@pytest.mark.parametrize("open_size", [False, True])
def test_both_forms_agree_and_take_batches_of_any_size(monkeypatch, open_size):
    import keras_mdl.layers.depthwise as module

    x, kernels = pixels(5, 8, 8, 3), pixels(5, 3, 3, 3, seed=2)
    found = []
    for faster in (True, False):
        monkeypatch.setattr(module, "shifts_are_faster", lambda f=faster: f)
        size = None if open_size else 8
        image = keras.Input((size, size, 3))
        kernel = keras.Input((3, 3, 3))
        y = keras.layers.Lambda(
            lambda pair: module.depthwise_per_image(*pair),
            output_shape=(size, size, 3),
        )([image, kernel])
        model = keras.Model([image, kernel], y)
        model.compile(jit_compile=False)
        found.append(model.predict([x, kernels], batch_size=3, verbose=0))
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        found[0][2:3],
        to_numpy(depthwise_per_image(x[2:3], kernels[2:3])),
        rtol=1e-5,
        atol=1e-5,
    )


def test_copies_of_other_domains_kernels_never_train():
    layer = Mixture()
    assert not layer.mix.trainable_weights
    assert [v.name for v in layer.mix.non_trainable_weights] == [
        "source_d1",
        "source_d2",
        "source_d3",
    ]


@pytest.mark.parametrize(
    ("layer", "options"),
    [
        (DomainDepthwiseConv2D, {"depth_multiplier": 2}),
        (DomainDepthwiseConv2D, {"dilation_rate": 2}),
        (SharedPointwiseDepthwiseConv, {"dilation_rate": 2, "filters": 4}),
    ],
    ids=["multiplied", "dilated", "dilated_separable"],
)
def test_what_it_cannot_mix_is_refused(layer, options):
    with pytest.raises(ValueError, match="no kernel that 'mixed' can"):
        layer(domains=["a"], transforms=mixed("a", ["b"]), **options)


# === In the layer of the method ===


def mixed(domain, sources):
    return {domain: {"mixed": {"sources": sources}}}


@pytest.mark.parametrize("strides", [1, 2])
def test_a_one_hot_gate_is_the_hard_slot(strides):
    gated = SharedPointwiseDepthwiseConv(
        6, ["a", "b", "c"], strides=strides, transforms=mixed("b", ["a", "c"])
    )
    x = pixels(3, 8, 8, 4)
    gated(x, domain="b")
    gate, depthwise = (gated.slot("b")[r] for r in ("gate", "depthwise"))
    plain = {d: gated.slot(d)["depthwise"].kernel for d in ("a", "c")}
    for d, kernel in plain.items():
        copy = getattr(gated.slot("b")["depthwise_transform"], f"source_{d}")
        copy.assign(ops.copy(kernel))
    own = gated.shared["pointwise"]
    for hot, d in enumerate(gate.domains):
        gate.kernel.assign(ops.zeros(gate.kernel.shape))
        gate.bias.assign(np.where(np.arange(3) == hot, 0.0, -1e4))
        found = to_numpy(gated(x, domain="b"))
        if d == "b":
            padded = gated.shared["pad"](x) if "pad" in gated.shared else x
            expected = own(
                ops.depthwise_conv(
                    padded,
                    depthwise.kernel.value,
                    strides=strides,
                    padding="same" if strides == 1 else "valid",
                )
            )
        else:
            expected = gated(x, domain=d)
        np.testing.assert_allclose(
            found, to_numpy(expected), rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize(
    ("transforms", "message"),
    [
        (mixed("x", ["a"]), "Known domains"),
        (mixed("a", ["a", "b"]), "OTHER domains"),
        (mixed("a", []), "one or more"),
        (mixed("a", ["b", "b"]), "unique"),
        ({"a": {"do": {}, **mixed("a", ["b"])["a"]}}, "the same kernel"),
        ({"a": "lora"}, "Known transforms: do, mixed, serial"),
    ],
    ids=["unknown", "itself", "none", "twice", "over_parameterised", "kind"],
)
def test_gates_that_cannot_be_are_refused(transforms, message):
    with pytest.raises(ValueError, match=message):
        SharedPointwiseDepthwiseConv(4, ["a", "b"], transforms=transforms)
