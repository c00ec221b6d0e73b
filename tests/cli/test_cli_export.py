"""`export`: from a saved model and class folders to files, or a reason."""

import json

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from keras_mdl_export import load


def command(two, images, out, *more):
    return (
        "export", "--model", two, "--data", images["colours"],
        images["shades"], "--out", out, *more,
    )  # fmt: skip


def test_it_writes_what_load_reads(run, two, images, tmp_path):
    out, key = tmp_path / "phone", Ed25519PrivateKey.generate()
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    public = key.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    status, said, err = run(
        *command(two, images, out, "--json", "--export-version", 7,
                 "--signing-key",
                 tmp_path / "key.pem", "--private-bits", "fine")
    )  # fmt: skip
    assert status == 0, err
    result = json.loads(said)
    assert [d["private_bits"] for d in result["domains"]] == ["fine", "fine"]
    assert json.loads((out / "manifest.json").read_text())["version"] == 7
    assert [d["domain"] for d in result["domains"]] == ["colours", "shades"]
    assert all(d["shared"] == 1 for d in result["domains"])
    # A third of 12 pictures of each class or less was set aside.
    assert all(0 < d["images"] < 36 for d in result["domains"])
    found = load(out, public_key=public)["shades"]
    assert found.classes == ("dark", "light")
    assert found(np.zeros((16, 16, 3), "uint8")).shape == (1, 2)
    assert "signature" in (out / "USAGE.md").read_text().lower()
    card = (out / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: tflite\n")
    assert "blue 10, green 10, red 10" in card


def test_modes_and_forms(run, two, images, tmp_path):
    out = tmp_path / "phone"
    status, said, err = run(
        *command(two, images, out, "--mode", "float32", "--forms", "models",
                 "--input-dtype", "float32", "--output", "logits")
    )  # fmt: skip
    assert status == 0, err
    assert "trunk shared" in said
    assert f"wrote {out}" in said
    assert {p.name for p in out.iterdir()} == {
        "manifest.json",
        "README.md",
        "USAGE.md",
        "models",
    }
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["input"]["dtype"] == "float32"
    assert manifest["output"] == "logits"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--mode", "int4"), "Known modes: dyn_conv"),
        (("--forms", "zip"), "models, parts, bundle, packs"),
        (("--pack-base", "x"), "None, colours, shades"),
        (("--min-shared", "2"), r"a number in [0, 1)"),
        (("--private-bits", "tiny"), "auto, full, fine"),
        (("--signing-key", "no.pem"), "no.pem"),
        (("--export-version", "0"), "a whole number from 1 on"),
    ],
)
def test_unknown_choices(run, two, images, tmp_path, more, message):
    status, _, err = run(*command(two, images, tmp_path / "e", *more))
    assert status == 2
    assert message in err
    assert not (tmp_path / "e").exists()


def test_every_domain_needs_images(run, two, images, tmp_path):
    status, _, err = run(
        "export", "--model", two, "--data", images["colours"], "--out",
        tmp_path / "e",
    )  # fmt: skip
    assert status == 2
    assert "Missing in --data: shades" in err


def test_images_of_another_domain_are_refused(run, two, images, tmp_path):
    for data, message in (
        (f"cats={images['shades']}", "no domain 'cats'"),
        (
            f"colours={images['shades']}",
            "classes than the domain 'colours'",
        ),
    ):
        status, _, err = run(
            "export", "--model", two, "--data", data, "--out", tmp_path / "e"
        )
        assert status == 2
        assert message in err


def test_a_folder_that_is_there_stays(run, two, images, tmp_path):
    out = tmp_path / "documents"
    out.mkdir()
    (out / "thesis.tex").touch()
    for more in ((), ("--overwrite",)):
        status, _, err = run(*command(two, images, out, *more))
        assert status == 2
        assert str(out) in err
        assert "overwrite=True" not in err
        assert [p.name for p in out.iterdir()] == ["thesis.tex"]


def test_too_few_images_to_calibrate(run, two, images, tmp_path):
    status, _, err = run(
        *command(two, images, tmp_path / "e", "--mode", "int8")
    )
    assert status == 2
    assert "100 training images" in err
    assert not (tmp_path / "e").exists()


def test_without_the_extra_it_says_what_to_install(
    run, two, images, tmp_path, monkeypatch
):
    find = "keras_mdl.runs.exporting.importlib.util.find_spec"
    monkeypatch.setattr(find, lambda name: None)
    status, _, err = run(*command(two, images, tmp_path / "e"))
    assert status == 1
    assert "pip install 'keras-mdl[export]'" in err
