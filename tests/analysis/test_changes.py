"""What domains changed, on networks whose changes are known."""

import keras
import numpy as np
import pytest
import tiny

from keras_mdl.analysis import (
    feature_similarity,
    gate_weights,
    importance,
    moved,
    slot_similarity,
)


def _change(model, domain, part, amount, seed=0):
    """Adds noise of a relative size to variables of a domain."""
    rng = np.random.default_rng(seed)
    for path, v in model.variables_by_path(domain).items():
        if part in path:
            value = keras.ops.convert_to_numpy(v)
            noise = rng.normal(size=value.shape)
            noise *= amount * np.linalg.norm(value) / np.linalg.norm(noise)
            v.assign(value + noise)


@pytest.fixture
def model():
    """`b` and `c` changed alike, `d` otherwise; `a` is where they began."""
    start = tiny.tiny_model({"a": 3})
    model = start.with_domain("b", 3).with_domain("c", 3).with_domain("d", 3)
    for domain, seed in (("b", 1), ("c", 1), ("d", 2)):
        _change(model, domain, "conv1/depthwise", 0.5, seed)
    return model


def test_the_distance_is_that_of_the_change(model):
    rows = moved(model)
    assert {r["domain"] for r in rows} == {"b", "c", "d"}
    for row in rows:
        changed = (row["layer"], row["kind"]) == ("conv1", "depthwise")
        assert row["distance"] == pytest.approx(0.5 if changed else 0, abs=1e-6)


def test_the_same_change_is_alike_and_another_is_not(model):
    names, matrix = slot_similarity(model)
    assert names == ["b", "c", "d"]
    # Of two layers one changed.
    assert matrix[0, 1] == pytest.approx(0.5)
    assert abs(matrix[0, 2]) < 0.3


def test_features_of_equal_slots_are_alike(model):
    x = tiny.images(40)
    names, matrix = feature_similarity(model, x, batch_size=16)
    assert names == ["a", "b", "c", "d"]
    np.testing.assert_allclose(np.diag(matrix), 1, rtol=1e-6)
    assert matrix[1, 2] == pytest.approx(1)
    assert matrix[0, 3] < 0.999
    assert ((matrix >= 0) & (matrix <= 1 + 1e-9)).all()


def test_gates_take_from_whom_they_were_set_to(model):
    gated = model.with_gate("b", sources=["c"], own_weight=0.9)
    rows, columns, matrix = gate_weights(gated, {"b": tiny.images(4)})
    assert (rows, columns) == (["b"], ["a", "b", "c", "d"])
    assert matrix[0, 1] == pytest.approx(0.9, abs=0.05)
    assert matrix[0, 1] + matrix[0, 2] == pytest.approx(1, abs=1e-5)
    assert np.isnan(matrix[0, [0, 3]]).all()


def test_putting_a_layer_back_undoes_its_change_and_leaves_no_trace(model):
    x, before = tiny.images(32), model.fingerprint()

    def unchanged(view):
        """1 where the features are those of the base's slot."""
        inner = keras.Model(view.inputs, view.endpoints["pool"])
        ours, base = (
            m.predict(x, verbose=0)
            for m in (inner, keras.Model(model["a"].inputs,
                                         model["a"].endpoints["pool"]))
        )  # fmt: skip
        return float(np.allclose(ours, base, atol=1e-6))

    rows = importance(model, "b", unchanged)
    assert [r["layer"] for r in rows] == ["conv1", "conv2"]
    assert [r["accuracy"] for r in rows] == [1.0, 0.0]
    assert [r["loss"] for r in rows] == [-1.0, 0.0]
    assert model.fingerprint() == before

    def fails(view):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        importance(model, "b", fails)
    assert model.fingerprint() == before
    with pytest.raises(ValueError, match="must differ"):
        importance(model, "a", unchanged)
    with pytest.raises(ValueError, match="'a', 'b', 'c', 'd'"):
        moved(model, "z")
