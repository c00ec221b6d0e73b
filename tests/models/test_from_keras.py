"""Networks of others as trunks: same outputs, a table of roles, every verb."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from drawn_networks import SIZE, assert_same, drawn, pixels, small
from tiny import (
    OPTIMIZERS,
    changed_owners,
    compiled,
    fit,
    values,
)

import keras_mdl
from keras_mdl.models import from_keras

layers = keras.layers


def everything():
    """What users' networks are made of, in one small network."""
    inner_in = keras.Input((None, None, 6))
    inner = layers.Conv2D(6, 3, padding="same", name="inner_conv")(inner_in)
    inner = layers.LayerNormalization(name="inner_norm")(inner)
    nested = keras.Model(inner_in, layers.Add()([inner, inner_in]), name="nest")
    twice = layers.Conv2D(6, 1, use_bias=False, name="twice")
    x = inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1 / 255)(x)
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="stem")(x)
    x = layers.SeparableConv2D(6, (3, 5), padding="same", name="split")(x)
    x = layers.BatchNormalization(name="split_bn")(x)
    x = nested(nested(x))
    x = twice(keras.ops.relu(twice(x)) * 0.5)
    x = layers.BatchNormalization(name="twice_bn")(x)
    y = layers.Conv2D(6, 3, padding="same", groups=2, name="grouped")(x)
    z = layers.Conv2D(12, 3, padding="same", groups=6, name="as_depthwise")(x)
    s = layers.GlobalAveragePooling2D(keepdims=True)(y)
    s = layers.Conv2D(3, 1, activation="relu", name="squeeze")(s)
    s = layers.Dense(6, activation="sigmoid", name="excite")(s)
    x = layers.Concatenate()([y * s, z])
    x = layers.ZeroPadding2D(((0, 1), (0, 1)))(x)
    x = layers.DepthwiseConv2D(3, 2, name="down", use_bias=False)(x)
    x = layers.BatchNormalization(scale=False, name="down_bn")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.25)(x)
    return keras.Model(inputs, layers.Dense(4, "softmax", name="logits")(x))


@pytest.fixture(scope="module")
def network():
    return drawn(everything())


@pytest.fixture(scope="module")
def model(network):
    domain = keras_mdl.Domain("a", ["w", "x", "y", "z"])
    # A second domain that the helpers of the tests have labels for.
    return from_keras(network, domain, verbose=0).with_domain("b", 2)


# === The first domain is the network ===


def test_the_first_domain_gives_the_networks_outputs(network, model):
    assert_same(model, network, lambda x: x)
    assert model.slots["a"].dropout == 0.25


def test_the_table_says_what_becomes_of_each_layer(network, capsys):
    from_keras(network, "a")
    text = capsys.readouterr().out
    roles = dict(line.split()[::2][:2] for line in text.splitlines()[2:25])
    assert roles == {
        "stem": "shared",
        "split": "split",
        "split_bn": "private",
        "nest_inner_conv": "shared",
        "nest_inner_norm": "private",
        "twice": "shared",
        "twice_bn": "private",
        "grouped": "shared",
        "as_depthwise": "private",
        "squeeze": "shared",
        "excite": "shared",
        "down": "private",
        "down_bn": "private",
        "logits": "head",
        **{k: v for k, v in roles.items() if k.isdigit()},
    }
    assert "of norms were below zero" in text


def test_counts_are_exact(network, model):
    rows = {r.owner: r for r in model.summary_by_domain().rows}
    trainable = sum(int(np.prod(v.shape)) for v in network.trainable_weights)
    assert rows["trunk"].parameters + rows["a"].parameters == trainable
    per_position = (
        27 * 6 + 15 * 6 + 6 * 6 + 2 * 54 * 6 + 2 * 36 + 9 * 3 * 6 + 9 * 12
    )
    rest = 16 * 9 * 18 + 6 * 3 + 3 * 6 + 18 * 4
    assert rows["a"].macs == 64 * per_position + rest


def test_a_negative_factor_changes_its_sign_without_a_trace(network, model):
    found = values(model)
    pairs = {"split_bn": "split_pointwise"}
    for norm, conv in pairs.items():
        source = network.get_layer(norm)
        gamma = keras.ops.convert_to_numpy(source.gamma)
        ours = found[f"domains/a/{norm}/norm/gamma"]
        assert (gamma < 0).any()
        np.testing.assert_array_equal(ours, np.abs(gamma))
        kernel = found[f"trunk/{conv}/conv/kernel"]
        original = keras.ops.convert_to_numpy(
            network.get_layer("split").pointwise_kernel
        )
        np.testing.assert_array_equal(kernel, original * np.sign(gamma))
    # Used twice: what is behind it in one place is not so in the other.
    np.testing.assert_array_equal(
        found["domains/a/twice_bn/norm/gamma"],
        keras.ops.convert_to_numpy(network.get_layer("twice_bn").gamma),
    )


def layer_scale(channels):
    """Keras' own, which it has no public name for."""
    tiny = keras.applications.convnext.ConvNeXtTiny
    kind = sys.modules[tiny.__module__].LayerScale
    return kind(1.0, channels, name="bn")


@pytest.mark.parametrize("kind", ["image", "pooled", "dense", "scale"])
def test_an_exact_turn_is_exact_to_the_last_bit(kind):
    x = inputs = keras.Input((SIZE, SIZE, 3))
    if kind in ("pooled", "dense"):
        x = layers.GlobalAveragePooling2D(keepdims=kind == "pooled")(x)
    conv = layers.Conv2D(5, 1)
    if kind in ("dense", "scale"):
        conv = layers.Dense(5)
    conv.name = "conv"
    norm = layers.BatchNormalization(name="bn")
    if kind == "scale":  # of ConvNeXt, which is where Keras has it
        norm = layer_scale(5)
    x = norm(conv(x))
    features = keras.Model(inputs, layers.ReLU()(x))
    drawn(features)
    domain = keras_mdl.Domain("a", 2)
    model = from_keras(features, domain, scaling="0..255", verbose=0)
    view, own = model["a"], model.variables_by_path()
    role = "layer" if kind == "scale" else "norm"
    assert keras.ops.all(own[f"domains/a/bn/{role}/gamma"] > 0)
    ours = keras.Model(view.input, view.endpoints["bn"])
    theirs = keras.Model(features.input, features.get_layer("bn").output)

    def output(network, training):
        with view.flags():
            y = network(pixels(), training=training)
        return keras.ops.convert_to_numpy(y)

    np.testing.assert_array_equal(output(ours, False), output(theirs, False))
    # In training, against the same network with the signs turned back.
    statistics = [v for p, v in own.items() if "moving_" in p]
    before = [keras.ops.convert_to_numpy(v) for v in statistics]
    turned = output(ours, True)
    for v, value in zip(statistics, before, strict=True):
        v.assign(value)
    sign = keras.ops.sign(features.get_layer("bn").gamma)
    for path in (
        *(p for p in own if p.startswith("trunk/conv/")),
        *(p for p in own if p.endswith(("gamma", "moving_mean"))),
    ):
        own[path].assign(own[path] * sign)
    np.testing.assert_array_equal(turned, output(ours, True))


# === Every verb ===


def test_training_a_domain_leaves_the_others_bit_identical(model):
    before = values(model)
    fit(compiled(model["b"], OPTIMIZERS["adamw"]()))
    assert changed_owners(before, values(model)) == {"domains/b"}


def test_domains_come_and_go(model):
    before = model.fingerprint()
    wider = model.with_domain("c", 4)
    assert {k: wider.fingerprint()[k] for k in before} == before
    assert wider.without_domain("c").fingerprint() == before


def test_files_need_nothing_of_the_networks_code(model, tmp_path):
    path = tmp_path / "m.keras"
    model.save(path)
    code = (
        "import sys, keras_mdl, json\n"
        "m = keras_mdl.load_model(sys.argv[1])\n"
        "print(json.dumps(m.fingerprint()))"
    )
    root = os.path.dirname(os.path.dirname(keras_mdl.__file__))
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    line = done.stdout.strip().splitlines()[-1]
    assert json.loads(line) == model.fingerprint()
    model.save_domain("b", tmp_path / "b.safetensors")
    narrower = model.without_domain("b")
    back = narrower.load_domain(tmp_path / "b.safetensors")
    assert back.fingerprint() == model.fingerprint()


# === Keras' own networks ===


@pytest.mark.skipif(
    keras.backend.backend() == "jax",
    reason="XLA compiles for minutes; the small networks above run here",
)
@pytest.mark.parametrize(
    ("build", "scaling", "scaled", "size"),
    [
        (
            lambda: keras.applications.MobileNetV2(
                (32, 32, 3), alpha=0.35, weights=None, classes=3
            ),
            "-1..1",
            lambda x: x / np.float32(127.5) - 1,
            32,
        ),
        (
            lambda: keras.applications.MobileNetV3Small(
                (32, 32, 3), minimalistic=True, weights=None, classes=3
            ),
            None,
            lambda x: x,
            32,
        ),
    ],
    ids=["mobilenet_v2", "mobilenet_v3_minimalistic"],
)
def test_networks_of_keras_applications(build, scaling, scaled, size):
    network = drawn(build())
    model = from_keras(network, "a", scaling=scaling, verbose=0)
    assert_same(model, network, scaled, size)
    kernels = [p for p in model.variables_by_path("a") if "depthwise/" in p]
    assert len(kernels) == sum(
        isinstance(x, layers.DepthwiseConv2D) for x in network.layers
    )


# === Roles that the caller gives ===


def test_roles_can_be_given_by_pattern():
    network = small(layers.PReLU(shared_axes=[1, 2], name="act"))
    with pytest.raises(ValueError, match=r"'act'.*PReLU.*roles="):
        from_keras(network, "a", scaling="0..1")
    for role in ("shared", "private"):
        model = from_keras(
            network,
            "a",
            scaling="0..1",
            roles={"ac*": role, "conv": "private"},
            verbose=0,
        )
        assert_same(model, network, lambda x: x / 255)
        owner = "trunk" if role == "shared" else "domains/a"
        assert f"{owner}/act/layer/alpha" in model.variables_by_path()
        assert "domains/a/conv/conv/kernel" in model.variables_by_path()


def lambda_network():
    return small(layers.Lambda(lambda x: x, name="magic"))


def two_inputs():
    a, b = keras.Input((SIZE, SIZE, 3)), keras.Input((SIZE, SIZE, 3))
    return keras.Model([a, b], layers.Add()([a, b]))


def channels_first():
    inputs = keras.Input((3, SIZE, SIZE))
    x = layers.ZeroPadding2D(data_format="channels_first")(inputs)
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))


def sigmoid_head():
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.GlobalAveragePooling2D()(inputs)
    return keras.Model(inputs, layers.Dense(3, "sigmoid", name="last")(x))


def attention():
    x = inputs = keras.Input((SIZE, 3))
    x = layers.MultiHeadAttention(1, 3, name="attention")(x, x)
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, layers.Dense(3, name="logits")(x))


def with_lora():
    network = small()
    network.get_layer("conv").enable_lora(1)
    return network


def quantized():
    network = small(layers.Dense(4, name="mix"))
    network.get_layer("mix").quantize("int8")
    return network


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (lambda_network, {}, "'magic' is a Lambda"),
        (attention, {"roles": {"att*": "shared"}}, "'attention'.*2 tensors"),
        (with_lora, {}, "'conv' is a LoRA layer"),
        (quantized, {}, "'mix' is quantized .int8"),
        (small, {"roles": {"global*": "shared"}}, "with variables.*'global"),
        (two_inputs, {}, "one input and one output"),
        (channels_first, {}, "channels_first"),
        (sigmoid_head, {}, "'last', is followed by sigmoid"),
        (small, {"scaling": None}, "'-1..1'"),
        (small, {"scaling": "tf"}, "Known scalings"),
        (small, {"roles": {"cnv": "shared"}}, "No layer.*'cnv'.*conv, logits"),
        (small, {"roles": {"conv": "mine"}}, "'shared' or 'private'"),
        (small, {"domain": keras_mdl.Domain("a", 7)}, "3 classes.*has 7"),
        (lambda: keras.Sequential(), {}, "functional"),
    ],
    ids=[
        "lambda",
        "attention",
        "lora",
        "quantized",
        "nothing_to_say",
        "two_inputs",
        "channels_first",
        "sigmoid",
        "unread",
        "scaling",
        "pattern",
        "role",
        "classes",
        "unbuilt",
    ],
)
def test_what_cannot_be_taken_over_is_refused(build, options, message):
    options = {"domain": "a", "scaling": "0..1", "verbose": 0, **options}
    with pytest.raises(ValueError, match=message):
        from_keras(build(), **options)


def test_a_network_without_a_head_gets_one():
    x = inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(4, 3, name="conv")(x)
    network = keras.Model(inputs, x)
    with pytest.raises(ValueError, match="no classifier at its end"):
        from_keras(network, "a", scaling="0..1")
    model = from_keras(
        network, keras_mdl.Domain("a", 2), scaling="0..1", verbose=0
    )
    assert model["a"].output_shape == (None, 2)
    np.testing.assert_array_equal(
        values(model)["trunk/conv/conv/kernel"],
        keras.ops.convert_to_numpy(network.get_layer("conv").kernel),
    )


@keras.saving.register_keras_serializable("keras_mdl_tests")
class Scale(layers.Layer):
    """A layer whose variable was given no name, as ConvNeXt's layer scale."""

    def build(self, input_shape):
        self.gamma = self.add_weight(shape=(input_shape[-1],))

    def call(self, inputs):
        return inputs * self.gamma


def test_variables_without_a_name_are_called_by_their_attribute(tmp_path):
    network = keras.Sequential(
        [keras.Input((SIZE, SIZE, 3)), layers.Conv2D(4, 3, name="conv"),
         Scale(name="scale"), layers.GlobalAveragePooling2D(),
         layers.Dense(3, name="out")]
    )  # fmt: skip
    drawn(network)
    model = from_keras(
        network, "a", "0..1", roles={"scale": "private"}, verbose=0
    )
    assert "domains/a/scale/layer/gamma" in model.variables_by_path("a")
    wider = model.with_domain("b", 2)
    wider.save(tmp_path / "m.keras")
    loaded = keras_mdl.load_model(tmp_path / "m.keras")
    assert loaded.fingerprint() == wider.fingerprint()
    # Addresses of objects that are gone made some loads take one layer for
    # another, or fail.
    for layer in loaded._mdl.slotted.values():
        kept = keras.saving.serialize_keras_object(layer)
        assert "shared_object_id" not in json.dumps(kept)
    # The network that it came from is left as it is, by training too.
    before = [keras.ops.convert_to_numpy(w) for w in network.weights]
    fit(compiled(model.for_domain("a", "base"), OPTIMIZERS["adamw"]()))
    for old, new in zip(before, network.weights, strict=True):
        np.testing.assert_array_equal(old, new)
