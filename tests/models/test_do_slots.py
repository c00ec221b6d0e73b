"""Over-parameterised slots: they train as DO-Conv and end as ordinary ones."""

import zipfile

import keras
import numpy as np
import pytest
from tiny import (
    OPTIMIZERS,
    changed_owners,
    compiled,
    fit,
    images,
    predict,
    randomize,
    tiny_model,
    values,
)

import keras_mdl
from keras_mdl.models import fold

D_TRAIN = "conv1/depthwise_transform/d_train"


@pytest.fixture
def model():
    """A plain domain `a`, a trained-looking over-parameterised `b`."""
    return randomize(tiny_model(depthwise={"b": "do"}))


def kernel(model, path):
    return values(model)[path]


# === What a DO slot consists of ===


def test_only_the_named_domain_is_over_parameterised(model):
    paths = model.variables_by_path()
    assert f"domains/b/{D_TRAIN}" in paths
    assert all(p.startswith("domains/b/") for p in paths if "d_train" in p)
    assert {p for p in paths if p.startswith("trunk/")} == {
        p for p in tiny_model().variables_by_path() if p.startswith("trunk/")
    }


def test_the_count_is_81_numbers_more_per_channel():
    plain, do = (
        keras_mdl.build_resnet26({"a": 2}, (8, 8, 3), width, depthwise=kind)
        for width, kind in ((0.125, "plain"), (0.125, "do"))
    )
    more = do.count_params() - plain.count_params()
    depthwise = sum(
        v.shape[2]
        for p, v in plain.variables_by_path("a").items()
        if p.endswith("depthwise/kernel")
    )
    assert more == 81 * depthwise


def test_the_paper_network_has_the_published_count_of_factors():
    # METHODS: 81 x 6,723 channels, per domain, in training alone.
    model = keras_mdl.build_resnet26({"a": 2}, depthwise="do")
    factors = [
        int(np.prod(v.shape))
        for p, v in model.variables_by_path("a").items()
        if p.endswith("d_train")
    ]
    assert sum(factors) == 544_563


@pytest.mark.parametrize(
    "depthwise", ["DO", {"a": "over"}, {"x": "do"}, None], ids=str
)
def test_unknown_kinds_and_domains_are_refused(depthwise):
    with pytest.raises(ValueError, match=r"'do'|Known domains"):
        tiny_model(depthwise=depthwise)


# === Starting from another slot ===


@pytest.mark.parametrize("source", ["a", "b"])
@pytest.mark.parametrize("kind", ["plain", "do"])
def test_any_slot_starts_any_other_with_the_same_features(model, source, kind):
    model = tiny_features(model)
    wider = model.with_domain("c", classes=4, init_from=source, depthwise=kind)
    found, expected = predict(wider, "c"), predict(model, source)
    if source == "a":  # nothing to fold: to the last bit
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert (f"domains/c/{D_TRAIN}" in values(wider)) == (kind == "do")


def tiny_features(model):
    """The same variables without heads: outputs are the features."""
    bare = tiny_model(depthwise={"b": "do"}, include_top=False)
    for path, v in bare.variables_by_path().items():
        v.assign(model.variables_by_path()[path])
    return bare


def test_a_new_domain_is_of_the_kind_that_it_starts_from(model):
    wider = model.with_domain("c", classes=4, init_from="b")
    kinds = {name: spec.depthwise for name, spec in wider.slots.items()}
    assert kinds == {
        "a": "plain",
        "b": "do",
        "c": "do",
    }
    # Its factor is new: the identity.
    assert not values(wider)[f"domains/c/{D_TRAIN}"].any()


def test_adding_and_removing_leaves_do_slots_bit_identical(model):
    before = model.fingerprint()
    wider = model.with_domain("c", classes=4, depthwise="do")
    after = wider.fingerprint()
    assert {k: after[k] for k in before} == before
    assert wider.without_domain("c").fingerprint() == before
    alone = model.only_domain("b").fingerprint()
    assert alone["domains/b"] == before["domains/b"]


# === Training ===


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_a_do_slot_moves_it_alone_factor_included(model, optimizer):
    before = values(model)
    fit(compiled(model["b"], OPTIMIZERS[optimizer]()))
    after = values(model)
    assert changed_owners(before, after) == {"domains/b"}
    for part in ("depthwise/kernel", "depthwise_transform/d_train"):
        path = f"domains/b/conv1/{part}"
        assert not np.array_equal(before[path], after[path])


def test_decay_pulls_the_factor_to_the_identity(model):
    view = compiled(model["b"], OPTIMIZERS["coupled_sgd"]())
    start = np.abs(values(model)[f"domains/b/{D_TRAIN}"]).sum()
    before = kernel(model, "domains/b/conv2/depthwise/kernel")
    # No gradient reaches the convolutions: decay alone moves them.
    head = [p for p in model.variables_by_path("b") if "/head/" in p]
    for path in head:
        v = model.variables_by_path()[path]
        v.assign(keras.ops.zeros(v.shape))
    view.compile(
        OPTIMIZERS["coupled_sgd"](),
        lambda y, p: keras.ops.sum(p * 0.0, axis=-1),
    )
    fit(view, epochs=5)
    end = np.abs(values(model)[f"domains/b/{D_TRAIN}"]).sum()
    after = kernel(model, "domains/b/conv2/depthwise/kernel")
    assert end < 0.9 * start
    assert np.abs(after).sum() < np.abs(before).sum()


# === Folding ===


def test_folding_keeps_outputs_and_every_other_bit(model):
    before, folded = model.fingerprint(), model.folded()
    after = folded.fingerprint()
    assert not [p for p in folded.variables_by_path() if "d_train" in p]
    assert {k for k in before if before[k] != after[k]} == {"domains/b"}
    assert model.fingerprint() == before
    np.testing.assert_array_equal(predict(folded, "a"), predict(model, "a"))
    np.testing.assert_allclose(
        predict(folded, "b"), predict(model, "b"), rtol=1e-4, atol=1e-4
    )


def test_the_factor_is_what_it_is_folded_with(model):
    """A fold that forgot the factor would not go unnoticed."""
    path = "domains/b/conv1/depthwise/kernel"
    difference = kernel(model.folded(), path) - kernel(model, path)
    assert np.abs(difference).max() > 0.1


def test_a_folded_model_and_its_file_look_as_if_never_over_parameterised(
    model, tmp_path
):
    folded = model.folded()
    plain = tiny_model()
    assert set(folded.variables_by_path()) == set(plain.variables_by_path())
    path = tmp_path / "folded.keras"
    folded.save(path)
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            assert b"d_train" not in archive.read(name), name
    loaded = keras_mdl.load_model(path)
    assert loaded.fingerprint() == folded.fingerprint()


def test_one_view_folds_to_an_ordinary_model(model):
    folded = fold(model["b"])
    assert not [v.path for v in folded.variables if "d_train" in v.path]
    np.testing.assert_allclose(
        folded.predict(images(), verbose=0),
        predict(model, "b"),
        rtol=1e-4,
        atol=1e-4,
    )


def test_folding_what_is_plain_changes_nothing():
    model = randomize(tiny_model())
    assert model.folded(["a"]).fingerprint() == model.fingerprint()
    with pytest.raises(ValueError, match="Known domains"):
        model.folded(["x"])


# === Files ===


def test_a_whole_model_goes_on_training_from_its_file(model, tmp_path):
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras_mdl.load_model(path)
    assert loaded.fingerprint() == model.fingerprint()
    before = values(loaded)
    fit(compiled(loaded["b"]))
    assert changed_owners(before, values(loaded)) == {"domains/b"}


def test_a_domain_file_holds_an_ordinary_slot(model, tmp_path):
    path = tmp_path / "b.safetensors"
    model.save_domain("b", path)
    assert b"d_train" not in path.read_bytes()
    for base in (randomize(tiny_model(["a"])), only_a_over_parameterised()):
        for p, v in base.variables_by_path().items():
            if p.startswith("trunk/"):
                v.assign(model.variables_by_path()[p])
        wider = base.load_domain(path)
        assert (
            wider.fingerprint()["domains/b"]
            == model.folded().fingerprint()["domains/b"]
        )
        np.testing.assert_allclose(
            predict(wider, "b"), predict(model, "b"), rtol=1e-4, atol=1e-4
        )


def only_a_over_parameterised():
    return randomize(tiny_model(["a"], depthwise="do"))
