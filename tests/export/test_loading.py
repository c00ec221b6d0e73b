"""The loader runs every form of an export, without Keras and TensorFlow."""

import os
import subprocess
import sys

import keras_mdl_export
import numpy as np
import pytest
import tiny_export
from keras_mdl_export import load
from tiny_export import DOMAINS, FORMS, expected, images, make_export


@pytest.fixture(scope="module", params=["float32", "uint8"])
def export(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    make_export(folder, request.param)
    return folder


@pytest.fixture
def floats(tmp_path):
    make_export(tmp_path)
    return tmp_path


# === Answers ===


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_right_scores(export, form):
    classifiers = load(export, form)
    assert list(classifiers) == list(DOMAINS)
    pixels = images(n=3)
    for name, classifier in classifiers.items():
        scores = classifier(pixels)
        assert scores.dtype == np.float32
        assert scores.shape == (3, len(DOMAINS[name]))
        np.testing.assert_allclose(scores, expected(name, pixels), atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_domains_and_images_take_turns(export, form):
    classifiers = load(export, form, threads=2)
    pixels = images(n=2, seed=5)
    for name in ["dtd", "svhn", "dtd", "svhn"]:
        for n in (1, 2):
            np.testing.assert_allclose(
                classifiers[name](pixels[:n]),
                expected(name, pixels[:n]),
                atol=1e-5,
            )


def test_what_a_classifier_says_about_itself(export):
    classifier = load(export)["dtd"]
    assert classifier.name == "dtd"
    assert classifier.classes == tuple(DOMAINS["dtd"])
    assert classifier.input_shape == (1, 8, 8, 3)
    assert classifier.input_dtype == export.name[:-1]
    assert "'dtd': 3 classes" in repr(load(export))


def test_top_names_the_best_classes_first(export):
    pixels = images(n=1)
    classifier = load(export)["dtd"]
    scores = expected("dtd", pixels)[0]
    order = np.argsort(-scores)
    top = classifier.top(pixels[0])
    assert [name for name, _ in top] == [DOMAINS["dtd"][i] for i in order]
    np.testing.assert_allclose([s for _, s in top], scores[order], atol=1e-5)
    assert classifier.top(pixels, k=1) == top[:1]


def test_one_image_none_and_any_numbers_in_range(export):
    classifier = load(export)["svhn"]
    pixels = images(n=1)
    right = classifier(pixels)
    assert (classifier(pixels[0]) == right).all()
    assert classifier(pixels[:0]).shape == (0, 2)
    for dtype in ("int64", "float64", "float32"):
        assert (classifier(pixels.astype(dtype)) == right).all()
    assert (classifier(pixels[0].tolist()) == right).all()
    flipped = pixels[:, :, ::-1]
    assert (classifier(flipped) == classifier(flipped.copy())).all()


def test_fractions_suit_a_float_network_only(export):
    classifier = load(export)["dtd"]
    pixels = images("float32") / 2
    if classifier.input_dtype == "float32":
        np.testing.assert_allclose(
            classifier(pixels), expected("dtd", pixels), atol=1e-5
        )
    else:
        with pytest.raises(ValueError, match=r"uint8 input.*multiply by 255"):
            classifier(pixels)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((2, 9, 8, 3), "uint8"), r"8, 8, 3\).*\(2, 9, 8, 3\)"),
        (np.zeros((8, 8), "uint8"), r"8, 8, 3\).*\(8, 8\)"),
        (np.zeros((8, 8, 4), "uint8"), r"8, 8, 3\).*\(1, 8, 8, 4\)"),
        (np.full((8, 8, 3), -1.0), "0 to 255.*-1"),
        (np.full((8, 8, 3), 256), "0 to 255.*256"),
        (np.full((8, 8, 3), np.nan), "0 to 255.*nan"),
        (np.full((8, 8, 3), np.inf), "0 to 255.*inf"),
        (np.full((8, 8, 3), True), "numbers.*bool"),
        (np.full((8, 8, 3), "a"), "numbers.*<U1"),
    ],
)
def test_images_that_do_not_fit_are_refused(export, pixels, message):
    with pytest.raises(ValueError, match=message):
        load(export)["dtd"](pixels)


@pytest.mark.parametrize("k", [0, -1, 1.5, True, None])
def test_top_refuses_other_numbers(export, k):
    with pytest.raises(ValueError, match="`k`"):
        load(export)["dtd"].top(images(n=1), k=k)


def test_top_refuses_several_images(export):
    with pytest.raises(ValueError, match=r"one image.*2"):
        load(export)["dtd"].top(images(n=2))


# === Which files ===


@pytest.mark.parametrize("form", FORMS)
def test_the_first_form_that_is_there_is_the_default(tmp_path, form):
    make_export(tmp_path)
    order = dict(
        zip(
            FORMS,
            ("models", "parts/*.prefix", "bundle*", "packs"),
            strict=True,
        )
    )
    for earlier in FORMS[: FORMS.index(form)]:
        for path in tmp_path.glob(order[earlier]):
            path.rename(tmp_path / f"gone_{earlier}_{path.name}")
    pixels = images()
    scores = load(tmp_path)["dtd"](pixels)
    np.testing.assert_allclose(scores, expected("dtd", pixels), atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_a_form_needs_no_file_of_the_others(tmp_path, form):
    forms = (form, "models") if form == "packs" else (form,)
    manifest = make_export(tmp_path, forms=forms)
    assert manifest.forms() == tuple(f for f in FORMS if f in forms)
    pixels = images()
    for name, classifier in load(tmp_path, form).items():
        np.testing.assert_allclose(
            classifier(pixels), expected(name, pixels), atol=1e-5
        )


def test_missing_forms_are_named(tmp_path):
    make_export(tmp_path, forms=("bundle",))
    with pytest.raises(ValueError, match=r"'bundle' \(of .*'packs'"):
        load(tmp_path, "models")
    (tmp_path / "bundle.tflite").unlink()
    with pytest.raises(FileNotFoundError, match=r"bundle\.tflite"):
        load(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"manifest\.json"):
        load(tmp_path / "models")


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="needs seteuid")
def test_a_folder_that_may_not_be_looked_into_counts_as_missing(
    floats, monkeypatch
):
    monkeypatch.chdir(floats)
    floats.chmod(0o755)
    user = os.geteuid()
    (floats / "models").chmod(0)
    try:
        if user == 0:  # who may look into everything
            os.seteuid(65534)
        assert load(".")["dtd"](images()).shape == (2, 3)
        with pytest.raises(ValueError, match=r"models/dtd.*cannot be read"):
            load(".", "models")["dtd"](images())
    finally:
        os.seteuid(user)
        (floats / "models").chmod(0o755)


def test_only_the_domains_in_use_are_read(floats):
    (floats / "models/svhn.tflite").unlink()
    classifiers = load(floats, "models")
    assert classifiers["dtd"](images()).shape == (2, 3)
    with pytest.raises(FileNotFoundError, match=r"svhn\.tflite"):
        classifiers["svhn"](images())


def test_unknown_domains_are_refused(floats):
    with pytest.raises(KeyError, match=r"'cars'.*'dtd', 'svhn'"):
        load(floats)["cars"]
    assert load(floats).get("cars") is None


@pytest.mark.parametrize("threads", [0, -1, 1.0, True, "2"])
def test_threads_are_a_number(floats, threads):
    with pytest.raises(ValueError, match="`threads`"):
        load(floats, threads=threads)


# === A network that is not the manifest's ===


def test_networks_of_another_shape_are_refused(tmp_path, floats):
    other = tmp_path / "other"
    other.mkdir()
    make_export(other, "uint8")
    make_export(floats, forms=("models", "bundle"))
    for path in ("bundle.tflite", "models/dtd.tflite"):
        tiny_export.replace_file(floats, path, (other / path).read_bytes())
    for form in ("bundle", "models"):
        with pytest.raises(ValueError, match=r"float32.*uint8"):
            load(floats, form)["dtd"](images())


@pytest.mark.parametrize("form", ["models", "bundle"])
@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("place", [0, 4, 8, 24, 64])
def test_what_is_no_flatbuffer_is_refused(tmp_path, form, cached, place):
    # The hashes are right, and `CompiledModel` alone would crash.
    manifest = make_export(tmp_path, forms=(form,))
    path = manifest.paths(form, "dtd")[0]
    content = (tmp_path / path).read_bytes()
    content = content[:place] + b"\xff" * 40 + content[place + 40 :]
    tiny_export.replace_file(tmp_path, path, content)
    cache = tmp_path / "cache" if cached and form != "bundle" else None
    with pytest.raises(ValueError, match=r"dtd|bundle"):
        load(tmp_path, form, weight_cache=cache)["dtd"](images())


@pytest.mark.parametrize("cached", [False, True])
def test_a_file_of_another_domain_is_refused(tmp_path, cached):
    # As if someone had exchanged two domains of equal classes: every hash and
    # every shape is right.
    tiny_export.make_export(tmp_path, forms=("models",))
    own = np.ones((3, 16), "float32")
    other = tiny_export.tflite({"svhn": own})
    tiny_export.replace_file(tmp_path, "models/dtd.tflite", other)
    cache = tmp_path / "cache" if cached else None
    with pytest.raises(ValueError, match=r"signatures \['dtd'\].*'svhn'"):
        load(tmp_path, "models", weight_cache=cache)["dtd"](images())


def test_a_bundle_of_other_domains_is_refused(floats):
    only = tiny_export.tflite({"dtd": np.zeros((3, 16), "float32")})
    tiny_export.replace_file(floats, "bundle.tflite", only)
    with pytest.raises(ValueError, match=r"'svhn'.*Received.*'dtd'"):
        load(floats, "bundle")["dtd"](images())


# === The weight cache ===


@pytest.mark.parametrize("form", ["models", "parts", "packs"])
def test_a_weight_cache_changes_no_answer(export, form, tmp_path):
    cache = tmp_path / "new" / "cache"
    pixels = images()
    before = set()
    for _ in range(2):
        for name, classifier in load(export, form, weight_cache=cache).items():
            np.testing.assert_allclose(
                classifier(pixels), expected(name, pixels), atol=1e-5
            )
        files = set(os.listdir(cache))
        assert len(files) == len(DOMAINS)
        assert all(len(f) == len("x" * 64 + ".xnnpack") for f in files)
        assert before in (set(), files)
        before = files


def test_a_bundle_has_no_weight_cache(export, tmp_path):
    with pytest.raises(ValueError, match=r"`weight_cache`.*bundle"):
        load(export, "bundle", weight_cache=tmp_path)


# === What is imported ===


def _modules_after(code, *arguments):
    code += (
        "\nimport sys; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(result.stdout.splitlines()[-1].split())


def test_loading_imports_no_training_framework(floats):
    code = """
import sys, numpy, keras_mdl_export
for form in ("models", "parts", "bundle", "packs"):
    classifiers = keras_mdl_export.load(sys.argv[1], form)
    classifiers["dtd"].top(numpy.zeros((8, 8, 3), "uint8"))
"""
    modules = _modules_after(code, floats)
    assert "keras_mdl_export" in modules
    assert not modules & {"tensorflow", "keras", "keras_mdl", "jax", "torch"}


def test_the_package_itself_imports_the_standard_library_only():
    modules = _modules_after("import keras_mdl_export")
    assert not modules & {"numpy", "ai_edge_litert", "zstandard", "keras_mdl"}


def test_zstandard_is_for_packs_only(floats):
    code = """
import sys, numpy, keras_mdl_export
sys.modules["zstandard"] = None
classifiers = keras_mdl_export.load(sys.argv[1])
classifiers["dtd"].top(numpy.zeros((8, 8, 3), "uint8"))
"""
    _modules_after(code, floats)


def test_the_public_names():
    assert keras_mdl_export.__all__ == [
        "Manifest",
        "apply_pack",
        "export",
        "installed",
        "load",
        "make_pack",
        "roll_back",
        "update",
    ]
    assert {*keras_mdl_export.__all__} <= {*dir(keras_mdl_export)}
    with pytest.raises(AttributeError, match="no attribute 'exprt'"):
        keras_mdl_export.exprt  # noqa: B018
