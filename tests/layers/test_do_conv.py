"""DO-Conv starts as the plain layer, trains more, and folds back to it."""

import itertools
import json

import keras
import numpy as np
import pytest

from keras_mdl.layers import depthwise
from keras_mdl.layers.do_conv import DOConv2D
from keras_mdl.layers.do_depthwise import DODepthwiseConv2D

CHANNELS = 4
# Without compilation a step on JAX is slow.
JIT = keras.backend.backend() == "jax"
# Groups 1, some and all; depth multipliers; more columns than positions.
SHAPES = [
    (DOConv2D, {"filters": 8, "groups": 1}),
    (DOConv2D, {"filters": 8, "groups": 2}),
    (DOConv2D, {"filters": 8, "groups": CHANNELS}),
    (DODepthwiseConv2D, {"depth_multiplier": 1}),
    (DODepthwiseConv2D, {"depth_multiplier": 2}),
]
WINDOWS = [
    {"kernel_size": 3, "strides": 1, "dilation_rate": 1},
    {"kernel_size": 3, "strides": 2, "dilation_rate": 1},
    {"kernel_size": (3, 2), "strides": 1, "dilation_rate": 2},
]
GRID = [
    (cls, {**shape, **window, "padding": padding}, extra)
    for (cls, shape), window, padding, extra in itertools.product(
        SHAPES, WINDOWS, ["same", "valid"], [0, 4]
    )
]


def brief(value):
    """Of a parameter, for the names of tests."""
    if isinstance(value, dict):
        return "-".join(f"{k[:6]}={v}" for k, v in value.items())
    return getattr(value, "__name__", str(value))


every_option = pytest.mark.parametrize(
    ("cls", "options", "extra"), GRID, ids=brief
)
every_shape = pytest.mark.parametrize(("cls", "options"), SHAPES, ids=brief)


def to_numpy(x):
    return np.array(keras.ops.convert_to_numpy(x))


def example(size=(7, 6), channels=CHANNELS, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(2, *size, channels)).astype("float32")


def made(cls, options, extra=0, x=None, **more):
    options = {"kernel_size": 3, **options, **more}
    size = int(np.prod(np.broadcast_to(options["kernel_size"], 2)))
    if extra:
        options["d_multiplier"] = size + extra
    layer = cls(**options)
    layer.build((example() if x is None else x).shape)
    return layer


def plain_options(layer):
    config = layer.get_config()
    del config["d_multiplier"], config["d_regularizer"]
    return config


def randomized(layer, seed=0):
    rng = np.random.default_rng(seed)
    for v in layer.weights:
        v.assign(rng.normal(0, 0.5, v.shape))
    return layer


def effective_d(layer):
    """Identity in the first columns, plus what is trained."""
    added = to_numpy(layer.d_train)
    return np.eye(*added.shape[:2])[..., None] + added


def rows_of_w(layer):
    kernel = to_numpy(layer.kernel)
    rows = kernel.reshape(-1, *kernel.shape[2:])
    if layer.kernel_extra is not None:
        rows = np.concatenate([rows, to_numpy(layer.kernel_extra)])
    return rows


def composed_by_loops(layer):
    """`K[m, i, o]` with D of the filter's true channel, one at a time."""
    d, w = effective_d(layer), rows_of_w(layer)
    groups = getattr(layer, "groups", 1)
    per_group = w.shape[2] // groups
    k = np.zeros((d.shape[0], *w.shape[1:]))
    for m, s, i, o in np.ndindex(d.shape[0], *w.shape):
        channel = (o // per_group) * w.shape[1] + i
        k[m, i, o] += d[m, s, channel] * w[s, i, o]
    return k.reshape(layer.kernel.shape)


def feature_view(layer, x):
    """First D on every patch of every channel, then W: no kernel is composed.

    Channels last; a plain loop over pixels.
    """
    d, w = effective_d(layer), rows_of_w(layer)
    (kh, kw), (sh, sw) = layer.kernel_size, layer.strides
    dilation = layer.dilation_rate
    pads, sizes = [], []
    for n, k, s, r in zip(
        x.shape[1:3], (kh, kw), (sh, sw), dilation, strict=True
    ):
        reach = (k - 1) * r + 1
        out = -(-n // s) if layer.padding == "same" else (n - reach) // s + 1
        total = max((out - 1) * s + reach - n, 0)
        total = total if layer.padding == "same" else 0
        pads.append((total // 2, total - total // 2))
        sizes.append(out)
    x = np.pad(x.astype("float64"), [(0, 0), *pads, (0, 0)])
    grouped = isinstance(layer, DOConv2D)
    per_group = w.shape[2] // layer.groups if grouped else None
    y = np.zeros((len(x), *sizes, layer.bias.shape[0]))
    for row, column in np.ndindex(*sizes):
        patch = np.stack(
            [
                x[:, row * sh + i * dilation[0], column * sw + j * dilation[1]]
                for i, j in np.ndindex(kh, kw)
            ],
            axis=1,
        )
        features = np.einsum("msc,bmc->bsc", d, patch)
        for i, o in np.ndindex(*w.shape[1:]):
            channel = (o // per_group) * w.shape[1] + i if grouped else i
            target = o if grouped else i * w.shape[2] + o
            y[:, row, column, target] += features[:, :, channel] @ w[:, i, o]
    return y + to_numpy(layer.bias)


# === The function that is computed ===


@every_option
def test_at_the_start_it_is_the_plain_layer_to_the_bit(cls, options, extra):
    layer, x = made(cls, options, extra), example()
    plain = cls.plain_class.from_config(plain_options(layer))
    plain.build(x.shape)
    plain.kernel.assign(layer.kernel)
    np.testing.assert_array_equal(to_numpy(layer(x)), to_numpy(plain(x)))
    np.testing.assert_array_equal(
        to_numpy(layer.compose(layer.kernel)), to_numpy(layer.kernel)
    )


@every_shape
def test_channels_first_is_channels_last_transposed(cls, options):
    x = example()
    last = randomized(made(cls, options, 2, data_format="channels_last"))
    first = cls.from_config(
        {**last.get_config(), "data_format": "channels_first"}
    )
    turned = x.transpose(0, 3, 1, 2)
    first.build(turned.shape)
    for v, w in zip(first.weights, last.weights, strict=True):
        v.assign(w)
    plain = first.fold()
    try:
        expected = to_numpy(plain(turned))
    except Exception as error:
        pytest.skip(f"no channels first here: {type(error).__name__}")
    np.testing.assert_allclose(to_numpy(first(turned)), expected, atol=1e-5)
    np.testing.assert_allclose(
        to_numpy(first(turned)).transpose(0, 2, 3, 1),
        to_numpy(last(x)),
        atol=1e-4,
    )


@every_option
def test_kernel_view_is_the_feature_view(cls, options, extra):
    layer, x = randomized(made(cls, options, extra)), example()
    np.testing.assert_allclose(
        to_numpy(layer.compose(layer.kernel)),
        composed_by_loops(layer),
        atol=1e-5,
    )
    y = to_numpy(layer(x))
    np.testing.assert_allclose(y, feature_view(layer, x), atol=1e-4)
    assert tuple(layer.compute_output_shape(x.shape)) == y.shape


def test_a_filter_meets_the_factor_of_its_own_channels_alone():
    layer = made(DOConv2D, {"filters": 8, "groups": 2})
    x = example()
    before = to_numpy(layer(x))
    d = np.zeros(layer.d_train.shape)
    d[..., 3] = 1  # the last channel, which is in the second group
    layer.d_train.assign(d)
    changed = np.any(to_numpy(layer(x)) != before, axis=(0, 1, 2))
    np.testing.assert_array_equal(changed, [False] * 4 + [True] * 4)


@every_shape
def test_a_trained_plain_kernel_can_start_it(cls, options):
    x = example()
    plain = randomized(made(cls, options).fold())
    layer = made(cls, options, 3)
    layer.kernel.assign(plain.kernel)
    layer.bias.assign(plain.bias)
    np.testing.assert_array_equal(to_numpy(layer(x)), to_numpy(plain(x)))


def test_the_composed_kernel_takes_the_fast_depthwise_path(monkeypatch):
    calls = []

    def spy(x, kernel, *args):
        calls.append(to_numpy(kernel))
        return original(x, kernel, *args)

    original = depthwise.shifted_depthwise
    monkeypatch.setattr(depthwise, "shifted_depthwise", spy)
    monkeypatch.setattr(depthwise, "shifts_are_faster", lambda: True)
    layer, x = randomized(made(DODepthwiseConv2D, {})), example()
    y = to_numpy(layer(x))
    (kernel,) = calls
    np.testing.assert_allclose(
        kernel, composed_by_loops(layer)[..., 0], atol=1e-5
    )
    np.testing.assert_allclose(y, feature_view(layer, x), atol=1e-4)


# === Weights ===


def test_the_full_network_gets_81_numbers_per_depthwise_channel():
    channels = [3, 64] + [128] * 8 + [256] * 8 + [512] * 7
    assert len(channels) == 25
    extra = 0
    for c in channels:
        layer = DODepthwiseConv2D(3, depthwise_initializer="zeros")
        layer.build((None, 8, 8, c))
        extra += layer.count_params() - (9 + 1) * c
    assert extra == sum(channels) * 81 == 544_563


@pytest.mark.parametrize(
    ("cls", "options"),
    [(DOConv2D, {"filters": 3}), (DODepthwiseConv2D, {})],
    ids=brief,
)
def test_a_1x1_kernel_stays_plain(cls, options):
    layer, x = made(cls, options, kernel_size=1), example()
    assert [v.name for v in layer.weights] == ["kernel", "bias"]
    assert layer.d_train is None
    plain = layer.fold()
    np.testing.assert_array_equal(to_numpy(layer(x)), to_numpy(plain(x)))


@pytest.mark.parametrize("wrong", [8, 0, -9, 9.0, "9"])
@every_shape
def test_a_factor_that_cannot_be_the_identity_is_refused(cls, options, wrong):
    with pytest.raises(ValueError, match="at least kernel height"):
        cls(kernel_size=3, d_multiplier=wrong, **options)


def test_lora_is_refused():
    layer = made(DOConv2D, {"filters": 2})
    with pytest.raises(ValueError, match="no LoRA"):
        layer.enable_lora(1)


@pytest.mark.parametrize("seed", [None, 7])
@every_shape
def test_further_rows_are_new_draws_of_the_kernels_initializer(
    cls, options, seed
):
    name = "kernel" if cls is DOConv2D else "depthwise"
    initializer = keras.initializers.HeNormal(seed=seed)
    layer = made(cls, options, 20, **{f"{name}_initializer": initializer})
    rows = rows_of_w(layer).reshape(29, -1)
    assert len(np.unique(rows, axis=0)) == 29
    assert 0.5 < rows[9:].std() / rows[:9].std() < 2


# === Training ===


def model_of(layer, x):
    inputs = keras.Input(x.shape[1:])
    return keras.Model(inputs, layer(inputs))


def moved_by_a_step(model, x, target):
    before = [to_numpy(v) for v in model.trainable_variables]
    model.train_on_batch(x, target)
    return {
        v.name: to_numpy(v) != old
        for v, old in zip(model.trainable_variables, before, strict=True)
    }


@pytest.mark.parametrize("jit_compile", sorted({JIT, True}))
@every_shape
def test_steps_reach_every_number(cls, options, jit_compile):
    x = example()
    model = model_of(made(cls, options, 2), x)
    target = np.random.default_rng(1).normal(size=model(x).shape) * 5
    target = target.astype("float32")
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=jit_compile)
    moved = moved_by_a_step(model, x, target)
    # Further rows meet columns that are still zero.
    assert not moved.pop("kernel_extra").any()
    assert sorted(moved) == ["bias", "d_train", "kernel"]
    assert all(np.all(m) for m in moved.values())
    moved = moved_by_a_step(model, x, target)
    assert all(np.all(m) for m in moved.values())
    history = model.fit(x, target, epochs=2, batch_size=1, verbose=0)
    assert np.all(np.isfinite(history.history["loss"]))


@pytest.mark.parametrize("own", [True, False])
@every_shape
def test_decay_pulls_the_factor_to_the_identity(cls, options, own):
    name = "kernel" if cls is DOConv2D else "depthwise"
    key = "d_regularizer" if own else f"{name}_regularizer"
    decay = keras.regularizers.L2(0.5)
    layer, x = randomized(made(cls, options, 2, **{key: decay})), example()
    model = model_of(layer, x)
    model.compile(
        keras.optimizers.SGD(0.5),
        lambda y, p: 0.0 * keras.ops.mean(p),
        jit_compile=JIT,
    )
    before, kernel = to_numpy(layer.d_train), to_numpy(layer.kernel)
    for _ in range(3):
        model.train_on_batch(x, to_numpy(model(x)))
    # d -= 0.5 * 2 * 0.5 * d
    np.testing.assert_allclose(to_numpy(layer.d_train), before / 8, rtol=1e-5)
    for _ in range(20):
        model.train_on_batch(x, to_numpy(model(x)))
    identity = np.eye(*before.shape[:2])[..., None]
    assert np.abs(effective_d(layer) - identity).max() < 1e-5
    if own:
        np.testing.assert_array_equal(to_numpy(layer.kernel), kernel)


def test_a_regularizer_of_its_own_takes_the_place_of_the_kernels():
    layer = made(
        DOConv2D,
        {"filters": 2},
        kernel_regularizer="l2",
        d_regularizer=keras.regularizers.L2(0.0),
    )
    randomized(layer)
    np.testing.assert_allclose(
        to_numpy(sum(layer.losses)),
        0.01 * np.square(to_numpy(layer.kernel)).sum(),
        rtol=1e-5,
    )


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@every_shape
def test_mixed_precision_composes_in_32_bits(cls, options, policy):
    layer, x = randomized(made(cls, options, 2, dtype=policy)), example()
    y = layer(x)
    assert keras.backend.standardize_dtype(y.dtype) == policy[6:]
    for v in layer.weights:
        assert keras.backend.standardize_dtype(v.dtype) == "float32"
    # Had the product been rounded on the way, the bits would differ.
    np.testing.assert_array_equal(
        to_numpy(y).astype("float32"),
        to_numpy(layer.fold()(x)).astype("float32"),
    )
    composed = layer.compose(layer.kernel)
    assert keras.backend.standardize_dtype(composed.dtype) == "float32"


# === Folding and saving ===


@every_option
def test_folded_is_unfolded(cls, options, extra):
    layer, x = randomized(made(cls, options, extra, name="conv")), example()
    plain = layer.fold()
    assert type(plain) is cls.plain_class
    assert plain.name == "conv"
    assert [v.name for v in plain.weights] == ["kernel", "bias"]
    np.testing.assert_allclose(to_numpy(plain(x)), to_numpy(layer(x)), 1e-5)


def test_a_fold_keeps_what_else_was_asked_for():
    layer = made(
        DOConv2D,
        {"filters": 2, "use_bias": False, "activation": "relu"},
        trainable=False,
        kernel_constraint="non_neg",
        kernel_regularizer="l2",
        dtype="mixed_bfloat16",
    )
    plain = layer.fold()
    assert plain.get_config() == plain_options(layer)
    assert [v.name for v in plain.weights] == ["kernel"]
    assert not plain.trainable_weights


def test_an_unbuilt_layer_is_not_folded():
    with pytest.raises(ValueError, match="must be built"):
        DOConv2D(2, 3).fold()


@every_shape
def test_config_survives_json(cls, options):
    layer = made(cls, options, 3, d_regularizer="l1")
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is cls
    assert again.d_multiplier == 12
    assert isinstance(again.d_regularizer, keras.regularizers.L1)
    assert json.loads(json.dumps(again.get_config())) == config["config"]


def test_arguments_may_be_positional_as_for_keras():
    assert DOConv2D(2, 3, 2, "same").padding == "same"
    assert DODepthwiseConv2D(3, 2, "same", 2).depth_multiplier == 2


@every_shape
@pytest.mark.parametrize("use_bias", [True, False])
def test_saved_and_loaded_layer_gives_equal_outputs(
    cls, options, use_bias, tmp_path
):
    x = example()
    layer = randomized(made(cls, options, 3, use_bias=use_bias))
    model = model_of(layer, x)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(to_numpy(again(x)), to_numpy(model(x)))
    for v, w in zip(model.weights, again.weights, strict=True):
        assert v.name == w.name
        np.testing.assert_array_equal(to_numpy(v), to_numpy(w))
