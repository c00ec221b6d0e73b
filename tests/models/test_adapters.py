"""Methods that adapt a shared trunk: counts, starts, folds, isolation."""

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
    tiny,
    tiny_dense,
    tiny_model,
    values,
)

import keras_mdl
from keras_mdl.layers.transforms import ADAPTERS
from keras_mdl.layers.transforms.masked import START, hard_mask
from keras_mdl.models import build_dense_resnet26
from keras_mdl.training import METHODS

CLOSE = {"rtol": 2e-4, "atol": 2e-4}
KINDS = list(ADAPTERS)


BACKBONES = {"separable": tiny, "dense": tiny_dense}
on_both = pytest.mark.parametrize("backbone", BACKBONES)
every_kind = pytest.mark.parametrize("kind", KINDS)


def base_model(backbone, **options):
    backbone = BACKBONES[backbone]
    return randomize(tiny_model(["a", "b"], backbone=backbone, **options))


def with_kind(backbone, kind, seed=3, **options):
    """A model whose domain `c` has adapters that are not as they started."""
    model = base_model(backbone, **options)
    wider = model.with_domain("c", classes=4, adapter=kind)
    rng = np.random.default_rng(seed)
    for path, v in wider.variables_by_path("c").items():
        if path.endswith("mask"):
            v.assign(rng.choice([-START, 0.0, START], v.shape))
        elif "/adapter/" in path and "moving_variance" not in path:
            v.assign(rng.normal(0.2, 0.5, v.shape))
    return wider


# === Counts ===


def count(model, *needles):
    return sum(
        int(np.prod(v.shape))
        for p, v in model.variables_by_path().items()
        if any(n in p for n in needles) and "moving_" not in p
    )


def test_the_dense_network_has_the_published_count():
    model = build_dense_resnet26()
    rows = model.summary_by_domain().to_dicts()
    assert sum(r["parameters"] for r in rows) == 6_071_688
    assert sum(r["parameters"] - r["head"] for r in rows) == 5_814_688
    assert rows[0]["parameters"] == 5_806_944
    assert round((rows[1]["macs"] - 256_000) / 1e6) == 1_079


@pytest.mark.parametrize(
    ("kind", "needles", "numbers"),
    [
        ("serial", ("adapter/norm/gamma", "adapter/norm/beta"), None),
        ("parallel", ("/adapter/",), 645_216),
        ("serial", ("/adapter/",), 696_384),
    ],
    ids=["serial_paths", "parallel", "serial"],
)
def test_adapters_of_the_dense_network_have_the_published_count(
    kind, needles, numbers
):
    model = build_dense_resnet26({"a": 2}, (8, 8, 3))
    model = model.with_domain("b", classes=2, adapter=kind)
    own = [p for p in model.variables_by_path("b") if "/adapter/" in p]
    assert len({p.split("/")[2] for p in own}) == 25
    if numbers:
        assert count(model, *needles) == numbers


def test_masks_and_controllers_of_the_separable_network():
    model = keras_mdl.build_resnet26({"a": 2}, (8, 8, 3))
    masked = model.with_domain("b", classes=2, adapter="piggyback")
    assert count(masked, "/mask") == 2_641_179
    diagonal = model.with_domain("b", classes=2, adapter="dan_diagonal")
    filters = 64 + 8 * 128 + 8 * 256 + 8 * 512
    assert count(diagonal, "/adapter/") == 2 * filters


# === Starts ===


@on_both
@pytest.mark.parametrize("kind", ["piggyback", "piggyback_ternary", "own"])
def test_these_start_as_the_base(backbone, kind):
    model = base_model(backbone, include_top=False)
    wider = model.with_domain("c", classes=4, adapter=kind)
    np.testing.assert_allclose(
        predict(wider, "c"), predict(model, "a"), rtol=1e-6, atol=1e-6
    )


@on_both
@pytest.mark.parametrize(
    ("kind", "identity"),
    [
        ("serial", {"kernel": 0.0}),
        ("parallel", {"kernel": 0.0}),
        ("dan_linear", {"controller": "eye", "bias": 0.0}),
        ("dan_diagonal", {"controller": 1.0, "bias": 0.0}),
    ],
)
def test_at_their_identity_they_are_the_base(backbone, kind, identity):
    model = base_model(backbone, include_top=False)
    wider = model.with_domain("c", classes=4, adapter=kind)
    assert np.abs(predict(wider, "c") - predict(model, "a")).max() > 1e-4
    for path, v in wider.variables_by_path("c").items():
        name = path.rpartition("/")[2]
        if "/adapter/" in path and name in identity:
            value = identity[name]
            v.assign(np.eye(v.shape[0]) if value == "eye"
                     else np.full(v.shape, value))  # fmt: skip
    np.testing.assert_allclose(
        predict(wider, "c"), predict(model, "a"), **CLOSE
    )


def test_low_rank_starts_at_a_truncated_identity():
    model = base_model("dense").with_domain(
        "c", classes=4, adapter="dan_low_rank"
    )
    own = values(model)
    left = own["domains/c/conv2/adapter/left"]
    right = own["domains/c/conv2/adapter/right"]
    np.testing.assert_array_equal(
        left @ right, np.diag([1, 1, 0, 0, 0, 0, 0, 0])
    )


def test_masks_are_exact_and_pass_the_gradient_straight_through():
    m = keras.ops.convert_to_tensor([-0.3, -1e-9, 0.0, 0.5, 0.51, 70.0])
    found = keras.ops.convert_to_numpy(hard_mask(m))
    np.testing.assert_array_equal(found, [0, 0, 0, 0, 1, 1])
    ternary = keras.ops.convert_to_numpy(hard_mask(m, ternary=True))
    np.testing.assert_array_equal(ternary, [-1, -1, 0, 0, 1, 1])
    slope = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "float32")
    if keras.backend.backend() == "jax":
        import jax

        found = jax.grad(lambda m: (hard_mask(m) * slope).sum())(m)
    else:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(m)
            value = tf.reduce_sum(hard_mask(m) * slope)
        found = tape.gradient(value, m)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(found), slope)


# === Isolation ===


# Under AdamW, and on more networks: test_method_conformance.
@on_both
@pytest.mark.parametrize("method", METHODS)
def test_every_method_leaves_trunk_and_others_bit_identical(
    method, backbone, tmp_path
):
    method, model = METHODS[method], base_model(backbone)
    before = model.fingerprint()
    wider, view = method.start(model, keras_mdl.Domain("c", 4))
    start = values(wider)
    fit(compiled(view, OPTIMIZERS["coupled_sgd"]()))
    assert model.fingerprint() == before
    if method.alone:
        return
    after = wider.fingerprint()
    assert {k: after[k] for k in before} == before
    assert changed_owners(start, values(wider)) == {"domains/c"}
    path = tmp_path / "model.keras"
    wider.save(path)
    loaded = keras_mdl.load_model(path)
    assert loaded.fingerprint() == after
    again = values(loaded)
    view = loaded.for_domain("c", phase=method.phase)
    fit(compiled(view, OPTIMIZERS["coupled_sgd"]()))
    assert changed_owners(again, values(loaded)) == {"domains/c"}


@on_both
@pytest.mark.parametrize(
    ("method", "trained"),
    [
        ("serial_adapter", {"adapter", "norm", "head"}),
        ("parallel_adapter", {"adapter", "norm", "head"}),
        ("dan_linear", {"adapter", "head"}),
        ("piggyback", {"adapter", "depthwise_transform", "head"}),
        ("depthwise_sharing", {"adapter", "pointwise", "norm", "head"}),
        ("classifier_only", {"head"}),
        ("classifier_and_norm", {"norm", "head"}),
    ],
)
def test_what_a_method_trains(backbone, method, trained):
    _, view = METHODS[method].start(
        base_model(backbone), keras_mdl.Domain("c", 4)
    )
    roles = {p.split("/")[3] for p in view.trainable_paths}
    if backbone == "dense":
        trained = trained - {"depthwise_transform", "pointwise"}
    assert roles == trained
    kernels = [p for p in view.trainable_paths if "depthwise/kernel" in p]
    assert not kernels


# === Folding ===


@on_both
@every_kind
def test_folded_is_unfolded(backbone, kind):
    model = with_kind(backbone, kind)
    before = model.fingerprint()
    if (backbone, kind) == ("separable", "parallel"):
        with pytest.raises(ValueError, match="no separable kernel"):
            model.folded(["c"])
        return
    folded = model.folded(["c"])
    np.testing.assert_allclose(
        predict(folded, "c"), predict(model, "c"), **CLOSE
    )
    after = folded.fingerprint()
    assert [k for k in before if before[k] != after[k]] in (
        ["domains/c"],
        [],  # `folded` itself
    )
    left = {p.rpartition("/")[2] for p in folded.variables_by_path("c")}
    assert not left & {"mask", "controller", "left", "right"}


def test_folding_uses_the_adapter():
    """A fold that forgot it would not go unnoticed."""
    model = with_kind("dense", "serial")
    trunk = values(model)["trunk/conv1/conv/kernel"]
    own = values(model.folded())["domains/c/conv1/adapter/kernel"]
    assert np.abs(own - trunk).max() > 0.1


# === Files, costs, bad input ===


@on_both
@every_kind
def test_a_domain_file_brings_the_same_outputs(backbone, kind, tmp_path):
    model = with_kind(backbone, kind)
    path = tmp_path / "c.safetensors"
    model.save_domain("c", path)
    again = model.without_domain("c").load_domain(path)
    np.testing.assert_array_equal(predict(again, "c"), predict(model, "c"))
    if "piggyback" not in kind:
        assert again.fingerprint() == model.fingerprint()
    twice = tmp_path / "twice.safetensors"
    again.save_domain("c", twice)
    assert twice.read_bytes() == path.read_bytes()


def test_masks_take_one_bit_a_weight_or_two(tmp_path):
    size = {}
    for kind in ("piggyback", "piggyback_ternary"):
        model = base_model("dense", backbone_config={"channels": 32})
        model = model.with_domain("c", classes=4, adapter=kind)
        for path, v in model.variables_by_path("c").items():
            if path.endswith("mask"):
                v.assign(np.full(v.shape, -START))
        path = tmp_path / kind
        model.save_domain("c", path)
        size[kind] = path.stat().st_size
    weights = 9 * (3 * 32 + 32 * 64)
    assert size["piggyback"] < weights / 8 + 9_000
    grown = size["piggyback_ternary"] - size["piggyback"]
    assert weights / 8 <= grown < weights / 8 + 400


def test_masks_mean_the_same_in_mixed_precision():
    # 0.5 and 0.502 are one number in bfloat16, and on two sides of the
    # threshold.
    model = base_model("separable", dtype="mixed_bfloat16")
    model = model.with_domain("c", classes=4, adapter="piggyback")
    for path, v in model.variables_by_path("c").items():
        if path.endswith("mask"):
            edge = np.full(v.shape, 0.5008)
            edge.flat[::2] = 0.4992
            v.assign(edge)
    np.testing.assert_array_equal(
        predict(model.folded("c"), "c"), predict(model, "c")
    )


def test_a_domain_may_be_called_adapter():
    model = base_model("separable")
    model = model.with_domain("adapter", classes=4, adapter="serial")
    np.testing.assert_allclose(
        predict(model.folded("adapter"), "adapter"),
        predict(model, "adapter"),
        **CLOSE,
    )


def test_damaged_masks_are_refused(tmp_path):
    import safetensors.numpy
    from safetensors import safe_open

    model = with_kind("dense", "piggyback")
    path = tmp_path / "c.safetensors"
    model.save_domain("c", path)
    with safe_open(path, framework="numpy") as f:
        metadata = f.metadata()
        tensors = {k: f.get_tensor(k) for k in f.keys()}
    key = next(k for k in tensors if k.endswith(".kept"))
    for broken in (tensors[key][:-1], None):
        changed = {k: v for k, v in tensors.items() if k != key}
        if broken is not None:
            changed[key] = broken
        safetensors.numpy.save_file(changed, path, metadata)
        with pytest.raises(ValueError, match="mask"):
            model.without_domain("c").load_domain(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"adapter": "lora"}, "Known adapters: serial, parallel"),
        ({"adapter": "serial", "depthwise": "do"}, "as they are"),
    ],
    ids=["unknown", "over_parameterised"],
)
def test_adapters_that_cannot_be_are_refused(options, message):
    model = base_model("separable")
    with pytest.raises(ValueError, match=message):
        model.with_domain("c", classes=4, **options)


def test_an_adapted_domain_is_no_start_for_others_and_takes_no_gates():
    model = with_kind("separable", "serial")
    with pytest.raises(ValueError, match="has adapters"):
        model.with_domain("d", classes=2, init_from="c")
    with pytest.raises(ValueError, match="has adapters"):
        model.with_gate("c")


@on_both
def test_macs_count_what_an_adapter_adds(backbone):
    rows = {}
    for kind in (None, "dan_linear", "parallel", "serial"):
        model = base_model(backbone).with_domain("c", 4, adapter=kind)
        rows[kind] = model.summary_by_domain().to_dicts()[-1]["macs"]
    assert rows["dan_linear"] == rows[None]
    assert rows["parallel"] - rows[None] == 64 * 3 * 4 + 16 * 4 * 8
    assert rows["serial"] - rows[None] == 64 * 4 * 4 + 16 * 8 * 8
    assert images().shape[1:] == (8, 8, 3)
