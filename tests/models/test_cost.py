"""What a domain costs: counted by one convention, and nothing hidden."""

import keras
import numpy as np
import pytest
from tiny import CLASSES, compiled, fit, randomize, tiny, tiny_model

import keras_mdl
from keras_mdl import DomainBatchNormalization
from keras_mdl.layers import SharedConv2D
from keras_mdl.models.cost import changed_copies, domain_cost
from keras_mdl.training import METHODS

# The tiny network: depthwise 27 + 36, pointwise 12 (shared) and 32 (own),
# BatchNorms 2 * (4 + 8), classifier 8 * 4 + 4.
DEPTHWISE, SHARED, OWN, NORM, HEAD = 27 + 36, 12, 32, 2 * 12, 36
EXPECTED = {
    # method: (numbers, bits, statistics)
    "pointwise_sharing": (DEPTHWISE + OWN + NORM, None, NORM),
    "classifier_only": (0, None, 0),
    "classifier_and_norm": (NORM, None, NORM),
    "depthwise_sharing": (SHARED + OWN + NORM, None, NORM),
    "serial_adapter": (16 + 64 + 2 * NORM, None, 2 * NORM),
    "parallel_adapter": (12 + 32 + NORM, None, NORM),
    "dan_linear": (16 + 64 + 12, None, 0),
    "dan_diagonal": (12 + 12, None, 0),
    "dan_low_rank": (2 * 4 * 1 + 2 * 8 * 2 + 12, None, 0),
    "piggyback": (DEPTHWISE + SHARED + OWN, DEPTHWISE + SHARED + OWN, 0),
    "piggyback_ternary": (
        DEPTHWISE + SHARED + OWN, 2 * (DEPTHWISE + SHARED + OWN), 0
    ),
    "individual": (DEPTHWISE + SHARED + OWN + NORM, None, NORM),
}  # fmt: skip


@keras.saving.register_keras_serializable("keras_mdl_tests")
def tiny_dense_cost(x, slot, channels=4):
    x = slot(SharedConv2D, "conv1", filters=channels)(x)
    return slot(DomainBatchNormalization, "norm1")(x)


@pytest.fixture(scope="module")
def base():
    return randomize(tiny_model(["a"]))


def started(base, method):
    return METHODS[method].start(base, keras_mdl.Domain("c", CLASSES["c"]))


def test_every_method_is_counted_here():
    assert set(EXPECTED) == set(METHODS)


@pytest.mark.parametrize("method", EXPECTED)
def test_private_numbers_and_bytes(base, method):
    _, view = started(base, method)
    cost = domain_cost(view)
    numbers, bits, statistics = EXPECTED[method]
    assert cost.parameters == numbers
    assert cost.parameters_with_head == numbers + HEAD
    assert cost.bits == (32 * numbers if bits is None else bits)
    assert cost.bytes == -(-cost.bits // 8)
    assert cost.bytes_with_head == -(-(cost.bits + 32 * HEAD) // 8)
    assert cost.statistics == statistics
    assert cost.stored_bytes == -(-(cost.bits + 32 * (HEAD + statistics)) // 8)
    # Everything that is trained is counted.
    trained = sum(int(np.prod(v.shape)) for v in view.trainable_variables)
    assert trained == cost.parameters_with_head


@pytest.mark.parametrize(
    ("method", "shared"),
    [
        ("pointwise_sharing", SHARED),
        ("classifier_only", SHARED + DEPTHWISE + OWN + 2 * NORM),
        ("classifier_and_norm", SHARED + DEPTHWISE + OWN),
        ("depthwise_sharing", DEPTHWISE),
        ("serial_adapter", SHARED + DEPTHWISE + OWN),
        ("piggyback", SHARED + DEPTHWISE + OWN + 2 * NORM),
        ("individual", 0),
    ],
)
def test_what_is_read_of_the_base(base, method, shared):
    assert domain_cost(started(base, method)[1]).shared == shared


@pytest.mark.parametrize(
    "method",
    ["classifier_only", "classifier_and_norm", "depthwise_sharing",
     "serial_adapter", "dan_linear", "piggyback"],
)  # fmt: skip
def test_what_is_not_counted_equals_the_base_after_training(base, method):
    _, view = started(base, method)
    fit(compiled(view, keras.optimizers.AdamW(0.01, weight_decay=0.1)))
    assert changed_copies(view, base) == []


def test_a_changed_copy_is_found(base):
    model, view = started(base, "serial_adapter")
    path = "domains/c/conv1/depthwise/kernel"
    kernel = model.variables_by_path()[path]
    value = keras.ops.convert_to_numpy(kernel).copy()
    value[0, 0, 0, 0] = np.nextafter(value[0, 0, 0, 0], np.float32(9))
    kernel.assign(value)
    assert changed_copies(view, base) == [path]
    trunk = model.variables_by_path()["trunk/conv1/pointwise/kernel"]
    trunk.assign(trunk + 1)
    assert len(changed_copies(view, base)) == 2


@pytest.mark.parametrize("method", METHODS)
def test_folded_macs_are_those_of_the_folded_model(base, method):
    model, view = started(base, method)
    cost = domain_cost(view)
    assert cost.macs == model.summary_by_domain().to_dicts()[-1]["macs"]
    if method == "parallel_adapter":
        with pytest.raises(ValueError, match="no separable kernel"):
            model.folded(["c"])
        assert cost.macs_folded == cost.macs
        return
    folded = model.folded() if not METHODS[method].alone else model
    assert cost.macs_folded == folded.summary_by_domain().to_dicts()[-1]["macs"]
    assert (cost.macs_folded < cost.macs) == (method == "serial_adapter")


def test_parallel_adapters_fold_beside_dense_convolutions():
    dense = tiny_model(["a"], backbone=tiny_dense_cost, backbone_config={})
    model, view = started(dense, "parallel_adapter")
    cost = domain_cost(view)
    folded = model.folded().summary_by_domain().to_dicts()[-1]["macs"]
    assert cost.macs_folded == folded < cost.macs


def test_factors_that_are_folded_away_are_not_stored(base):
    method, domain = METHODS["pointwise_sharing"], keras_mdl.Domain("c", 4)
    _, plain = method.start(base, domain)
    _, factored = method.start(base, domain, depthwise="do")
    assert len(factored.trainable_variables) > len(plain.trainable_variables)
    assert domain_cost(factored).stored_bytes == domain_cost(plain).stored_bytes


def test_the_base_stores_everything(base):
    cost = domain_cost(base["a"])
    assert cost.parameters == DEPTHWISE + SHARED + OWN + NORM
    assert cost.shared == 0


def test_open_sizes_have_no_macs():
    model = tiny_model(["a"], input_shape=(None, None, 3))
    _, view = started(model, "serial_adapter")
    assert domain_cost(view).macs is domain_cost(view).macs_folded is None


def test_gated_domains_are_refused():
    model = tiny_model(["a", "b"], backbone=tiny).with_gate("a")
    with pytest.raises(ValueError, match="has gates"):
        domain_cost(model["a"])
