"""`USAGE.md` says what is in the export, and nothing else."""

import ast
import re

import numpy as np
import pytest
from keras_mdl_export import Manifest, usage
from PIL import Image
from tiny_export import digest

from keras_mdl.data.pixels import rgb_from_file
from keras_mdl.data.resize import resized

FORMS = ("models", "parts", "bundle", "packs")
CLASSES = {"dtd": ["woven", "dotted"], "vgg-flowers": ["rose", "tulip"]}
# What a form's files and texts have in them, and no other form's.
SIGNS = {
    "models": ("models/", "setModelAssetPath", "modelAssetPath: '"),
    "parts": (".prefix", ".labels.zip", "rebuilt("),
    "bundle": ("bundle.tflite", 'createInputBuffers("dtd")', "signatureRunner"),
    "packs": (".pack", "KMDLPACK", "apply_pack"),
}
PLATFORMS = ("(Kotlin)", "(Swift)", "(JavaScript)")


def make_manifest(
    forms=FORMS, classes=None, dtype="uint8", pack_base="parts/trunk.bin"
):
    """A manifest whose files exist nowhere: `usage` does not read them."""
    files, domains = {}, {}
    trunk = b"trunk"
    on_trunk = "packs" in forms and pack_base == "parts/trunk.bin"
    if "parts" in forms or on_trunk:
        files["parts/trunk.bin"] = digest(trunk)
    for name, names in (classes or CLASSES).items():
        head, labels = f"head of {name}".encode(), b"zip"
        model = head + trunk + labels
        written = {
            "models": {"model": (f"models/{name}.tflite", model)},
            "parts": {
                "prefix": (f"parts/{name}.prefix", head),
                "labels": (f"parts/{name}.labels.zip", labels),
            },
            "packs": {"pack": (f"packs/{name}.pack", head + b"p")},
        }
        roles = {}
        for form in forms:
            for role, (path, content) in written.get(form, {}).items():
                if role == "pack" and pack_base == f"models/{name}.tflite":
                    continue
                roles[role], files[path] = path, digest(content)
        domains[name] = {
            "classes": names,
            "mean": [0.5, 0.4, 0.3],
            "std": [0.2, 0.2, 0.2],
            "files": roles,
            "complete": digest(model),
            "sharing": {},
            "verification": {},
        }
        if "pack" in roles:
            domains[name]["pack_base"] = pack_base
    if "bundle" in forms:
        files["bundle.tflite"] = digest(b"bundle")
    return Manifest(
        {
            "format": "keras_mdl.export/2",
            "version": 3,
            "runtime": "2.4.0",
            "created_with": {},
            "mode": "dyn_conv",
            "input": {"shape": [1, 72, 48, 3], "dtype": dtype},
            "output": "probabilities",
            "trunk": {**digest(trunk), "kernels": []},
            "files": files,
            "domains": domains,
            "bundle": "bundle.tflite" if "bundle" in forms else None,
        }
    )


def paths_in(text):
    """Everything quoted that looks like a path of the export."""
    quoted = re.findall(r"""[`"'/]([\w.\-]+(?:/[\w.\-]+)*)[`"']""", text)
    return {
        q
        for q in quoted
        if q.startswith(("models/", "parts/", "packs/")) or "bundle.tfl" in q
    }


def section(text, title):
    """From a heading of the second level to the next."""
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def cells(line):
    """The cells of a row, as GitHub splits it."""
    return re.split(r"(?<!\\)\|", line.strip())[1:-1]


def some_of(forms):
    return pytest.mark.parametrize("forms", forms, ids=" ".join)


every_choice = some_of(
    [
        FORMS,
        *[(f,) for f in FORMS],
        ("parts", "packs"),
        ("models", "packs"),
        ("models", "bundle"),
    ]
)


# === The files ===


@every_choice
def test_it_names_the_files_that_there_are_and_no_others(forms):
    manifest = make_manifest(forms)
    text = usage.usage_text(manifest)
    assert paths_in(text) == set(manifest.files)


@every_choice
def test_only_forms_that_exist_are_mentioned(forms):
    text = usage.usage_text(make_manifest(forms))
    for form, signs in SIGNS.items():
        present = [sign for sign in signs if sign in text]
        if form in forms:
            assert present == list(signs), form
        else:
            assert not present, form


def test_without_the_trunk_it_is_not_mentioned():
    text = usage.usage_text(make_manifest(("models", "bundle")))
    assert "trunk.bin" not in text
    assert "dcz" not in text


@every_choice
def test_hashes_and_sizes_are_the_manifests(forms):
    manifest = make_manifest(forms)
    text = usage.usage_text(manifest)
    complete = [d["complete"] for d in manifest.domains.values()]
    expected = {d["sha256"] for d in [*manifest.files.values(), *complete]}
    assert set(re.findall(r"\b[0-9a-f]{64}\b", text)) == expected
    for path, entry in manifest.files.items():
        row = f"| `{path}` | {entry['bytes']:,} | `{entry['sha256']}` |"
        assert text.count(row) == 1


def test_complete_files_are_rebuilt_from_these_parts_in_this_order():
    manifest = make_manifest()
    text = usage.usage_text(manifest)
    for name in manifest.domains:
        parts = ", ".join(f'"{p}"' for p in manifest.paths("parts", name))
        sha256 = manifest.domains[name]["complete"]["sha256"]
        entries = re.findall(
            rf'"{name}"[^"]*"{sha256}"[^"]*{re.escape(parts)}', text
        )
        assert len(entries) == len(PLATFORMS)


def test_a_pack_based_on_a_domain_is_listed_with_it():
    forms = ("models", "packs")
    manifest = make_manifest(forms, pack_base="models/dtd.tflite")
    updates = section(usage.usage_text(manifest), "Updates over the air")
    assert paths_in(updates) == {"packs/vgg-flowers.pack", "models/dtd.tflite"}


# === The texts ===


@every_choice
def test_everything_is_filled_in(forms):
    text = usage.usage_text(make_manifest(forms))
    assert not re.findall(r"@\w+@|{{|{%", text)
    assert text.count("```") % 2 == 0
    for platform in PLATFORMS:
        assert platform in text
    assert text.count("Our tests do not") == len(PLATFORMS)
    for name in CLASSES:
        assert f"`{name}`" in text


@pytest.mark.parametrize(
    ("dtype", "words"),
    [
        ("uint8", ("writeInt8", "[UInt8]", "Uint8Array.from(rgba")),
        ("float32", ("writeFloat", "[Float]", "Float32Array.from(rgba")),
    ],
)
def test_the_snippets_make_the_inputs_that_the_networks_take(dtype, words):
    text = usage.usage_text(make_manifest(dtype=dtype))
    for word in words:
        assert word in text
    assert f"`{dtype}` of shape (1, 72, 48, 3)" in text
    assert "[1, 72, 48, 3]" in text
    # width before height, where a picture is drawn
    assert "createScaledBitmap(small, 48, 72, true)" in text
    assert "width: 48, height: 72" in text
    assert "OffscreenCanvas(48, 72)" in text
    # of the centre, as in training: nothing is stretched
    assert "proportions 48:72" in text
    assert "minOf(bitmap.width / 48f, bitmap.height / 72f)" in text
    assert "max(48 / image.size.width, 72 / image.size.height)" in text
    assert "Math.min(bitmap.width / 48, bitmap.height / 72)" in text


# How each platform's lines shrink in steps or by a filter that antialiases,
# turn photos as EXIF says, and hand MediaPipe the result.
AS_IN_TRAINING = {
    "Python": ("exif_transpose", "ImageOps.fit", "centre("),
    "Android (Kotlin)": (
        "ImageDecoder.decodeBitmap",
        "small.width / 2, small.height / 2",
        "val image = centre(decoded(",
        "BitmapImageBuilder(image)",
        "    centre(bitmap)\n        .getPixels(",
    ),
    "iOS (Swift)": (
        "image.draw(in:",
        "interpolationQuality = .high",
        "MPImage(uiImage: centre(image))",
        "centre(image).cgImage!",
    ),
    "Browser (JavaScript)": (
        "imageOrientation: 'from-image'",
        "Math.floor(width / 2)",
        "classify(await centre(file))",
        "(await centre(image)).getContext",
    ),
}


@pytest.mark.parametrize("platform", AS_IN_TRAINING)
def test_photos_are_turned_and_shrunk_as_in_training(platform):
    lines = section(usage.usage_text(make_manifest()), platform)
    for sign in AS_IN_TRAINING[platform]:
        assert sign in lines


def python_lines():
    text = usage.usage_text(make_manifest())
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return code


def test_python_lines_are_valid():
    compile(python_lines(), "USAGE.md", "exec")


def test_python_lines_show_what_training_shows(tmp_path):
    """A photo that lies on its side, larger than the network's 72 by 48."""
    rng = np.random.default_rng(0)
    photo = Image.fromarray(rng.integers(0, 256, (400, 700, 3), np.uint8))
    exif = photo.getexif()
    exif[274] = 6  # Orientation: to be turned by a quarter
    photo.save(tmp_path / "p.png", exif=exif)
    tree = ast.parse(python_lines())
    tree.body = [
        node
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef)
    ]
    names = {}
    exec(compile(tree, "USAGE.md", "exec"), names)
    found = names["centre"](tmp_path / "p.png")
    upright = rgb_from_file(tmp_path / "p.png")
    assert upright.shape == (700, 400, 3)
    middle = upright[50:650]  # of the proportions 48:72
    expected = resized(middle, (72, 48))
    assert found.shape == expected.shape
    # (Pillow looks a little over the edge of what it cuts out.)
    np.testing.assert_array_equal(found[1:-1], expected[1:-1])


def test_the_bytes_are_the_same_each_time(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    usage.write(tmp_path, make_manifest())
    usage.write(other, make_manifest())
    content = (tmp_path / "USAGE.md").read_bytes()
    assert content == (other / "USAGE.md").read_bytes()
    assert b"\r" not in content


# === Names of classes ===

HOSTILE = [
    "a|b",
    "\\",
    "\\|",
    "`code`",
    "line\nbreak | x |",
    "{{ domain }}",
    "<script>",
    "[link](http://x)",
    "x" * 1000,
]


@pytest.mark.parametrize("name", HOSTILE, ids=repr)
def test_names_of_classes_do_not_break_the_table(name):
    text = usage.usage_text(make_manifest(classes={"dtd": [name, "other"]}))
    table = section(text, "Classes").strip().splitlines()
    assert [len(cells(line)) for line in table] == [3, 3, 3]
    last = cells(table[-1])[-1]
    assert last.endswith(", other ")
    assert len(last) < 120
    assert not re.search(r"(?<!\\)[`<\[]", last)


def test_many_classes_are_cut_short():
    names = [f"class {i}" for i in range(1000)]
    text = usage.usage_text(make_manifest(classes={"imagenet": names}))
    row = section(text, "Classes").strip().splitlines()[-1]
    assert cells(row)[1].strip() == "1000"
    assert row.endswith("class 3, class 4, ... |")
