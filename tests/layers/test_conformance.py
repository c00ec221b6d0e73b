"""The promises that each public layer in `layer_table.py` keeps."""

import json

import keras
import numpy as np
import pytest
from layer_table import CASES, DOMAINS

import keras_mdl.layers as mdl_layers

SLOTTED = [case for case in CASES if case.slotted]
every_layer = pytest.mark.parametrize("case", CASES, ids=str)
every_slotted_layer = pytest.mark.parametrize("case", SLOTTED, ids=str)


def data(case, seed=0):
    values = np.random.default_rng(seed).normal(size=case.input_shape)
    return values.astype("float32")


def to_numpy(x):
    return keras.ops.convert_to_numpy(x)


def fill_with_counters(layer):
    """Values 0, 1, 2, ... through all variables: a swap of any two shows."""
    start = 0
    for v in sorted(layer.weights, key=lambda v: v.path):
        size = int(np.prod(v.shape))
        v.assign(np.arange(start, start + size).reshape(v.shape) / 8 + 1)
        start += size


def serialized(layer):
    """As read back from JSON: tuples are lists."""
    return json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))


def values_by_name(layer):
    return {
        "/".join(v.path.split("/")[-2:]): np.array(to_numpy(v))
        for v in layer.weights
    }


@keras.saving.register_keras_serializable("keras_mdl_tests")
class Holder(keras.Model):
    """A subclassed model around one layer."""

    def __init__(self, layer, domain=None, **kwargs):
        super().__init__(**kwargs)
        if isinstance(layer, dict):
            layer = keras.saving.deserialize_keras_object(layer)
        self.layer = layer
        self.domain = domain

    def build(self, input_shape):
        if not self.layer.built:
            self.layer.build(input_shape)

    def build_from_config(self, config):
        self.build(config["input_shape"])

    def call(self, x, training=None):
        if self.domain is None:
            return self.layer(x, training=training)
        return self.layer(x, domain=self.domain)

    def get_config(self):
        layer = keras.saving.serialize_keras_object(self.layer)
        return {**super().get_config(), "layer": layer, "domain": self.domain}


@keras.saving.register_keras_serializable("keras_mdl_tests")
class PlainHolder(Holder):
    """The same for layers that take no `training`."""

    def call(self, x):
        if self.domain is None:
            return self.layer(x)
        return self.layer(x, domain=self.domain)


def hold(case, **changes):
    domain = "a" if case.slotted else None
    model = PlainHolder(case.make(**changes), domain)
    model(data(case))
    return model


# === The table itself ===


def test_every_public_layer_is_in_the_table():
    public = {getattr(mdl_layers, name) for name in mdl_layers.__all__}
    covered = {case.stands_for or case.layer for case in CASES}
    assert public - covered == set(), "layers without a row"
    assert covered - public == set(), "rows for layers that are not public"


def test_all_names_are_sorted_layers():
    assert list(mdl_layers.__all__) == sorted(mdl_layers.__all__)
    for name in mdl_layers.__all__:
        assert issubclass(getattr(mdl_layers, name), keras.layers.Layer)


def test_row_names_are_unique():
    assert len({str(case) for case in CASES}) == len(CASES)


# === Config ===


@every_layer
def test_config_survives_json(case):
    layer = case.make()
    config = json.loads(json.dumps(layer.get_config()))
    again = case.layer.from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config
    assert dir(again) == dir(layer)


@every_layer
def test_keras_serialization_gives_the_same_layer(case):
    config = serialized(case.make())
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is case.layer
    assert serialized(again) == config


@every_layer
def test_name_and_policy_survive_the_config(case):
    layer = case.make(name="given_name", dtype="mixed_bfloat16")
    again = case.layer.from_config(layer.get_config())
    assert again.name == "given_name"
    assert again.dtype_policy.name == "mixed_bfloat16"


# === Building and calling ===


@every_layer
def test_building_first_equals_building_on_call(case):
    built, called = case.make(name="x"), case.make(name="x")
    built.build(case.input_shape)
    case.run(called, data(case))
    shapes = [
        sorted((v.path.split("/")[-2:], tuple(v.shape)) for v in x.weights)
        for x in (built, called)
    ]
    assert shapes[0] == shapes[1]
    fill_with_counters(built)
    fill_with_counters(called)
    x = data(case)
    np.testing.assert_array_equal(
        to_numpy(case.run(built, x)), to_numpy(case.run(called, x))
    )


@every_layer
def test_eager_output_equals_functional_output(case):
    layer, x = case.make(), data(case)
    case.run(layer, x)
    fill_with_counters(layer)
    for domain in DOMAINS if case.slotted else [None]:
        inputs = keras.Input(case.input_shape[1:])
        outputs = case.run(layer, inputs, domain)
        functional = keras.Model(inputs, outputs)
        eager = to_numpy(case.run(layer, x, domain))
        np.testing.assert_array_equal(to_numpy(functional(x)), eager)
        assert tuple(outputs.shape[1:]) == eager.shape[1:]


@every_layer
def test_compute_output_shape_tells_the_truth(case):
    layer, x = case.make(), data(case)
    assert tuple(layer.compute_output_shape(case.input_shape)) == tuple(
        case.run(layer, x).shape
    )


@every_slotted_layer
def test_in_a_functional_model_only_ordinary_layers_remain(case):
    layer = case.make()
    inputs = keras.Input(case.input_shape[1:])
    model = keras.Model(inputs, layer(inputs, domain="b"))
    assert not any(isinstance(x, mdl_layers.SlottedLayer) for x in model.layers)
    own = [v for part in layer.parts("b").values() for v in part.weights]
    assert {id(v) for v in model.weights} == {id(v) for v in own}
    others = [v for part in layer.slot("a").values() for v in part.weights]
    assert not {id(v) for v in model.weights} & {id(v) for v in others}


@every_slotted_layer
def test_no_variable_belongs_to_two_domains(case):
    layer = case.make()
    layer.build(case.input_shape)
    owned = [
        {id(v) for part in layer.slot(d).values() for v in part.weights}
        for d in DOMAINS
    ]
    shared = {id(v) for p in layer.shared.values() for v in p.weights}
    assert not owned[0] & owned[1]
    assert not shared & (owned[0] | owned[1])
    assert shared | owned[0] | owned[1] == {id(v) for v in layer.weights}


# === Saving ===


@every_layer
def test_saved_and_loaded_layer_gives_equal_outputs(case, tmp_path):
    model, x = hold(case), data(case)
    fill_with_counters(model)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(to_numpy(again(x)), to_numpy(model(x)))
    before, after = values_by_name(model), values_by_name(again)
    assert before.keys() == after.keys()
    for name in before:
        np.testing.assert_array_equal(after[name], before[name], name)


@every_slotted_layer
def test_weights_are_loaded_by_name_whatever_the_order(case, tmp_path):
    def reordered(value):
        if isinstance(value, dict) and set(value) == set(DOMAINS):
            return dict(reversed(value.items()))
        return value[::-1] if value == DOMAINS else value

    changed = {k: reordered(v) for k, v in case.kwargs.items()}
    assert changed != case.kwargs or case.layer is mdl_layers.DomainHead
    model, other = hold(case, name="x"), hold(case, name="x", **changed)
    assert list(other.layer.domains) == DOMAINS[::-1]
    fill_with_counters(model)
    model.save_weights(tmp_path / "x.weights.h5")
    other.load_weights(tmp_path / "x.weights.h5")
    x = data(case)
    for domain in DOMAINS:
        np.testing.assert_array_equal(
            to_numpy(case.run(other.layer, x, domain)),
            to_numpy(case.run(model.layer, x, domain)),
        )


# === Precision and gradients ===


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@every_layer
def test_mixed_precision_computes_in_16_bits_and_stores_32(case, policy):
    layer = case.make(dtype=policy)
    output = case.run(layer, data(case))
    expected = policy.removeprefix("mixed_")
    if case.float32_output:
        expected = "float32"
    assert keras.backend.standardize_dtype(output.dtype) == expected
    assert {
        keras.backend.standardize_dtype(v.dtype) for v in layer.weights
    } == {"float32"}
    exact = case.make()
    case.run(exact, data(case))
    for v, w in zip(exact.weights, layer.weights, strict=True):
        v.assign(w)
    np.testing.assert_allclose(
        to_numpy(output).astype("float32"),
        to_numpy(case.run(exact, data(case))),
        atol=0.06,
    )


# What Keras says about the other slots on TensorFlow; rightly so here.
@pytest.mark.filterwarnings("ignore:Gradients do not exist:UserWarning")
@every_layer
def test_a_step_moves_the_active_slot_and_the_shared_part_alone(case):
    model = hold(case)
    expected = set(map(id, model.trainable_variables))
    if case.slotted:
        parts = model.layer.parts("a").values()
        expected = {id(v) for p in parts for v in p.trainable_variables}
    before = [np.array(to_numpy(v)) for v in model.trainable_variables]
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
    x = data(case)
    # A random target of the output's shape gives every weight a gradient.
    target = np.random.default_rng(1).normal(size=model(x).shape) * 5
    model.train_on_batch(x, target.astype("float32"))
    moved = {
        id(v)
        for v, old in zip(model.trainable_variables, before, strict=True)
        if not np.array_equal(to_numpy(v), old)
    }
    assert moved == expected


# === Errors ===


@pytest.mark.parametrize("symbolic", [True, False])
@pytest.mark.parametrize("domain", ["nowhere", None])
@every_slotted_layer
def test_a_wrong_domain_is_answered_with_the_known_ones(case, domain, symbolic):
    layer, x = case.make(), data(case)
    if symbolic:
        x = keras.Input(case.input_shape[1:])
    with pytest.raises(ValueError, match="Known domains: 'a', 'b'"):
        layer(x, domain=domain)


@every_slotted_layer
def test_a_forgotten_domain_is_answered_with_the_known_ones(case):
    with pytest.raises(ValueError, match="Known domains: 'a', 'b'"):
        case.make()(data(case))


@pytest.mark.parametrize("domains", [[], ["a", "b", "a"], "ab"], ids=str)
@every_slotted_layer
def test_domains_must_be_a_list_of_unique_names(case, domains):
    with pytest.raises(ValueError, match="`domains` must"):
        case.make(domains=domains)


BAD = [
    (
        lambda: mdl_layers.SharedPointwiseDepthwiseConv(
            4, ["a"], kernel_size=4
        ),
        "odd `kernel_size`",
    ),
    (
        lambda: mdl_layers.SharedPointwiseDepthwiseConv(4, ["a"], padding="x"),
        "`padding` must be one of",
    ),
    (
        lambda: mdl_layers.SharedPointwiseDepthwiseConv(
            4, ["a"], pointwise="x"
        ),
        "`pointwise` must be one of",
    ),
    (
        lambda: mdl_layers.DomainHead({"a": 2}, domains=["b"]),
        "must name the same domains",
    ),
    (
        lambda: mdl_layers.SharedLayer("dense", ["a"]),
        "`layer` must be a Keras layer",
    ),
    (lambda: mdl_layers.PerDomainLayer(built_dense(), ["a"]), "not built yet"),
]


def built_dense():
    layer = keras.layers.Dense(2)
    layer.build((1, 3))
    return layer


@pytest.mark.parametrize(("make", "message"), BAD, ids=[m for _, m in BAD])
def test_bad_arguments_are_refused_with_a_reason(make, message):
    with pytest.raises(ValueError, match=message):
        make()
