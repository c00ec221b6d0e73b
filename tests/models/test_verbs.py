"""The verbs of a `MultiDomainModel`: look, view, widen, narrow, hash."""

import keras
import numpy as np
import pytest
from tiny import (
    CLASSES,
    compiled,
    fit,
    images,
    predict,
    randomize,
    tiny_model,
    values,
)

import keras_mdl
from keras_mdl import Domain, FreezePlan


@pytest.fixture
def model():
    return randomize(tiny_model())


# === Looking ===


def test_domains_are_known_by_name_in_their_order(model):
    assert list(model) == list(model.domains) == ["a", "b"]
    assert "a" in model
    assert "c" not in model
    assert model.domains["a"].num_classes == CLASSES["a"]


def test_the_returned_domains_are_a_copy(model):
    model.domains.clear()
    assert list(model) == ["a", "b"]


@pytest.mark.parametrize("verb", ["for_domain", "only_domain", "joint", "file"])
def test_unknown_domains_are_answered_with_the_known_ones(
    model, verb, tmp_path
):
    calls = {
        "for_domain": lambda: model.for_domain("x"),
        "only_domain": lambda: model.only_domain("x"),
        "joint": lambda: model.joint(["a", "x"]),
        "file": lambda: model.save_domain("x", tmp_path / "x"),
    }
    with pytest.raises(ValueError, match=r"'x'\. Known domains: 'a', 'b'"):
        calls[verb]()


def test_paths_name_the_owner_the_layer_the_role_and_the_variable(model):
    assert "trunk/conv1/pointwise/kernel" in model.variables_by_path()
    own = model.variables_by_path("b")
    assert all(p.startswith("domains/b/") for p in own)
    assert {
        "domains/b/conv1/depthwise/kernel",
        "domains/b/conv2/pointwise/kernel",
        "domains/b/norm1/norm/moving_variance",
        "domains/b/head/head/bias",
    } <= set(own)
    assert len(model.variables_by_path()) == len(model.weights)


# === Fingerprints ===


def test_one_ulp_anywhere_changes_exactly_its_owners_hash(model):
    before = model.fingerprint()
    assert list(before) == ["trunk", "domains/a", "domains/b"]
    for path, v in model.variables_by_path().items():
        old = keras.ops.convert_to_numpy(v).copy()
        new = old.copy()
        new.flat[-1] = np.nextafter(new.flat[-1], np.float32(9))
        v.assign(new)
        after = model.fingerprint()
        differ = {o for o in before if before[o] != after[o]}
        assert len(differ) == 1, path
        assert path.startswith(differ.pop() + "/")
        v.assign(old)
    assert model.fingerprint() == before


def test_the_fingerprint_tells_swapped_variables(model):
    variables = model.variables_by_path()
    gamma, beta = (
        variables[f"domains/a/norm1/norm/{n}"] for n in ("gamma", "beta")
    )
    before = model.fingerprint()
    g, b = (keras.ops.convert_to_numpy(v).copy() for v in (gamma, beta))
    gamma.assign(b)
    beta.assign(g)
    assert model.fingerprint()["domains/a"] != before["domains/a"]


# === Widening and narrowing ===


@pytest.mark.parametrize("source", [None, "a", "b"])
def test_a_wider_model_starts_from_a_slot_and_changes_nothing(model, source):
    before = model.fingerprint()
    wider = model.with_domain("c", CLASSES["c"], init_from=source)
    assert list(wider) == ["a", "b", "c"]
    assert model.fingerprint() == before
    for owner, digest in before.items():
        assert wider.fingerprint()[owner] == digest
    for domain in ("a", "b"):
        np.testing.assert_array_equal(
            predict(wider, domain), predict(model, domain)
        )
    mine, theirs = values(wider), values(model)
    for path in wider.variables_by_path("c"):
        inner = path.removeprefix("domains/c/")
        if not inner.startswith("head/"):
            np.testing.assert_array_equal(
                mine[path], theirs[f"domains/{source or 'a'}/{inner}"]
            )
    head = mine["domains/c/head/head/kernel"]
    assert head.shape[-1] == CLASSES["c"]
    assert np.abs(head).max() <= 8**-0.5  # fresh, not from a source


def test_models_share_no_variables_after_widening(model):
    wider = model.with_domain("c", 4)
    before = model.fingerprint()
    fit(compiled(wider.for_domain("a", "base")))
    assert model.fingerprint() == before


def test_a_domain_brings_its_own_classes_statistics_and_dropout(model):
    domain = Domain("c", ["x", "y"], mean=(0.1, 0.2, 0.3), std=(1, 2, 3))
    wider = model.with_domain(domain, dropout=0.25)
    assert wider.domains["c"] == domain
    names = [layer.name for layer in wider["c"].layers]
    assert any("dropout" in name for name in names)
    assert not any("dropout" in layer.name for layer in wider["a"].layers)
    # Other statistics: other logits, from the same slot.
    plain = model.with_domain("c", 2)
    for path, v in plain.variables_by_path("c").items():
        v.assign(wider.variables_by_path()[path])
    assert not np.allclose(predict(plain, "c"), predict(wider, "c"))


def test_removing_keeps_the_rest_bit_identical(model):
    wider = randomize(model.with_domain("c", 4), 3)
    before = wider.fingerprint()
    for removed in ("a", "b", "c"):
        rest = wider.without_domain(removed)
        assert removed not in rest
        for owner, digest in rest.fingerprint().items():
            assert before[owner] == digest
        kept = next(iter(rest))
        np.testing.assert_array_equal(predict(rest, kept), predict(wider, kept))
    assert wider.fingerprint() == before


def test_one_domain_alone(model):
    alone = model.with_domain("c", 4).only_domain("b")
    assert list(alone) == ["b"]
    assert alone.default_phase == "base"
    np.testing.assert_array_equal(predict(alone, "b"), predict(model, "b"))


def test_removing_and_adding_does_not_lose_the_options():
    model = tiny_model(
        dropout={"a": 0.5},
        input_dtype="uint8",
        name="given",
        dtype="mixed_bfloat16",
        backbone_config={"channels": 3},
    )
    again = model.with_domain("c", 4).without_domain("c")
    assert again.get_config() == model.get_config()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.with_domain("a", 3), "must be unique"),
        (lambda m: m.with_domain("A", 3), "must be unique"),
        (lambda m: m.with_domain("c"), "`classes` is needed"),
        (lambda m: m.with_domain("c", 1), "at least 2 classes"),
        (lambda m: m.with_domain("../c", 3), "domain name must be"),
        (lambda m: m.with_domain("c", 3, init_from="x"), "Known domains"),
        (lambda m: m.with_domain("c", 3, dropout=1.0), "`dropout` must be"),
        (lambda m: m.without_domain("x"), "Known domains"),
        (lambda m: m.only_domain("a").without_domain("a"), "only domain"),
        (lambda m: m.joint(["a", "a"]), "once"),
        (lambda m: m.for_domain("a", "warmup"), "Unknown phase: 'warmup'"),
        (lambda m: m(images()), "takes `{domain: images}`"),
        (lambda m: m({"x": images()}), "Known domains"),
    ],
)
def test_wrong_requests_are_refused_with_a_reason(model, call, message):
    before = model.fingerprint()
    with pytest.raises(ValueError, match=message):
        call(model)
    assert model.fingerprint() == before


def test_the_model_itself_is_not_compiled(model):
    with pytest.raises(TypeError, match="through its views"):
        model.compile("sgd", "mse")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_shape": (8, 8, 1)}, "must be .height, width, 3."),
        ({"input_shape": (8, 8)}, "must be .height, width, 3."),
        ({"input_dtype": "int32"}, "'float32' or 'uint8'"),
        ({"dropout": 1.5}, "must be in"),
        ({"dropout": {"x": 0.5}}, "Known domains"),
        ({"input_shape": (9, 8, 3)}, "divisible by 8"),
        ({"input_shape": (0, 8, 3)}, "divisible by 8"),
    ],
)
def test_wrong_options_are_refused_with_a_reason(options, message):
    with pytest.raises(ValueError, match=message):
        tiny_model(**options)


@pytest.mark.parametrize("size", [12, 20, 71])
def test_a_size_not_divisible_by_8_is_refused(size):
    with pytest.raises(ValueError, match="divisible by 8"):
        keras_mdl.build_resnet26({"a": 2}, (size, 64, 3), width=1 / 16)


@pytest.mark.parametrize("width", [0, -1, float("nan")])
def test_a_width_must_be_positive(width):
    with pytest.raises(ValueError, match="`width` must be positive"):
        keras_mdl.build_resnet26({"a": 2}, width=width)


def test_a_wrong_size_is_refused_when_called():
    model = tiny_model(input_shape=(None, None, 3))
    assert model["a"](images(1, size=16)).shape == (1, 3)
    with pytest.raises(ValueError, match="divisible by 8"):
        model["a"](images(1, size=12))
    with pytest.raises(ValueError, match="divisible by 8"):
        model.joint()({"a": images(1, size=12), "b": images(1)})
    with pytest.raises(ValueError, match=r"expected shape|incompatible"):
        tiny_model()["a"](images(1, size=16))


# === Precision ===


@pytest.mark.parametrize("outside", ["float32", "mixed_float16"])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_the_models_policy_rules_whatever_the_global_one(policy, outside):
    keras.config.set_dtype_policy(outside)
    model = tiny_model(dtype=policy)
    assert keras.config.dtype_policy().name == outside
    compute = policy.removeprefix("mixed_")
    for view in (model["a"], model.joint()):
        assert view.dtype_policy.name == policy
    for layer in model["a"].layers:
        if not layer.name.startswith(("images", "normalize", "head_logits")):
            assert layer.compute_dtype == compute, layer.name
    assert keras.backend.standardize_dtype(model["a"](images()).dtype) == (
        "float32"
    )


def test_a_model_loaded_under_another_policy_gives_equal_logits(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = randomize(tiny_model())
    expected = predict(model, "a")
    model.save(tmp_path / "m.keras")
    keras.config.set_dtype_policy("float32")
    again = keras_mdl.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(predict(again, "a"), expected)


def test_float16_training_scales_its_loss():
    view = compiled(tiny_model(dtype="mixed_float16")["a"])
    assert type(view.optimizer).__name__ == "LossScaleOptimizer"


# === Plans ===


def test_the_plan_table_is_the_truth(model):
    for phase in ("base", "domain", "head", "head_and_norm", "frozen"):
        view = model.for_domain("a", phase)
        table = view.plan_table()
        assert f"phase '{phase}'" in table
        trained = sum(
            int(line.split()[-3])
            for line in table.splitlines()
            if line.endswith("trains")
        )
        assert trained == len(view.trainable_variables)
        assert len(view.trainable_paths) == trained
        assert "domains/b" not in table


PATHS = {
    "base": ["trunk/*", "domains/a/*"],
    "domain": ["domains/a/*"],
    "head": ["domains/a/head/*"],
    "head_and_norm": ["domains/a/head/*", "domains/a/norm*"],
    "frozen": [],
}


@pytest.mark.parametrize("phase", PATHS)
def test_each_phase_trains_exactly_its_set(model, phase):
    from fnmatch import fnmatchcase

    parameters = [p for p in model.variables_by_path() if "moving" not in p]
    expected = {
        p for p in parameters if any(fnmatchcase(p, x) for x in PATHS[phase])
    }
    assert set(model.for_domain("a", phase).trainable_paths) == expected


def test_a_plan_of_ones_own_and_its_errors(model):
    biases = FreezePlan(
        "biases", [("domains/{domain}/*/b*", True), ("*", False)]
    )
    view = model.for_domain("b", biases)
    assert view.trainable_paths == [
        "domains/b/head/head/bias",
        "domains/b/norm1/norm/beta",
        "domains/b/norm2/norm/beta",
    ]
    with pytest.raises(ValueError, match="No rule of phase 'half'"):
        model.for_domain("a", FreezePlan("half", [("trunk/*", True)]))
    with pytest.raises(ValueError, match="trains no variable"):
        model.for_domain("a", "gate")
    with pytest.raises(ValueError, match="Known phases: base, domain"):
        model["a"].train_only("wrong")


def test_a_rule_for_one_domain_may_leave_another_of_a_joint_view_frozen(model):
    plan = FreezePlan("only a", [("domains/a/*", True), ("*", False)])
    view = model.joint(phase=plan)
    assert {p.split("/")[1] for p in view.trainable_paths} == {"a"}


def test_the_default_phase_protects_a_trunk_that_others_use(model):
    assert model.default_phase == model["a"].phase == "domain"
    assert model.joint().phase == "domain"
    alone = model.only_domain("a")
    assert alone.default_phase == alone["a"].phase == "base"
