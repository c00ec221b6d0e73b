"""A manifest that can be read is valid in every field."""

import copy
import dataclasses
import json
import math
import os

import pytest
from keras_mdl_export import Manifest
from keras_mdl_export.manifest import MAX_BYTES
from keras_mdl_export.reading import read_verified
from tiny_export import make_export


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    return folder, make_export(folder).values


@pytest.fixture
def values(source):
    return copy.deepcopy(source[1])


# === Reading and writing ===


def test_written_and_read_it_is_the_same(tmp_path, values):
    manifest = Manifest(values)
    manifest.write(tmp_path)
    assert Manifest.read(tmp_path) == manifest
    assert manifest.values == values
    assert os.listdir(tmp_path) == ["manifest.json"]
    umask = os.umask(0)
    os.umask(umask)
    mode = (tmp_path / "manifest.json").stat().st_mode & 0o777
    assert mode == 0o666 & ~umask


def test_the_values_are_a_copy(values):
    manifest = Manifest(values)
    values["mode"] = "other"
    assert manifest.values["mode"] == "float32"
    with pytest.raises(dataclasses.FrozenInstanceError):
        manifest.values = values


def test_properties_name_the_parts(values):
    manifest = Manifest(values)
    assert manifest.input_shape == (1, 8, 8, 3)
    assert manifest.input_dtype == "float32"
    assert manifest.bundle == "bundle.tflite"
    assert manifest.trunk["bytes"] == 192
    assert list(manifest.domains) == ["dtd", "svhn"]
    assert manifest.paths("parts", "dtd") == (
        "parts/dtd.prefix",
        "parts/trunk.bin",
        "parts/dtd.labels.zip",
    )
    assert manifest.paths("packs", "svhn") == (
        "packs/svhn.pack",
        "parts/trunk.bin",
    )


def test_a_form_is_there_if_every_domain_has_it(values):
    del values["domains"]["dtd"]["files"]["model"]
    values["bundle"] = None
    manifest = Manifest(values)
    assert manifest.forms() == ("parts", "packs")
    assert manifest.paths("models", "dtd") == ()
    assert manifest.paths("models", "svhn") == ("models/svhn.tflite",)


def test_the_model_that_packs_are_based_on_needs_no_pack(values):
    base = "models/dtd.tflite"
    del values["domains"]["dtd"]["files"]["pack"]
    assert "packs" not in Manifest(values).forms()
    values["domains"]["svhn"]["pack_base"] = base
    manifest = Manifest(values)
    assert "packs" in manifest.forms()
    assert manifest.paths("packs", "dtd") == (base,)
    assert manifest.paths("packs", "svhn") == ("packs/svhn.pack", base)


def test_an_interrupted_write_leaves_the_old_one(tmp_path, values, monkeypatch):
    manifest = Manifest(values)
    manifest.write(tmp_path)
    old = (tmp_path / "manifest.json").read_bytes()

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        manifest.write(tmp_path)
    assert os.listdir(tmp_path) == ["manifest.json"]
    assert (tmp_path / "manifest.json").read_bytes() == old


def test_a_missing_folder_is_named(tmp_path, values):
    with pytest.raises(FileNotFoundError):
        Manifest(values).write(tmp_path / "missing")
    with pytest.raises(FileNotFoundError, match=r"missing.*manifest\.json"):
        Manifest.read(tmp_path / "missing")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_lacks_are_not_written(values, number):
    values["domains"]["dtd"]["verification"] = {"difference": number}
    with pytest.raises(ValueError, match="finite"):
        Manifest(values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "not valid JSON"),
        (b"[]", "JSON object.*list"),
        (b'{"format": "keras_mdl.export/2"', "not valid JSON"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "'c' stands there twice"),
        pytest.param(  # (found in one pass: it took minutes)
            b"{%s}"
            % b",".join(b'"%d":0' % (i % 150_000) for i in range(150_001)),
            "'0' stands there twice",
            id="many keys",
        ),
        (b'{"a": NaN}', "NaN is not"),
        (b'{"a": -Infinity}', "Infinity is not"),
        (b'{"a": 1e400}', "1e400 is too large"),
        (b'{"mode": "\\ud800"}', "not valid"),
        (b'{"a": "\xff"}', "not valid JSON"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"{}" + b" " * MAX_BYTES, "at most 2097152.*2097154"),
    ],
)
def test_json_of_two_meanings_is_refused(tmp_path, text, message):
    (tmp_path / "manifest.json").write_bytes(text)
    with pytest.raises(ValueError, match=message):
        Manifest.read(tmp_path)


# === Fields ===

BAD_PATHS = [
    "/etc/passwd",
    "../x",
    "models/../../x",
    "./x",
    "a//b",
    "a/",
    "",
    ".",
    "..",
    "C:/x",
    "C:x",
    "\\\\host\\x",
    "models\\x",
    "x\0y",
    "a\nb",
    ".hidden",
    "a" * 200,
    "/".join("a" * 20),
    "é",
    "manifest.json",
    "USAGE.md",
    "BUNDLE.tflite",
]


@pytest.mark.parametrize("path", BAD_PATHS)
def test_paths_that_could_leave_the_folder_are_refused(values, path):
    values["files"][path] = values["files"]["bundle.tflite"]
    with pytest.raises(ValueError, match="`files`"):
        Manifest(values)


def _set(*keys_and_value):
    *keys, last, value = keys_and_value

    def change(values):
        for key in keys:
            values = values[key]
        if value is _set:
            del values[last]
        else:
            values[last] = value

    return change


DTD = ("domains", "dtd")
KERNEL = ("trunk", "kernels", 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("format", "keras_mdl.export/1"), "format.*export/2.*export/1"),
        (_set("format", _set), "format"),
        (_set("mode", ""), "mode"),
        (_set("mode", "x" * 2000), "mode"),
        (_set("created_with", {"keras_mdl": 1}), "created_with.keras_mdl"),
        (_set("output", "scores"), "output.*'probabilities', 'logits'"),
        (_set("output", ["logits"]), "output"),
        (_set("input", None), "input"),
        (_set("input", "dtype", "int8"), "input.dtype.*'uint8', 'float32'"),
        (_set("input", "shape", [8, 8, 3]), "input.shape"),
        (_set("input", "shape", [2, 8, 8, 3]), "input.shape"),
        (_set("input", "shape", [1, 0, 8, 3]), "input.shape"),
        (_set("input", "shape", [1, 8, 10**6, 3]), "input.shape"),
        (_set("input", "shape", [1, 8, True, 3]), "input.shape"),
        (_set("input", "shape", [1, 8, 8.0, 3]), "input.shape"),
        (_set("files", "bundle.tflite", "bytes", -1), "bytes"),
        (_set("files", "bundle.tflite", "bytes", 2**30 + 1), "bytes"),
        (_set("files", "bundle.tflite", "bytes", 1.0), "bytes"),
        (_set("files", "bundle.tflite", "sha256", "0" * 63), "sha256"),
        (_set("files", "bundle.tflite", "sha256", "G" * 64), "sha256"),
        (_set("files", "bundle.tflite", None), "bundle"),
        (_set("files", []), "files"),
        (_set("trunk", "sha256", "0" * 64), "trunk"),
        (_set("trunk", "kernels", None), "kernels"),
        (_set(*KERNEL, "dtype", "int3"), "int8.*int3"),
        (_set(*KERNEL, "shape", [16, 3, 2]), "384"),
        (_set(*KERNEL, "shape", [16, -3]), "shape"),
        (_set(*KERNEL, "shape", [2**29, 2**29]), "of its shape"),
        (_set(*KERNEL, "shape", []), "shape"),
        (_set(*KERNEL, "offset", 1), "within the 192"),
        (_set(*KERNEL, "offset", 193), "within the 192"),
        (_set(*KERNEL, "layer", 7), "layer"),
        (_set("domains", {}), "domains.*at least 1"),
        (_set("domains", []), "domains"),
        (_set(*DTD, None), "domains.dtd"),
        (_set(*DTD, "classes", ["a"]), "2 to"),
        (_set(*DTD, "classes", "abc"), "2 to"),
        (_set(*DTD, "classes", ["a", "a"]), "differ"),
        (_set(*DTD, "classes", ["a", " "]), "text"),
        (_set(*DTD, "classes", ["a", 1]), "text"),
        (_set(*DTD, "mean", [0, 1]), "mean.*3 to 3"),
        (_set(*DTD, "mean", [0, 1, "2"]), "mean.*finite number"),
        (_set(*DTD, "mean", [0, 1, True]), "mean.*finite number"),
        (_set(*DTD, "std", [1, 1, 0]), "std.*above 0"),
        (_set(*DTD, "std", None), "std"),
        (_set(*DTD, "complete", _set), "complete"),
        (_set(*DTD, "complete", "sha256", "0" * 64), "models/dtd.tflite"),
        (_set(*DTD, "files", "model", "models/no.tflite"), "one of `files`"),
        (_set(*DTD, "files", "model", "../x"), "files.model"),
        (_set(*DTD, "files", "model", ["bundle.tflite"]), "files.model"),
        (_set(*DTD, "files", "pack", "parts/trunk.bin"), "nothing else"),
        (
            _set(*DTD, "files", "script", "bundle.tflite"),
            "model, prefix.*script",
        ),
        (_set(*DTD, "files", "labels", _set), "together"),
        (_set(*DTD, "pack_base", _set), "pack_base"),
        (_set(*DTD, "pack_base", "/etc/passwd"), "pack_base"),
        (_set("version", 0), "version.*integer"),
        (_set("version", 1.0), "version.*integer"),
        (_set("version", 2**53), "version.*integer"),
        (_set("runtime", "2"), "runtime"),
        (_set("later", 1), "later"),
        (_set(*DTD, "later", 1), "later"),
        (_set(*DTD, "sharing", 3), "sharing"),
        (_set("bundle", "models/dtd.tflite"), "nothing else"),
        (_set("bundle", "no.tflite"), "one of `files`"),
    ],
)
def test_fields_are_checked(values, change, message):
    change(values)
    with pytest.raises(ValueError, match=f"(?s)not valid.*{message}"):
        Manifest(values)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/b", "a\\b", "a b", "-a", "é", "x" * 65, "a\0", "DTD"],
)
def test_names_of_domains_follow_the_rule_of_keras_mdl(values, name):
    from keras_mdl.domains import as_domains

    values["domains"][name] = {**values["domains"]["dtd"], "files": {}}
    with pytest.raises(ValueError, match="`domains`"):
        Manifest(values)
    with pytest.raises(ValueError, match="name"):
        as_domains({"dtd": 2, name: 2})


# === The files it lists ===


def test_files_are_those_of_the_manifest(source):
    folder, values = source
    manifest = Manifest(values)
    for path in manifest.files:
        content = read_verified(folder, manifest, path)
        assert content == (folder / path).read_bytes()
    with pytest.raises(ValueError, match=r"does not list.*'x'.*models"):
        read_verified(folder, manifest, "x")


@pytest.fixture
def folder(tmp_path):
    make_export(tmp_path)
    return tmp_path


def test_links_pipes_and_folders_are_refused(folder):
    manifest = Manifest.read(folder)
    path = folder / "models/dtd.tflite"
    assert read_verified(folder, manifest, "models/dtd.tflite")
    path.rename(folder / "moved")
    with pytest.raises(FileNotFoundError, match=r"no file 'models/dtd\.tflite"):
        read_verified(folder, manifest, "models/dtd.tflite")

    def refused(message):
        with pytest.raises(ValueError, match=message):
            read_verified(folder, manifest, "models/dtd.tflite")

    path.symlink_to(folder / "moved")
    refused("symbolic link")
    path.unlink()
    path.symlink_to("missing")
    refused("symbolic link")
    path.unlink()
    path.mkdir()
    refused("regular file")
    path.rmdir()
    os.mkfifo(path)
    refused("regular file")
    path.unlink()
    (folder / "moved").rename(path)
    assert read_verified(folder, manifest, "models/dtd.tflite")
    (folder / "models").rename(folder / "other")
    (folder / "models").symlink_to("other")
    refused("symbolic link")
    (folder / "models").unlink()
    (folder / "models").write_text("")
    refused("regular file")


def test_the_manifest_may_not_be_a_link_but_the_folder_may(folder, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(folder, target_is_directory=True)
    assert Manifest.read(link) == Manifest.read(folder)
    (folder / "manifest.json").rename(folder / "m.json")
    (folder / "manifest.json").symlink_to("m.json")
    with pytest.raises(ValueError, match="symbolic link"):
        Manifest.read(folder)


def test_another_size_is_refused_before_reading(folder):
    manifest = Manifest.read(folder)
    with open(folder / "bundle.tflite", "ab") as file:
        file.truncate(2**40)  # sparse; reading it would not end well
    with pytest.raises(ValueError, match=r"have \d+ bytes.*1099511627776"):
        read_verified(folder, manifest, "bundle.tflite")


def test_another_content_is_refused(folder):
    manifest = Manifest.read(folder)
    content = bytearray((folder / "bundle.tflite").read_bytes())
    content[-1] ^= 1
    (folder / "bundle.tflite").write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged.*should be.*Received"):
        read_verified(folder, manifest, "bundle.tflite")


def test_the_file_is_utf8_with_names_as_they_are(tmp_path, values):
    values["domains"]["svhn"]["classes"] = ["日本", "Größe"]
    Manifest(values).write(tmp_path)
    text = (tmp_path / "manifest.json").read_text(encoding="utf-8")
    assert "日本" in text
    assert json.loads(text) == values
