"""Which domains can be exported, and what of the trunk each shares."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from exported import (
    keras_outputs,
    lived_in,
    mobile,
    pixels,
    quiet_export,
    small_model,
    turn_gamma,
)
from keras_mdl_export import load
from keras_mdl_export.sharing import SharingError
from tiny import fit

from keras_mdl.models import from_keras

# === Sharing that fails says why ===


@pytest.mark.parametrize(
    ("value", "reason"),
    [(-0.7, "negative BatchNorm gamma"), (0.0, "too near zero")],
)
def test_a_gamma_that_ends_sharing_is_named(tmp_path, value, reason):
    model = turn_gamma(small_model(), "b", value)
    with pytest.raises(SharingError, match=f"1 of 16 channels.*{reason}"):
        quiet_export(model, tmp_path / "e")
    assert not list(tmp_path.iterdir())  # nothing is left


def test_less_sharing_can_be_allowed_and_still_answers(tmp_path):
    model = turn_gamma(small_model(), "b", -0.7)
    report = quiet_export(model, tmp_path / "e", min_shared=0.0)
    assert [d["shared"] for d in report.domains] == [1.0, 0.0]
    assert "negative BatchNorm gamma" in str(report)
    x = pixels(model, 20)["b"]
    np.testing.assert_allclose(
        load(tmp_path / "e", "parts")["b"](x),
        keras_outputs(model, "b", x),
        atol=0.05,
    )


def test_an_adapter_with_a_kernel_of_its_own_is_named(tmp_path):
    model = small_model(["a"]).with_domain("b", classes=2, adapter="serial")
    with pytest.raises(SharingError, match=r"its adapter \(serial\) gives"):
        quiet_export(model, tmp_path / "e")


@pytest.mark.parametrize("mode", ["dyn_conv", "int8"])
def test_every_kernel_of_a_mobile_network_is_shared(tmp_path, mode):
    options = {
        "backbone": mobile,
        "backbone_config": {},
        "input_shape": (16, 16, 3),
    }
    model = small_model(**options)
    report = quiet_export(
        model, tmp_path / "e", mode=mode, forms=["models", "bundle"]
    )
    assert [d["unshared"] for d in report.domains] == [{}, {}]
    values = json.loads((tmp_path / "e/manifest.json").read_text())
    shapes = {
        k["layer"].split("/")[0]: k["shape"] for k in values["trunk"]["kernels"]
    }
    assert shapes == {
        "stem": [16, 3, 3, 3],
        "expand": [32, 1, 1, 16],
        "squeeze": [8, 32],
        "excite": [32, 8],
        "project": [16, 1, 1, 32],
        "grouped": [16, 3, 3, 8],
    }
    for name, x in pixels(model, 40).items():
        received = load(tmp_path / "e", "bundle")[name](x)
        expected = keras_outputs(model, name, x)
        assert np.abs(received - expected).max() < 0.05
        assert np.mean(received.argmax(-1) == expected.argmax(-1)) > 0.8


@pytest.mark.parametrize(
    ("network", "options", "mode"),
    [
        ("MobileNetV2", {"alpha": 0.35}, "dyn_conv"),
        ("MobileNetV3Small", {"minimalistic": True}, "int8"),
    ],
)
def test_networks_of_keras_share_every_kernel(tmp_path, network, options, mode):
    build = getattr(keras.applications, network)
    network = build((32, 32, 3), weights=None, classes=5, **options)
    model = from_keras(network, "a", scaling="-1..1", verbose=0)
    model = model.with_domain("b", classes=3)
    lived_in(model)  # each domain folds factors of its own
    report = quiet_export(
        model, tmp_path / "e", mode=mode, forms=["parts"], min_agreement=0.0
    )
    assert [d["unshared"] for d in report.domains] == [{}, {}]
    assert [d["shared"] for d in report.domains] == [1.0, 1.0]
    variables = model.variables_by_path()
    kernels = [p for p in variables if p.startswith("trunk/")]
    values = json.loads((tmp_path / "e/manifest.json").read_text())
    listed = [f"trunk/{k['layer']}" for k in values["trunk"]["kernels"]]
    assert listed == [p for p in kernels if p.endswith("/kernel")]


def with_dead_channels(epsilon=1e-3):
    """What pretrained weights have: dead channels, and gammas below zero."""
    rng, layers = np.random.default_rng(1), keras.layers
    x = inputs = keras.Input((16, 16, 3))
    for name, layer in (
        ("expand", layers.Conv2D(24, 1, use_bias=False, name="expand")),
        ("depthwise", layers.DepthwiseConv2D(3, name="depthwise")),
        ("project", layers.Conv2D(16, 1, use_bias=False, name="project")),
    ):
        norm = layers.BatchNormalization(epsilon=epsilon, name=f"{name}_norm")
        x = layers.ReLU(6.0)(norm(layer(x)))
        channels = x.shape[-1]
        dead = np.arange(channels) % 4 == 1
        norm.gamma.assign(rng.choice([-1.0, 1.0], channels))
        norm.beta.assign(rng.uniform(0.1, 1, channels))
        if name != "depthwise":
            factors = np.where(dead, 1e-9, 1).astype("float32")
            layer.kernel.assign(layer.kernel * factors)
            norm.moving_variance.assign(1.0 - dead)
    x = layers.Dense(3)(layers.GlobalAveragePooling2D()(x))
    model = from_keras(keras.Model(inputs, x), "a", "-1..1", verbose=0)
    model = model.with_domain("b", classes=3)
    for path, v in model.variables_by_path().items():
        if path.startswith("domains/b/") and "moving" not in path:
            v.assign(v * rng.uniform(0.8, 1.2, v.shape).astype("float32"))
    return model


@pytest.mark.parametrize("mode", ["dyn_conv", "int8"])
def test_dead_channels_are_shared_and_reported(tmp_path, mode):
    model = with_dead_channels()
    before = model.fingerprint()
    report = quiet_export(model, tmp_path / "e", mode=mode, forms=["parts"])
    assert [d["unshared"] for d in report.domains] == [{}, {}]
    (note,) = report.to_dict()["notes"]
    assert "10 channels in 2 of the trunk's kernels are dead" in note
    assert note in str(report)
    assert float(note.split()[-1]) < 1e-6  # what zeros in their place change
    assert model.fingerprint() == before
    for name, x in pixels(model, 20).items():
        found = load(tmp_path / "e")[name](x)
        assert np.abs(found - keras_outputs(model, name, x)).max() < 0.05


def test_channels_that_a_norm_makes_loud_stay_as_they_are(tmp_path):
    model = with_dead_channels(epsilon=1e-18)  # what is 1e-9 becomes 1
    report = quiet_export(model, tmp_path / "e", forms=["parts"])
    (note,) = report.notes
    assert "would change outputs by" in note
    for name, x in pixels(model, 20).items():
        found = load(tmp_path / "e")[name](x)
        assert np.abs(found - keras_outputs(model, name, x)).max() < 0.05


# === What else a domain can be ===


def test_names_that_files_and_libraries_use_themselves(tmp_path):
    names = ["trunk", "file", "x", "x.npy"]
    model = small_model(dict.fromkeys(names, 3))
    for name in names:  # each answers something else
        head = model.variables_by_path()[f"domains/{name}/head/head/bias"]
        head.assign(np.random.default_rng(len(name)).normal(0, 3, 3))
    quiet_export(model, tmp_path / "e", mode="float32", min_agreement=1.0)
    for name, x in pixels(model, 5).items():
        np.testing.assert_allclose(
            load(tmp_path / "e")[name](x),
            keras_outputs(model, name, x),
            atol=1e-5,
        )


def check_float32(model, folder, atol):
    """Exports a model whose `b` is special: all shared, the same answers."""
    report = quiet_export(model, folder, mode="float32")
    assert [d["shared"] for d in report.domains] == [1.0, 1.0]
    x = pixels(model, 20)["b"]
    np.testing.assert_allclose(
        load(folder)["b"](x), keras_outputs(model, "b", x), atol=atol
    )


@pytest.mark.parametrize("policy", ["mixed_float16", "bfloat16"])
def test_networks_of_sixteen_bits(tmp_path, policy):
    check_float32(small_model(dtype=policy), tmp_path / "e", 0.05)


def test_over_parameterised_slots_are_folded(tmp_path):
    check_float32(small_model(depthwise={"b": "do"}), tmp_path / "e", 1e-4)


def test_adapters_that_have_no_folded_form_are_exported_as_layers(tmp_path):
    model = small_model(["a"]).with_domain("b", classes=2, adapter="parallel")
    check_float32(lived_in(model), tmp_path / "e", 1e-4)


def test_gates_are_refused_until_they_are_collapsed(tmp_path):
    model = small_model()
    gated = model.with_gate("a", own_weight=0.9)
    with pytest.raises(ValueError, match=r"model\.collapsed.*Gated: a"):
        quiet_export(gated, tmp_path / "e")
    images = pixels(model, 8)["a"].astype("float32")
    collapsed = gated.collapsed("a", images, max_variation=1.0)
    report = quiet_export(collapsed, tmp_path / "e", forms=["models"])
    assert [d["shared"] for d in report.domains] == [1.0, 1.0]


# === Training keeps what sharing needs ===


def test_after_training_all_is_shared(tmp_path):
    model = small_model()
    view = model.for_domain("b")
    view.compile(keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy")
    fit(view, n=32, batch_size=8, epochs=3)
    report = quiet_export(model, tmp_path / "e", min_shared=1.0)
    assert [d["shared"] for d in report.domains] == [1.0, 1.0]


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="tests the other backend itself",
)
def test_a_model_trained_on_jax_can_be_exported(tmp_path):
    pytest.importorskip("jax", reason="needs the extra `jax`")
    code = (
        "import sys, keras; assert keras.backend.backend() == 'jax'\n"
        "from exported import quiet_export, small_model\n"
        "print(quiet_export(small_model(), sys.argv[1]).domains)\n"
    )
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "e")],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "'shared': 1.0" in done.stdout
    assert list(load(tmp_path / "e")) == ["a", "b"]
