"""`evaluate --report`, `dissect`, `explain`, `changes`: pages and refusals."""

import csv
import json

import keras
import pytest

from keras_mdl.cli import main

tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="tf-keras-vis needs TensorFlow",
)


def test_evaluate_writes_a_page_for_models_and_exports(
    run, two, images, tmp_path
):
    phone, page = tmp_path / "phone", tmp_path / "mistakes.html"
    data = ("--data", images["shades"])
    made = main(
        ["export", str(two), "--data", str(images["shades"]), "--leave-out",
         "colours", "--forms", "models", "--out", str(phone)]
    )  # fmt: skip
    assert made == 0
    argv = (*data, "--report", page, "--overwrite", "--json")
    found = []
    for network in (two, phone):
        status, out, err = run("evaluate", network, *argv)
        assert status == 0, err
        found.append(json.loads(out)["results"])
        text = page.read_text()
        for shown in ("taken for", "precision", "calibration", "largest loss"):
            assert shown in text
        assert "shades" in text
    for ours, exported in zip(*found, strict=True):
        assert ours["accuracy"] == pytest.approx(exported["accuracy"], abs=0.1)
        assert ours["loss"] == pytest.approx(exported["loss"], rel=0.1)
        assert ours["mistakes"]["images"] == ours["images"]
        rows = ours["mistakes"]["per_class"]
        assert sum(r["images"] for r in rows) == ours["images"]
    status, _, err = run("evaluate", two, *data, "--report", page)
    assert status == 2
    assert "exists already" in err
    status, _, err = run("evaluate", two, *data, "--report", "page.pdf")
    assert status == 2
    assert "ends in .html" in err


def test_dissect_writes_tables_and_a_page(run, two, tmp_path):
    out = tmp_path / "seen"
    argv = ("dissect", "--model", two, "--images", "6", "--out", out)
    status, said, err = run(*argv, "--layers", "1", "conv2", "--json")
    assert status == 0, err
    with open(out / "layers.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    assert [(r["domain"], r["layer"], r["half"]) for r in rows] == [
        (domain, *layer)
        for domain in ("colours", "shades")
        for layer in (("1", "depthwise"), ("1", "pointwise"), ("conv2", ""))
    ]
    assert [r["units"] for r in rows[:3]] == ["3", "4", "8"]
    with open(out / "units.csv", newline="") as f:
        units = list(csv.DictReader(f))
    assert len(units) == sum(int(r["units"]) for r in rows)
    for row in json.loads(said)["layers"]:
        own = [u for u in units if (u["domain"], u["layer"], u["half"]) == (
            row["domain"], row["layer"], row["half"])]  # fmt: skip
        detectors = [u for u in own if u["detector"] == "True"]
        assert row["detectors"] == len(detectors)
        concepts = {(u["category"], u["concept"]) for u in detectors}
        assert row["unique_detectors"] == len(concepts)
    assert "by chance" in (out / "report.html").read_text()
    # At an IoU that anything has, chance is all of it.
    few = "6 images are too few to say what units detect"
    assert few not in err
    status, _, err = run(*argv, "--overwrite", "--detects", "1e-9")
    assert status == 0, err
    assert few in err
    assert {p.name for p in tmp_path.iterdir()} == {"seen"}
    status, _, err = run(*argv)
    assert status == 2
    assert "exists already" in err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--layers", "9"), "2 separable convolutions. Received: layer 9"),
        (("--layers", "conv7"), "has conv1/depthwise, conv1"),
        (("--domain", "x"), "'colours', 'shades'"),
        (("--probe", "nowhere"), "is no Broden data set"),
        (("--probe", "nowhere", "--images", "3"), "--probe embedded"),
    ],
)
def test_dissect_refuses_before_it_begins(run, two, tmp_path, more, message):
    status, _, err = run("dissect", two, "--out", tmp_path / "o", *more)
    assert status == 2, err
    assert message in err
    assert list(tmp_path.iterdir()) == []


@tensorflow
def test_explain_writes_pictures_of_all_domains(run, two, images, tmp_path):
    pytest.importorskip("tf_keras_vis")
    paths = [images["colours"] / "red" / f"{i}.png" for i in (0, 1)]
    out = tmp_path / "why"
    status, said, err = run(
        "explain", *paths, "--model", two, "--out", out, "--json"
    )
    assert status == 0, err
    result = json.loads(said)
    assert len(result["explanations"]) == 4
    for row in result["explanations"]:
        assert tmp_path in (out / row["picture"]).parents
        assert (out / row["picture"]).is_file()
    assert set(result["similarity_to_random_weights"]) == {"colours", "shades"}
    assert "shuffled weights" in (out / "report.html").read_text()


@tensorflow
def test_explain_refuses_before_it_begins(run, two, images, tmp_path):
    path, text = images["colours"] / "red" / "0.png", tmp_path / "t.png"
    text.write_text("no picture")
    for argv, message in (
        ((path, "--layer", "conv9"), "The network has conv1/depthwise"),
        ((path, "--label", "red"), "--label is a class of one --domain"),
        ((path, "--domain", "shades", "--label", "red"), "has dark, light"),
        ((text,), "Cannot read the image"),
        ((), "required: IMAGE"),
    ):
        status, _, err = run(
            "explain", *argv, "--model", two, "--out", tmp_path / "o"
        )
        assert status == 2, err
        assert message in err
    assert [p.name for p in tmp_path.iterdir()] == ["t.png"]


def test_changes_says_what_moved(run, two, base, images, tmp_path):
    out = tmp_path / "changes.html"
    status, said, err = run(
        "changes", two, "--data", images["shades"], "--out", out, "--json"
    )
    assert status == 0, err
    result = json.loads(said)
    assert {r["domain"] for r in result["moved"]} == {"shades"}
    assert result["feature_similarity"]["colours"]["colours"] == pytest.approx(
        1
    )
    assert [r["layer"] for r in result["importance"]["shades"]] == [
        "conv1", "conv2",
    ]  # fmt: skip
    assert "which layers matter" in out.read_text()
    status, _, err = run("changes", base, "--out", tmp_path / "c.html")
    assert status == 2
    assert "nothing to compare" in err
