"""`evaluate`, `predict`, `summary` and the verbs that take domains apart."""

import csv
import json
import shutil
import sys

import numpy as np
import pytest
import tiny
from PIL import Image

from keras_mdl import load_model
from keras_mdl.cli.inputs import matched
from keras_mdl.cli.saved import open_saved
from keras_mdl.data import Preprocess, from_folder, load
from keras_mdl.runs.fitting import evaluate


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


def test_evaluate_as_apps_shrink(run, two, images):
    status, out, err = run(
        "evaluate", two, "--data", images["colours"], "--json",
        "--resize", "plain",
    )  # fmt: skip
    assert status == 0, err
    data = from_folder(images["colours"])
    plan = Preprocess.default(16, antialias=False)
    done = evaluate(load_model(two)["colours"], data, 16, preprocess=plan)
    row = json.loads(out)["results"][0]
    assert row["loss"] == pytest.approx(done.loss, rel=1e-4)


def test_evaluate_under_another_name(run, two, images):
    status, out, _ = run(
        "evaluate", "--model", two, "--data", f"shades={images['shades']}"
    )
    assert status == 0
    assert "shades" in out


def _renamed(images, folder, names):
    """`shades` with other names of classes; no name leaves a class out."""
    for old, new in zip(("dark", "light"), names, strict=True):
        for file in (images["shades"] / old).iterdir() if new else ():
            (folder / new).mkdir(parents=True, exist_ok=True)
            (folder / new / file.name).write_bytes(file.read_bytes())
    return folder


def test_other_class_names_are_refused(run, two, images, tmp_path):
    folder = _renamed(images, tmp_path / "shades", ("noir", "light"))
    status, _, err = run("evaluate", two, "--data", folder)
    assert status == 2
    assert "unknown ['noir']" in err
    assert "Known classes: 'dark', 'light'" in err


def test_classes_match_by_name_and_may_be_some_of_them(run, tmp_path):
    # A network that has learnt nothing knows its classes apart all the same.
    path, colours = tmp_path / "m.keras", {"b": 60, "d": 180, "a": 0}
    model = tiny.tiny_model({"x": ["a", "b", "c", "d"]})
    tiny.randomize(model).save(path)
    for name, grey in colours.items():
        tiny.write_images(
            tmp_path / "x", {name: (grey, 0, 255 - grey)}, 9, (8, 8)
        )
    argv = ("evaluate", path, "--data", tmp_path / "x", "--json")
    status, out, err = run(*argv, "--split", "train")
    assert status == 0, err
    data = load(f"folder:{tmp_path}/x")
    names = np.array(data.domain.classes)[data.labels("train")]
    warned = []  # as `share` and `export` do
    same = matched(data, open_saved(path), "x", warn=warned.append)
    assert warned == ["1 of 4 classes of 'x' have no images here: c"]
    assert (np.array(["a", "b", "c", "d"])[same.labels("train")] == names).all()
    view = load_model(path)["x"]
    logits = view.predict(
        data.batches("train", preprocess=Preprocess.default(8)), verbose=0
    )
    answers = np.array(["a", "b", "c", "d"])[logits.argmax(-1)]
    expected = float(np.mean(answers == names))
    assert json.loads(out)["results"][0]["accuracy"] == pytest.approx(
        expected, abs=1e-6
    )


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


def test_a_model_is_the_first_argument(run, two, images):
    path = images["colours"] / "red" / "0.png"
    flag = run("predict", path, "--model", two, "--domain", "shades")
    assert run("predict", two, path, "--domain", "shades") == flag
    assert run("summary", two) == run("summary", "--model", two)
    assert flag[0] == 0


def test_predict_top(run, two, images):
    path = images["colours"] / "red" / "0.png"
    status, out, _ = run(
        "predict", path, "--model", two, "--domain", "shades", "--top", 1
    )
    assert status == 0
    line = out.strip().splitlines()[-1]
    assert line.startswith(str(path))
    assert line.count("%") == 1


def test_predict_a_folder_to_a_table(run, two, images, tmp_path, monkeypatch):
    module = sys.modules["keras_mdl.cli.verbs.predict"]
    monkeypatch.setattr(module, "_PORTION", 10)
    folder, table = tmp_path / "in", tmp_path / "out.csv"
    shutil.copytree(images["colours"], folder / "deep")
    (folder / "notes.txt").touch()
    argv = ("predict", two, folder, "--domain", "colours", "--csv", table)
    status, out, err = run(*argv, "--top", 2, "--json")
    assert status == 0, err

    def written():
        return list(csv.DictReader(table.read_text().splitlines()))

    rows = written()
    assert list(rows[0]) == [
        "image", "class_1", "probability_1", "class_2", "probability_2",
    ]  # fmt: skip
    paths = sorted(str(p) for p in folder.rglob("*.png"))
    assert [r["image"] for r in rows] == paths  # over all portions
    for row, one in zip(rows, json.loads(out)["images"], strict=True):
        best = one["predictions"][1]
        assert row["class_2"] == best["class"]
        assert float(row["probability_2"]) == best["probability"]
    status, _, err = run(*argv)
    assert status == 2
    assert "--overwrite" in err
    (folder / "broken.png").touch()
    status, _, err = run(*argv, "--overwrite")
    assert status == 2
    assert "broken.png" in err
    status, _, err = run(*argv, "--overwrite", "--on-bad-image", "skip")
    assert status == 0, err
    assert "warning: Cannot read the image" in err
    assert [r["image"] for r in written()] == paths
    (tmp_path / "empty").mkdir()
    status, _, err = run("predict", two, tmp_path / "empty", *argv[3:5])
    assert status == 2
    assert "No images in the folder" in err


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
