"""What is exported is what was trained, and the trunk is there once."""

import hashlib
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
    pixels,
    quiet_export,
    small_model,
)
from keras_mdl_export import load
from keras_mdl_export.modes import MODES
from keras_mdl_export.processes import ProcessError
from keras_mdl_export.sharing import SharingError
from keras_mdl_export.verification import VerificationError
from tiny import fit, tiny

from keras_mdl import (
    DomainBatchNormalization,
    MultiDomainModel,
    build_resnet26,
)


@keras.saving.register_keras_serializable("keras_mdl_tests")
def without_trunk(x, slot):
    return slot(DomainBatchNormalization, "norm")(x)


FORMS = ("models", "parts", "external", "bundle", "packs")


@pytest.fixture(scope="module")
def resnet(tmp_path_factory):
    """ResNet-26 with two domains, exported in the default mode."""
    model = build_resnet26({"base": 7, "signs": 3}, (16, 16, 3), width=0.1)
    lived_in(model)
    folder = tmp_path_factory.mktemp("resnet") / "export"
    return model, folder, quiet_export(model, folder)


@pytest.fixture(scope="module", params=list(MODES))
def by_mode(request, tmp_path_factory):
    model = small_model()
    folder = tmp_path_factory.mktemp("modes") / request.param
    return (
        MODES[request.param],
        model,
        folder,
        quiet_export(model, folder, mode=request.param),
    )


def read(folder, path):
    return (folder / path).read_bytes()


def digest(folder, path):
    return hashlib.sha256(read(folder, path)).hexdigest()


def manifest(folder):
    return json.loads(read(folder, "manifest.json"))


# === The default, on the network of the paper ===


def test_all_24_shared_kernels_are_shared_by_all_domains(resnet):
    _, folder, report = resnet
    assert len(manifest(folder)["trunk"]["kernels"]) == 24
    assert [d["shared"] for d in report.domains] == [1.0, 1.0]
    assert [d["unshared"] for d in report.domains] == [{}, {}]


def test_trunk_bin_holds_the_keras_kernels_on_their_grid(resnet):
    model, folder, _ = resnet
    trunk = read(folder, "parts/trunk.bin")
    variables = model.variables_by_path()
    for kernel in manifest(folder)["trunk"]["kernels"]:
        start = kernel["offset"]
        stored = np.frombuffer(
            trunk[start : start + kernel["bytes"]], kernel["dtype"]
        ).reshape(kernel["shape"])
        value = np.asarray(variables[f"trunk/{kernel['layer']}"].value)
        value = value.transpose(3, 0, 1, 2)
        scale = np.abs(value).max((1, 2, 3), keepdims=True) / 127
        assert np.abs(stored * scale - value).max() <= scale.max() / 2 * 1.001
        assert start % 64 == 0  # LiteRT maps it where it lies


def test_head_trunk_and_labels_in_a_row_are_the_file(resnet):
    model, folder, _ = resnet
    for name in model:
        parts = [f"parts/{name}.head", "parts/trunk.bin",
                 f"parts/{name}.labels.zip"]  # fmt: skip
        joined = b"".join(read(folder, p) for p in parts)
        assert joined == read(folder, f"models/{name}.tflite")


def test_the_bundle_stores_the_trunk_once(resnet):
    _, folder, report = resnet
    trunk = read(folder, "parts/trunk.bin")
    assert read(folder, "bundle.tflite").count(trunk) == 1
    assert report.sizes["bundle"] < report.sizes["separate"]


def test_a_pack_does_not_hold_the_trunk_again(resnet):
    model, folder, _ = resnet
    for name in model:
        head = len(read(folder, f"parts/{name}.head"))
        assert len(read(folder, f"packs/{name}.pack")) < head


def test_every_form_gives_the_same_bits(resnet):
    model, folder, _ = resnet
    images = pixels(model, 4)
    for name in model:
        first = load(folder, FORMS[0])[name](images[name])
        for form in FORMS[1:]:
            assert np.array_equal(load(folder, form)[name](images[name]), first)


def test_every_file_is_listed_with_its_hash(resnet):
    _, folder, _ = resnet
    listed = manifest(folder)["files"]
    found = {
        str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()
    }
    assert found == {*listed, "manifest.json", "USAGE.md"}
    for path, entry in listed.items():
        assert digest(folder, path) == entry["sha256"]


def test_a_domain_added_later_changes_no_file_of_the_others(resnet, tmp_path):
    model, folder, _ = resnet
    wider = model.with_domain("maps", classes=4)
    quiet_export(wider, tmp_path / "wider", forms=["models", "parts"])
    for path in ("parts/trunk.bin", "models/base.tflite", "models/signs.tflite",
                 "parts/base.head", "parts/signs.head"):  # fmt: skip
        assert read(folder, path) == read(tmp_path / "wider", path)


# === Exported = trained, in every mode ===

# Signal to noise of probabilities, in decibels: float forms only round, int8
# ones have the 127 steps of their kernels (and activations).
LEAST_SNR = {
    "float32": 100,
    "float32_folded": 100,
    "float16": 55,
    "float16_folded": 55,
    "dyn_conv": 30,
    "int8": 20,
}


def test_it_answers_as_keras_does(by_mode):
    mode, model, folder, _ = by_mode
    for name, x in pixels(model).items():
        expected = keras_outputs(model, name, x)
        received = load(folder)[name](x)
        noise = ((received - expected) ** 2).sum() / (expected**2).sum()
        assert -10 * np.log10(noise) > LEAST_SNR[mode.name]
        assert received.sum(-1) == pytest.approx(1, abs=1e-5)


def test_the_report_says_what_is_shared(by_mode):
    mode, model, folder, report = by_mode
    assert [d["shared"] for d in report.domains] == [float(mode.shares)] * 2
    forms = {p.split("/")[0] for p in manifest(folder)["files"]}
    if mode.shares:
        dtype = {k["dtype"] for k in manifest(folder)["trunk"]["kernels"]}
        assert dtype == {mode.kernels}
    else:
        assert forms == {"models", "bundle.tflite"}
    for name in model:
        assert name in str(report)


# === Inputs and outputs ===


def test_float_images_and_logits(tmp_path):
    model = small_model(["a"])
    quiet_export(
        model,
        tmp_path / "e",
        mode="float32",
        input_dtype="float32",
        output="logits",
    )
    x = pixels(model, 5)["a"].astype("float32") + 0.25
    x = x.clip(0, 255)
    expected = keras.ops.convert_to_numpy(model["a"](x))
    np.testing.assert_allclose(
        load(tmp_path / "e")["a"](x), expected, rtol=1e-4, atol=1e-4
    )


def test_only_some_domains(tmp_path):
    model = small_model()
    given = {"b": pixels(model)["b"]}
    quiet_export(
        model,
        tmp_path / "e",
        domains=["b"],
        calibration=given,
        forms=["models"],
    )
    assert list(load(tmp_path / "e")) == ["b"]


def test_a_pack_on_a_domain_that_is_there_already(tmp_path):
    model = small_model()
    quiet_export(
        model, tmp_path / "e", forms=["models", "packs"], pack_base="a"
    )
    files = manifest(tmp_path / "e")["domains"]
    assert files["b"]["pack_base"] == "models/a.tflite"
    assert "pack" not in files["a"]["files"]


# === Sharing that fails says why ===


def turn_gamma(model, name, value, channel=3):
    path = f"domains/{name}/norm1/norm/gamma"
    gamma = model.variables_by_path()[path]
    values = np.array(keras.ops.convert_to_numpy(gamma))
    values[channel] = value
    gamma.assign(values)
    return model


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


@pytest.mark.parametrize("policy", ["mixed_float16", "bfloat16"])
def test_networks_of_sixteen_bits(tmp_path, policy):
    model = small_model(dtype=policy)
    report = quiet_export(model, tmp_path / "e", mode="float32")
    assert [d["shared"] for d in report.domains] == [1.0, 1.0]
    x = pixels(model, 20)["b"]
    np.testing.assert_allclose(
        load(tmp_path / "e")["b"](x), keras_outputs(model, "b", x), atol=0.05
    )


def test_over_parameterised_slots_are_folded(tmp_path):
    model = small_model(depthwise={"b": "do"})
    report = quiet_export(model, tmp_path / "e", mode="float32")
    assert [d["shared"] for d in report.domains] == [1.0, 1.0]
    x = pixels(model, 5)["b"]
    np.testing.assert_allclose(
        load(tmp_path / "e")["b"](x), keras_outputs(model, "b", x), atol=1e-4
    )


def test_adapters_that_have_no_folded_form_are_exported_as_layers(tmp_path):
    model = small_model(["a"]).with_domain("b", classes=2, adapter="parallel")
    model = lived_in(model)
    report = quiet_export(model, tmp_path / "e", mode="float32")
    assert [d["shared"] for d in report.domains] == [1.0, 1.0]
    x = pixels(model, 5)["b"]
    np.testing.assert_allclose(
        load(tmp_path / "e")["b"](x), keras_outputs(model, "b", x), atol=1e-4
    )


def test_gates_are_refused_until_they_are_collapsed(tmp_path):
    model = small_model()
    gated = model.with_gate("a", own_weight=0.9)
    with pytest.raises(ValueError, match=r"model\.collapsed.*Gated: a"):
        quiet_export(gated, tmp_path / "e")
    images = pixels(model, 8)["a"].astype("float32")
    collapsed = gated.collapsed("a", images, max_variation=1.0)
    report = quiet_export(collapsed, tmp_path / "e", forms=["models"])
    assert [d["shared"] for d in report.domains] == [1.0, 1.0]


# === Refusals, and nothing half-written ===


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "int4"}, r"Known modes: dyn_conv"),
        ({"forms": ["zip"]}, r"models, parts, external, bundle, packs"),
        ({"forms": []}, r"Received: \[\]"),
        ({"mode": "float32_folded", "forms": ["parts"]}, r"models, bundle"),
        ({"input_dtype": "int8"}, r"uint8, float32"),
        ({"output": "argmax"}, r"probabilities, logits"),
        ({"pack_base": "c"}, r"None, a, b"),
        ({"pack_base": "a", "forms": ["packs"]}, r"need the form 'models'"),
        ({"pack_base": "a", "domains": ["a"]}, r"another domain"),
        ({"min_shared": 90}, r"`min_shared` must be a number from 0 to 1"),
        ({"min_agreement": float("nan")}, r"number from 0 to 1.*nan"),
        ({"max_accuracy_drop": None}, r"number from -1 to 1.*None"),
        ({"domains": ["c"]}, r"'c'"),
        ({"calibration": None}, r"Missing: a, b"),
        ({"calibration": {"c": np.zeros((1, 8, 8, 3))}}, r"unknown domains: c"),
        (
            {"calibration": {"a": np.zeros((1, 9, 9, 3))}},
            r"size of the network.*\(1, 9, 9, 3\)",
        ),
        (
            {"calibration": {"a": np.full((1, 8, 8, 3), -1.0)}},
            r"pixels in 0\.\.255",
        ),
        (
            {
                "validation": {
                    "a": (np.zeros((2, 8, 8, 3), "uint8"), np.zeros(3))
                }
            },
            r"Labels must be integers \(2,\)",
        ),
        (
            {"validation": {"a": (np.zeros((1, 8, 8, 3), "uint8"), [3])}},
            r"from 0 to 2.*\[3\]",
        ),
        (
            {"validation": {"a": (np.zeros((1, 8, 8, 3), "uint8"), [0.0])}},
            r"Labels must be integers.*float64",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        quiet_export(small_model(), tmp_path / "e", **options)
    assert not list(tmp_path.iterdir())


def test_a_view_is_no_model(tmp_path):
    with pytest.raises(TypeError, match="the whole and not"):
        quiet_export(small_model()["a"], tmp_path / "e", calibration={})


def test_a_diverged_domain_is_named(tmp_path):
    model = turn_gamma(small_model(), "b", np.nan)
    with pytest.raises(ValueError, match=r"domains/b/norm1.*diverged"):
        quiet_export(model, tmp_path / "e")


def test_a_class_name_that_no_label_file_can_hold(tmp_path):
    model = small_model(["a"]).with_domain("b", classes=["x", "y\nz"])
    with pytest.raises(ValueError, match="one line"):
        quiet_export(model, tmp_path / "e")
    assert not list(tmp_path.iterdir())


def test_a_backbone_of_a_script_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(tiny, "__module__", "__main__")
    with pytest.raises(ValueError, match="put it into a module"):
        quiet_export(small_model(), tmp_path / "e")


def test_without_a_trunk_there_is_nothing_to_share(tmp_path):
    model = MultiDomainModel(
        {"a": 2}, backbone=without_trunk, input_shape=(8, 8, 3)
    )
    with pytest.raises(ValueError, match="float32_folded"):
        quiet_export(model, tmp_path / "e")
    quiet_export(model, tmp_path / "e", mode="float32_folded")
    assert list(load(tmp_path / "e")) == ["a"]


def test_int8_needs_enough_images(tmp_path):
    model = small_model()
    few = pixels(model, 99)
    with pytest.raises(ValueError, match=r"100 training images.*99"):
        quiet_export(model, tmp_path / "e", mode="int8", calibration=few)


def test_without_heads_or_a_size_there_is_nothing_to_export(tmp_path):
    for options, message in (
        ({"include_top": False}, "include_top=True"),
        ({"input_shape": (None, None, 3)}, "fixed `input_shape`"),
    ):
        with pytest.raises(ValueError, match=message):
            quiet_export(small_model(**options), tmp_path / "e", calibration={})


def test_a_lost_accuracy_fails_the_export(tmp_path):
    model = small_model(["a"])
    x = pixels(model, 40)["a"]
    labels = keras_outputs(model, "a", x).argmax(-1)  # Keras has all right
    with pytest.raises(VerificationError, match="nothing was written"):
        quiet_export(
            model,
            tmp_path / "e",
            validation={"a": (x, labels)},
            max_accuracy_drop=-0.01,  # a gain is asked for: impossible
        )
    assert not list(tmp_path.iterdir())


def test_an_export_is_replaced_only_when_asked(tmp_path):
    model = small_model(["a"])
    folder = tmp_path / "e"
    quiet_export(model, folder, forms=["models"])
    before = digest(folder, "manifest.json")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        quiet_export(model, folder, forms=["models"])
    assert digest(folder, "manifest.json") == before
    quiet_export(model, folder, forms=["bundle"], overwrite=True)
    assert not (folder / "models").exists()
    other = tmp_path / "documents"
    other.mkdir()
    (other / "thesis.tex").touch()
    with pytest.raises(FileExistsError, match=r"manifest\.json"):
        quiet_export(model, other, overwrite=True)
    assert [p.name for p in other.iterdir()] == ["thesis.tex"]


def test_a_failed_conversion_says_why(tmp_path, monkeypatch):
    # As if the backbone's module were not to be found by the converter.
    monkeypatch.setattr(
        "keras_mdl_export.processes.sys.path",
        [p for p in sys.path if not p.endswith("tests")],
    )
    with pytest.raises(ProcessError, match=r"(?s)conversion of a.*tiny"):
        quiet_export(small_model(["a"]), tmp_path / "e")
    assert not list(tmp_path.iterdir())


def test_the_model_stays_as_it_is(tmp_path):
    model = small_model()
    before = model.fingerprint()
    quiet_export(model, tmp_path / "e", forms=["models"])
    assert model.fingerprint() == before


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
