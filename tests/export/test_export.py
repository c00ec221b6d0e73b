"""What is exported is what was trained, and the trunk is there once."""

import hashlib
import json
import os
import subprocess

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
from keras_mdl_export.flatbuffer import schema, unpack
from keras_mdl_export.modes import MODES
from keras_mdl_export.versions import wrong_versions
from operator_table import EXPECTED, described, runtime_in

from keras_mdl import (
    build_resnet26,
)

FORMS = ("models", "parts", "bundle", "packs")


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


def test_prefix_trunk_and_labels_in_a_row_are_the_file(resnet):
    model, folder, _ = resnet
    for name in model:
        parts = [f"parts/{name}.prefix", "parts/trunk.bin",
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
        prefix = len(read(folder, f"parts/{name}.prefix"))
        assert len(read(folder, f"packs/{name}.pack")) < prefix


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
                 "parts/base.prefix", "parts/signs.prefix"):  # fmt: skip
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


# === Operators, their versions and names ===


def tflite_files(by_mode):
    """Every file of an export that a runtime opens."""
    paths = [*by_mode[2].rglob("*.tflite")]
    assert len(paths) == 3  # two domains, the bundle
    return [path.read_bytes() for path in paths]


def test_every_operator_says_the_version_it_needs(by_mode):
    for content in tflite_files(by_mode):
        model, runtimes = unpack(content), set()
        for graph in model.subgraphs:
            for op in graph.operators:
                version, key = described(model, graph, op)
                assert (key, version) == (key, EXPECTED[key][0])
                runtimes.add(EXPECTED[key][1])
        latest = max(runtimes, key=lambda r: [int(n) for n in r.split(".")])
        assert runtime_in(model) == latest
        assert wrong_versions(model) == []


def test_every_tensor_has_a_short_name_of_its_own(by_mode):
    for content in tflite_files(by_mode):
        for graph in unpack(content).subgraphs:
            names = [tensor.name for tensor in graph.tensors]
            assert len({*names}) == len(names)
            inner = [n for n in names if n not in (b"images", b"probabilities")]
            assert all(1 <= len(n) <= 3 for n in inner)


# Of the others the converter's version is taken as it is.
JUDGED = ("ADD", "CONV_2D", "DEPTHWISE_CONV_2D", "DEQUANTIZE",
          "FULLY_CONNECTED", "MUL", "RESHAPE", "SOFTMAX")  # fmt: skip


def test_a_version_that_is_too_low_or_high_is_found(by_mode):
    content = read(by_mode[2], "models/a.tflite")
    for change in (-1, 1):
        model = unpack(content)
        codes = [c for c in model.operatorCodes if c.version + change > 0]
        for code in codes:
            code.version += change
        wrong = wrong_versions(model)
        named = {w.split()[0] for w in wrong if "says version" in w}
        known = vars(schema.BuiltinOperator)
        changed = {
            n
            for n in JUDGED
            if known[n] in {code.builtinCode for code in codes}
        }
        assert named == changed
    model = unpack(content)
    model.metadata = []
    assert "says runtime none" in wrong_versions(model)[0]


RUN_OLD = """
import sys
import numpy as np
from tflite_runtime.interpreter import Interpreter
images, out = np.load(sys.argv[2]), []
interpreter = Interpreter(sys.argv[1], num_threads=1)
interpreter.allocate_tensors()
i = interpreter.get_input_details()[0]["index"]
o = interpreter.get_output_details()[0]["index"]
for image in images:
    interpreter.set_tensor(i, image[None])
    interpreter.invoke()
    out.append(interpreter.get_tensor(o)[0])
np.save(sys.argv[3], out)
"""
OLD_PYTHON = os.environ.get("KERAS_MDL_OLD_RUNTIME")


@pytest.mark.skipif(
    not OLD_PYTHON,
    reason="KERAS_MDL_OLD_RUNTIME names no Python with tflite-runtime 2.14 "
    "(benchmarks/export_runtimes.py makes one)",
)
def test_an_old_runtime_answers_the_same(by_mode, tmp_path):
    _, model, folder, _ = by_mode
    images = pixels(model, 50)["a"]
    np.save(tmp_path / "images.npy", images)
    path = folder / "models/a.tflite"
    subprocess.run(
        [OLD_PYTHON, "-c", RUN_OLD, path, tmp_path / "images.npy",
         tmp_path / "out.npy"],
        check=True,
        env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    new = load(folder, "models")["a"](images)
    old = np.load(tmp_path / "out.npy")
    assert np.abs(new - old).max() < 0.02
    assert np.mean(new.argmax(1) == old.argmax(1)) > 0.9


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
