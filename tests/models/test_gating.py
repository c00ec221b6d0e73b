"""Soft sharing of a domain: where gates go, what they leave alone, and back."""

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
from keras_mdl.models.gating import (
    choose_layers,
    gate_statistics,
    gate_weights,
)

CLOSE = {"rtol": 1e-3, "atol": 1e-3}


@pytest.fixture
def model():
    return randomize(tiny_model(["a", "b", "c"]))


@pytest.fixture
def gated(model):
    """`b` gated everywhere, with gates that depend on the image."""
    gated = model.with_gate("b")
    randomize_gates(gated, "b", 0.02)
    return gated


def randomize_gates(model, domain, scale, seed=5):
    rng = np.random.default_rng(seed)
    for path, v in model.variables_by_path(domain).items():
        if "/gate/" in path:
            # Hidden units that are at work, for images that differ.
            alive = 2.0 if path.endswith("hidden_bias") else 0.0
            v.assign(rng.normal(alive, scale, v.shape))


def unlike_images(n=16):
    """From dark to bright: their channel means differ."""
    return (
        images(n) * np.linspace(0, 1, n, dtype="float32")[:, None, None, None]
    )


def without_gates(path):
    return "/gate/" not in path and "/source_" not in path


# === Counts and placement ===


def test_the_paper_network_has_the_published_count_of_gates():
    names = {f"domain{i}": 2 for i in range(10)}
    model = keras_mdl.build_resnet26(names, (8, 8, 3))
    sources = list(names)[1:]
    counts = {}
    for layers in ("early", "middle", "late"):
        chosen = choose_layers(model, layers)
        gates = [
            keras_mdl.SoftmaxDomainGate(["domain0", *sources]) for _ in chosen
        ]
        for name, gate in zip(chosen, gates, strict=True):
            part = model._mdl.slotted[name].slot("domain0")["depthwise"]
            gate.build((None, 8, 8, part.kernel.shape[2]))
        counts[layers] = len(chosen), sum(g.count_params() for g in gates)
    assert counts == {
        "early": (9, 33_464 + 24),
        "middle": (8, 126_152),
        "late": (8, 489_704),
    }
    assert sum(n for _, n in counts.values()) == 649_344
    assert len(choose_layers(model, "all")) == 25


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("all", ["conv1", "conv2"]),
        (["conv2"], ["conv2"]),
        (["conv2", "conv1"], ["conv1", "conv2"]),
        (["*2"], ["conv2"]),
        ("conv1", ["conv1"]),
        ("late", ["conv2"]),
        (["late", "conv1"], ["conv1", "conv2"]),
        (["early", "late"], ["conv1", "conv2"]),
        (["all"], ["conv1", "conv2"]),
    ],
    ids=str,
)
def test_layers_are_chosen_by_name_and_pattern(model, layers, expected):
    gated = model.with_gate("b", layers=layers)
    own = gated.variables_by_path("b")
    found = {p.split("/")[2] for p in own if "/gate/" in p}
    assert sorted(found) == expected


@pytest.mark.parametrize("layers", ["middle", ["conv9"], ["conv1", "norm1"]])
def test_unknown_layers_are_answered_with_the_known_ones(model, layers):
    with pytest.raises(ValueError, match="conv1, conv2"):
        model.with_gate("b", layers=layers)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"domain": "x"}, "Known domains"),
        ({"domain": "b", "sources": ["x"]}, "Known domains"),
        ({"domain": "b", "sources": []}, "at least two"),
        ({"domain": "b", "sources": ["a", "b"]}, "OTHER domains"),
        ({"domain": "b", "own_weight": 1.0}, "below 1"),
    ],
    ids=["domain", "source", "none", "itself", "weight"],
)
def test_gates_that_cannot_be_are_refused(model, options, message):
    before = model.fingerprint()
    with pytest.raises(ValueError, match=message):
        model.with_gate(**options)
    assert model.fingerprint() == before


def test_a_domain_alone_has_nothing_to_mix():
    with pytest.raises(ValueError, match="at least two"):
        tiny_model(["a"]).with_gate("a")


def test_a_gated_domain_is_not_gated_again(gated):
    with pytest.raises(ValueError, match="has gates already"):
        gated.with_gate("b")
    with pytest.raises(ValueError, match=r"no gate\. Gated domains: b"):
        gated.without_gate("a")


# === What a gate starts as ===


def test_every_other_part_is_bit_identical(model, gated):
    before, after = model.fingerprint(), gated.fingerprint()
    assert [k for k in before if before[k] != after[k]] == ["domains/b"]
    old, new = values(model), values(gated)
    for path in old:
        np.testing.assert_array_equal(old[path], new[path])
    assert not any(map(without_gates, set(new) - set(old)))
    for d in ("a", "c"):
        np.testing.assert_array_equal(predict(gated, d), predict(model, d))


def test_next_to_one_it_starts_as_the_hard_slot(model):
    near = model.with_gate("b", own_weight=1 - 1e-6)
    np.testing.assert_allclose(predict(near, "b"), predict(model, "b"), **CLOSE)
    half = model.with_gate("b", own_weight=0.5)
    assert np.abs(predict(half, "b") - predict(model, "b")).max() > 0.01


def test_it_mixes_the_kernels_of_the_domains_it_names(model):
    """The gated layer, all weight on one source, is that source's layer."""
    gated = model.with_gate("b", layers=["conv1"])
    for d in ("a", "c"):
        gate = gated._mdl.slotted["conv1"].slot("b")["gate"]
        gate.start_at(d, 1 - 1e-6)
        find = {
            m: keras.Model(v.inputs, v.endpoints["conv1"])
            for m, v in (("gated", gated["b"]), ("hard", model[d]))
        }
        np.testing.assert_allclose(
            find["gated"].predict(images(), verbose=0),
            find["hard"].predict(images(), verbose=0),
            **CLOSE,
        )


def test_over_parameterised_slots_are_mixed_as_what_they_stand_for(model):
    do = randomize(tiny_model(["a", "b", "c"], depthwise="do"))
    for options in ({"own_weight": 0.4}, {"own_weight": 1 - 1e-6}):
        np.testing.assert_allclose(
            predict(do.with_gate("b", **options), "b"),
            predict(do.folded().with_gate("b", **options), "b"),
            **CLOSE,
        )


# === Training ===


@pytest.mark.parametrize("phase", ["gate", "gate_and_slot"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_moves_what_the_phase_says_and_nothing_else(
    gated, phase, optimizer
):
    before = values(gated)
    view = gated.for_domain("b", phase=phase)
    fit(compiled(view, OPTIMIZERS[optimizer]()))
    after = values(gated)
    changed = {
        p.removeprefix("domains/b/")
        for p in before
        if before[p].tobytes() != after[p].tobytes()
    }
    assert changed_owners(before, after) == {"domains/b"}
    roles = {p.split("/")[1] for p in changed}
    if phase == "gate":
        assert roles == {"gate"}
    else:
        assert roles == {"gate", "norm", "pointwise", "head"}


def test_a_gated_domain_keeps_to_itself_whatever_becomes_of_its_sources(gated):
    before, expected = gated.fingerprint()["domains/b"], predict(gated, "b")
    fit(compiled(gated["a"]))
    models = [gated, gated.without_domain("a"), gated.only_domain("b")]
    models.append(gated.with_domain("d", classes=2))
    for model in models:
        assert model.fingerprint()["domains/b"] == before
        np.testing.assert_array_equal(predict(model, "b"), expected)


def test_a_new_domain_does_not_start_from_a_gated_one(gated):
    with pytest.raises(ValueError, match="gated domain 'b'"):
        gated.with_domain("d", classes=2, init_from="b")


# === Back to a hard slot ===


def test_taking_the_gate_out_gives_the_hard_slot_back(model, gated):
    assert gated.without_gate("b").fingerprint() == model.fingerprint()


def test_collapsing_a_constant_gate_is_exact_and_leaves_an_ordinary_slot(
    model,
):
    gated = model.with_gate("b", own_weight=0.4)
    folded = gated.collapsed("b", images())
    assert set(folded.variables_by_path()) == set(model.variables_by_path())
    np.testing.assert_allclose(
        predict(folded, "b"), predict(gated, "b"), **CLOSE
    )
    before, after = gated.fingerprint(), folded.fingerprint()
    assert [k for k in before if before[k] != after[k]] == ["domains/b"]
    assert np.abs(predict(folded, "b") - predict(model, "b")).max() > 0.01


def test_collapsing_uses_the_mean_weights_of_the_images(gated):
    x = images(16)
    folded = gated.collapsed("b", x, max_variation=9)
    weights = gate_weights(gated, "b", x)["conv1"].mean(axis=0)
    expected = sum(
        w * values(gated)[f"domains/{path}"]
        for w, path in zip(
            weights,
            (
                "b/conv1/depthwise_transform/source_a",
                "b/conv1/depthwise/kernel",
                "b/conv1/depthwise_transform/source_c",
            ),
            strict=True,
        )
    )
    np.testing.assert_allclose(
        values(folded)["domains/b/conv1/depthwise/kernel"],
        expected,
        rtol=1e-4,
        atol=1e-5,
    )


def test_a_gate_that_depends_on_the_image_is_not_collapsed_silently(gated):
    randomize_gates(gated, "b", 1.0)
    x = unlike_images()
    worst = max(gate_statistics(gated, "b", x), key=lambda s: s.variation)
    assert worst.variation > 0.1
    with pytest.raises(ValueError, match=f"{worst.layer}.*max_variation=0.1"):
        gated.collapsed("b", x)


def test_collapsing_needs_a_gate(model):
    with pytest.raises(ValueError, match="Gated domains: none"):
        model.collapsed("b", images())


# === Statistics ===


def test_statistics_are_those_of_the_mixed_kernels(gated):
    randomize_gates(gated, "b", 0.5)
    x = unlike_images()
    weights = gate_weights(gated, "b", x)
    for s in gate_statistics(gated, "b", x):
        parts = gated._mdl.slotted[s.layer].slot("b")
        part = parts["depthwise_transform"]
        assert s.domains == ("a", "b", "c")
        w = weights[s.layer]
        mixed = np.array(
            keras.ops.convert_to_numpy(
                part(parts["depthwise"].kernel.value, keras.ops.array(w))
            )
        )
        away = mixed - mixed.mean(axis=0)
        expected = np.sqrt(
            (away**2).sum(axis=(1, 2, 3, 4)).mean()
            / (mixed.mean(axis=0) ** 2).sum()
        )
        np.testing.assert_allclose(s.variation, expected, rtol=1e-3)
        np.testing.assert_allclose(s.mean, w.mean(axis=0), rtol=1e-4)
        assert 0 < s.entropy < np.log(3)
        assert 0 < s.spread < 1


def test_costs_count_the_gate_and_one_convolution_not_three(model):
    rows = [
        {r["owner"]: r for r in m.summary_by_domain().to_dicts()}
        for m in (model, model.with_gate("b"))
    ]
    plain, gated = (r["b"] for r in rows)
    # conv1 has 3 input channels (h = 1), conv2 has 4 (h = 2).
    gates = (3 * 1 + 1 + 3 * 1 + 3) + (4 * 2 + 2 + 3 * 2 + 3)
    assert gated["parameters"] - plain["parameters"] == gates
    assert gated["statistics"] - plain["statistics"] == 2 * 9 * (3 + 4)
    products = (3 * 1 + 1 * 3) + (4 * 2 + 2 * 3)
    assert gated["macs"] - plain["macs"] == products + 3 * 9 * (3 + 4)


# === Files ===


def test_a_gated_model_comes_back_from_its_file(gated, tmp_path):
    path = tmp_path / "model.keras"
    gated.save(path)
    loaded = keras_mdl.load_model(path)
    assert loaded.fingerprint() == gated.fingerprint()
    np.testing.assert_array_equal(predict(loaded, "b"), predict(gated, "b"))
    view = loaded.for_domain("b", phase="gate")
    assert all("/gate/" in p for p in view.trainable_paths)


def test_a_gated_domain_travels_with_its_copies(gated, tmp_path):
    path = tmp_path / "b.safetensors"
    gated.save_domain("b", path)
    # The new home knows none of the domains that it mixes.
    home = gated.only_domain("a").with_domain("z", classes=2)
    home = home.without_domain("a").load_domain(path)
    assert home.fingerprint()["domains/b"] == gated.fingerprint()["domains/b"]
    np.testing.assert_array_equal(predict(home, "b"), predict(gated, "b"))


def test_the_gates_of_a_view_are_endpoints(gated):
    view = gated["b"]
    assert set(list(view.endpoints)[:3]) == {
        "conv1/gate", "conv1/depthwise", "conv1",
    }  # fmt: skip
    assert not any("/gate" in name for name in gated["a"].endpoints)
    found = gate_weights(gated, "b", images(5))
    assert {n: w.shape for n, w in found.items()} == {
        "conv1": (5, 3),
        "conv2": (5, 3),
    }


@pytest.mark.parametrize("wrong", [images()[:0], list(images(2))], ids=len)
def test_images_that_are_none_are_refused(gated, wrong):
    before = gated.fingerprint()
    with pytest.raises(ValueError, match="n > 0"):
        gated.collapsed("b", wrong)
    assert gated.fingerprint() == before


def test_no_layers_is_an_error(model):
    with pytest.raises(ValueError, match="at least one"):
        model.with_gate("b", layers=[])
