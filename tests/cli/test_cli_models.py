"""`evaluate`, `predict`, `summary` and the verbs that take domains apart."""

import json

import numpy as np
import pytest
from PIL import Image

from keras_mdl import load_model
from keras_mdl.data import Preprocess, from_folder


def test_evaluate_every_domain(run, two, images):
    status, out, err = run(
        "evaluate", "--model", two, "--json",
        "--data", images["colours"], images["shades"],
    )  # fmt: skip
    assert status == 0, err
    rows = json.loads(out)["results"]
    assert [r["domain"] for r in rows] == ["colours", "shades"]
    assert all(0 <= r["accuracy"] <= 1 and r["loss"] > 0 for r in rows)


def test_evaluate_agrees_with_keras(run, two, images):
    _, out, _ = run(
        "evaluate", "--model", two, "--json", "--data", images["colours"]
    )
    row = json.loads(out)["results"][0]
    view = load_model(two)["colours"]
    view.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    data = from_folder(images["colours"])
    loss, accuracy = view.evaluate(
        data.batches("validation", preprocess=Preprocess.default(16)),
        verbose=0,
    )
    assert row["accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert row["loss"] == pytest.approx(loss, rel=1e-4)


def test_evaluate_under_another_name(run, two, images):
    status, out, _ = run(
        "evaluate", "--model", two, "--data", f"shades={images['shades']}"
    )
    assert status == 0
    assert "shades" in out


def test_evaluate_warns_of_other_class_names(run, two, images, tmp_path):
    for old, new in (("dark", "noir"), ("light", "blanc")):
        folder = tmp_path / "shades" / new
        folder.mkdir(parents=True)
        for file in (images["shades"] / old).iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
    status, _, err = run(
        "evaluate", "--model", two, "--data", tmp_path / "shades"
    )
    assert status == 0
    assert "class names" in err


def _saved(folder, mode):
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (20, 30), np.uint8)
    if mode == "I;16":
        picture = Image.fromarray(grey.astype(np.uint16) * 257)
    else:
        picture = Image.fromarray(grey).convert(mode)
    suffix = "tif" if mode == "CMYK" else "png"
    path = folder / f"{mode.replace(';', '')}.{suffix}"
    picture.save(path)
    return path


def test_predict_takes_every_kind_of_image(run, two, tmp_path):
    modes = ("RGB", "L", "LA", "RGBA", "I;16", "CMYK", "P", "1")
    paths = [_saved(tmp_path, mode) for mode in modes]
    status, out, err = run(
        "predict", *paths, "--model", two, "--domain", "colours", "--json"
    )
    assert status == 0, err
    rows = json.loads(out)["images"]
    assert [r["image"] for r in rows] == [str(p) for p in paths]
    for row in rows:
        values = [p["probability"] for p in row["predictions"]]
        assert len(values) == 3
        assert values == sorted(values, reverse=True)
        assert sum(values) == pytest.approx(1, abs=1e-4)
    # Grey is grey, however it is stored.
    by_mode = {m: r["predictions"] for m, r in zip(modes, rows, strict=True)}
    for mode in ("L", "LA", "RGBA", "I;16", "CMYK"):
        for a, b in zip(by_mode[mode], by_mode["RGB"], strict=True):
            assert a["class"] == b["class"]
            assert a["probability"] == pytest.approx(b["probability"], abs=0.02)


def test_predict_top(run, two, images):
    path = images["colours"] / "red" / "0.png"
    status, out, _ = run(
        "predict", path, "--model", two, "--domain", "shades", "--top", 1
    )
    assert status == 0
    line = out.strip().splitlines()[-1]
    assert line.startswith(str(path))
    assert line.count("%") == 1


def test_summary(run, two):
    status, out, _ = run("summary", "--model", two)
    assert status == 0
    assert "colours: 3 classes (blue, green, red)" in out
    status, out, _ = run("summary", "--model", two, "--json")
    result = json.loads(out)
    assert [d["name"] for d in result["domains"]] == ["colours", "shades"]
    assert result["fingerprint"] == load_model(two).fingerprint()
    assert {r["owner"] for r in result["parameters"]} == {
        "trunk", "colours", "shades",
    }  # fmt: skip


def test_save_remove_load_round_trip(run, two, tmp_path):
    slot, narrow, again = (
        tmp_path / n for n in ("s.safetensors", "one.keras", "again.keras")
    )
    before = load_model(two).fingerprint()
    args = ("--model", two, "--domain", "shades")
    assert run("save-domain", *args, "--out", slot)[0] == 0
    assert run("remove-domain", *args, "--out", narrow)[0] == 0
    assert list(load_model(narrow)) == ["colours"]
    status, out, err = run(
        "load-domain", "--model", narrow, "--domain-file", slot,
        "--out", again, "--json",
    )  # fmt: skip
    assert status == 0, err
    assert json.loads(out)["added"] == "shades"
    assert load_model(again).fingerprint() == before
    for path in (slot, narrow, again):
        assert path.with_name(path.name + ".run.yaml").is_file()


def test_load_domain_refuses_another_trunk(run, two, images, tmp_path):
    slot, other = tmp_path / "s.safetensors", tmp_path / "other.keras"
    run("save-domain", "--model", two, "--domain", "shades", "--out", slot)
    run(
        "train", "--data", images["colours"], "--out", other, "--size", 16,
        "--epochs", 1, "--seed", 7,
    )  # fmt: skip
    status, _, err = run(
        "load-domain", "--model", other, "--domain-file", slot,
        "--out", tmp_path / "m.keras",
    )  # fmt: skip
    assert status == 2
    assert "another trunk" in err
    assert not (tmp_path / "m.keras").exists()
