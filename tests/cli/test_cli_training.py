"""`train`, `add-domain`: what they write, and that nothing else changes."""

import json
import os
import shutil
import signal
import subprocess
import sys

import keras
import pytest
import tiny
import yaml
from PIL import Image

from keras_mdl import load_model
from keras_mdl.runs.isolation import IsolationTable

SIZE = 16


def test_train_writes_model_and_record(base):
    assert list(load_model(base)) == ["colours"]
    record = yaml.safe_load((base.parent / "base.keras.run.yaml").read_text())
    assert record["command"] == "train"
    assert record["settings"]["epochs"] == 2
    assert record["settings"]["seed"] == 0
    assert {"keras", "numpy", "python", "cpu"} <= set(record["environment"])
    assert len(record["result"]["history"]) == 2


def test_cards_know_all_domains_of_a_model(run, base, two, tmp_path):
    text = two.with_name("two.keras.card.md").read_text()
    assert text.startswith("---\nlibrary_name: keras\n")
    assert "keras-mdl train --data" in text  # of the model it began with
    assert "--learning-rate 0.01" in text
    assert "keras-mdl add-domain --model" in text
    assert "blue 10, green 10, red 10" in text
    assert "dark 10, light 10" in text
    for name in ("m.keras", "m.keras.run.yaml"):
        shutil.copy(base.with_name(f"base{name[1:]}"), tmp_path / name)
    # A record of other weights is not believed.
    record = tmp_path / "m.keras.run.yaml"
    digest = load_model(base).fingerprint()["domains/colours"]
    record.write_text(record.read_text().replace(digest, "0" * 64))
    status, _, err = run(
        "add-domain", tmp_path / "m.keras", "--data", "embedded:digits",
        "--epochs", 1, "--out", tmp_path / "new.keras",
    )  # fmt: skip
    assert status == 0, err
    text = (tmp_path / "new.keras.card.md").read_text()
    assert "| colours | 3 | not known |" in text
    assert "| digits | 10 | 1,347 | 450 |" in text


def test_record_repeats_the_run_bit_for_bit(run, base, tmp_path):
    again = tmp_path / "again.keras"
    record = base.parent / "base.keras.run.yaml"
    status, _, err = run("train", "--config", record, "--out", again)
    assert status == 0, err
    assert load_model(again).fingerprint() == load_model(base).fingerprint()


def test_add_domain_leaves_the_rest_bit_identical(base, two):
    before = load_model(base).fingerprint()
    after = load_model(two).fingerprint()
    assert set(after) == {*before, "domains/shades"}
    assert {part: after[part] for part in before} == before


def test_add_domain_prints_the_isolation_table(run, base, images, tmp_path):
    status, out, err = run(
        "add-domain", "--model", base, "--data", images["shades"], "--out",
        tmp_path / "m.keras", "--epochs", 1, "--name", "greys",
    )  # fmt: skip
    assert status == 0
    assert "greys trained" in out
    assert "compiling: " in out
    assert "warning: 4 validation images: an accuracy measured" in err
    assert "saved and loaded" in out
    assert "unchanged" in out


@pytest.mark.parametrize("method", ["classifier_only", "individual"])
def test_other_methods(run, base, images, tmp_path, method):
    path = tmp_path / "m.keras"
    status, out, err = run(
        "add-domain", "--model", base, "--data", images["shades"], "--out",
        path, "--epochs", 1, "--method", method, "--json",
    )  # fmt: skip
    assert status == 0, err
    result = json.loads(out)
    expected = ["shades"] if method == "individual" else ["colours", "shades"]
    assert result["domains"] == expected == list(load_model(path))
    assert result["isolated"] is True


def test_violated_isolation_writes_nothing(
    run, base, images, tmp_path, monkeypatch
):
    record = IsolationTable.record

    def broken(self, step, fingerprint, *args, **kwargs):
        if "trained" in step:
            fingerprint = {**fingerprint, "trunk": "0" * 64}
        return record(self, step, fingerprint, *args, **kwargs)

    monkeypatch.setattr(IsolationTable, "record", broken)
    status, _, err = run(
        "add-domain", "--model", base, "--data", images["shades"], "--out",
        tmp_path / "m.keras", "--epochs", 1,
    )  # fmt: skip
    assert status == 1
    assert "bit-identical" in err
    assert "trunk" in err
    assert not list(tmp_path.iterdir())


def test_tensorboard_devices_and_embedded_data(run, base, tmp_path):
    command = (
        "add-domain", "--model", base, "--data", "embedded:digits", "--out",
        tmp_path / "m.keras", "--epochs", 1, "--tensorboard", tmp_path / "tb",
    )  # fmt: skip
    status, _, err = run(*command, "--devices", 99)
    assert status == 2
    assert "Received: 99. Devices: " in err
    assert not list(tmp_path.glob("m*"))
    status, _, err = run(*command, "--devices", 1)
    assert status == 0, err
    assert list((tmp_path / "tb" / "digits").rglob("events*"))
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        assert not tf.distribute.has_strategy()


@pytest.mark.parametrize("command", ["train", "add-domain"])
def test_check_says_what_is_wrong_and_writes_nothing(
    run, base, images, tmp_path, command
):
    folder = tmp_path / "lamps"
    shutil.copytree(images["shades"], folder)
    shutil.copy(folder / "dark" / "0.png", folder / "light" / "copy.png")
    (folder / "dark" / "broken.png").write_text("no image")
    before = sorted(tmp_path.rglob("*"))
    model = [base] if command == "add-domain" else ["--size", SIZE]
    status, out, err = run(
        command, *model, "--data", folder, "--check", "--epochs", 3,
        "--batch-size", 8, "--json",
    )  # fmt: skip
    assert status == 0, err
    result = json.loads(out)
    kinds = [finding["kind"] for finding in result["findings"]]
    assert kinds[:2] == ["unreadable", "copies_across_classes"]
    assert f"warning: {result['findings'][1]['text']}" in err
    assert "8 images in a step; steps: 3 epochs x 2 = 6" in err
    assert result["seconds"] > 0
    assert sorted(tmp_path.rglob("*")) == before


def test_without_check_a_model_is_written(images, run):
    status, _, err = run("train", "--data", images["shades"], "--size", SIZE)
    assert status == 2
    assert "required: --out, or --check" in err


def test_interrupt_keeps_the_old_file(run, base, images, tmp_path, monkeypatch):
    path = tmp_path / "m.keras"
    path.write_text("old")

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("keras_mdl.runs.fitting.train", interrupted)
    status, _, err = run(
        "add-domain", "--model", base, "--data", images["shades"], "--out",
        path, "--epochs", 1, "--overwrite",
    )  # fmt: skip
    assert status == 130
    assert err.strip().endswith("error: interrupted")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["m.keras"]


# The command, dying at its twelfth step.
KILLED = """
import os, signal, sys
import tiny
from keras_mdl.cli import main
from keras_mdl.runs import networks, time_left
networks.NETWORKS = {"resnet26": tiny.tiny_network}
class Dies(time_left.TimeLeft):
    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        if self._step == 12:
            os.kill(os.getpid(), signal.SIGKILL)
time_left.TimeLeft = Dies
main(sys.argv[1:])
"""


@pytest.mark.parametrize("command", ["train", "add-domain"])
def test_killed_and_resumed_it_ends_as_it_would_have(
    run, base, images, tmp_path, command
):
    argv = {
        "train": ["--data", images["colours"], "--size", SIZE],
        "add-domain": [base, "--data", images["shades"]],
    }[command]
    argv = [command, *argv, "--epochs", 9, "--batch-size", 8, "--ema", 0.9,
            "--dropout", 0.5]  # fmt: skip
    whole, path = tmp_path / "whole.keras", tmp_path / "m" / "m.keras"
    path.parent.mkdir()
    status, _, err = run(*argv, "--out", whole)
    assert status == 0, err
    argv = [str(a) for a in (*argv, "--out", path)]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *argv],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    left = path.with_name("m.keras.resume.npz")
    assert left.exists()
    for more, message in (
        ((), "was interrupted: go on with it (--resume)"),
        (("--resume", "--learning-rate", 0.5), "differs in learning_rate"),
        (("--resume", "--seed", 1), "differs in"),
    ):
        status, _, err = run(*argv, *more)
        assert status == 2, err
        assert message in err
    status, _, err = run(*argv, "--resume")
    assert status == 0, err
    assert load_model(path).fingerprint() == load_model(whole).fingerprint()
    names = ["m.keras", "m.keras.card.md", "m.keras.run.yaml"]
    assert sorted(p.name for p in path.parent.iterdir()) == names
    card = path.with_name(names[1]).read_text()
    assert "9 epochs" in card
    assert "--resume" not in card


@pytest.mark.parametrize("of", ["train", "add-domain"])
def test_find_rate_writes_a_picture_and_no_model(
    run, base, images, tmp_path, of
):
    model = [base] if of == "add-domain" else ["--size", SIZE]
    argv = ["find-rate", *model, "--data", images["shades"], "--steps", 12,
            "--batch-size", 8, "--out", tmp_path / "r.png"]  # fmt: skip
    before = base.read_bytes()
    status, out, err = run(*argv, "--json")
    assert status == 0, err
    result = json.loads(out)
    assert f"suggested: --learning-rate {result['suggested']:.2g}" in err
    assert base.read_bytes() == before
    with Image.open(tmp_path / "r.png") as picture:
        assert picture.size[0] > 500
    rows = (tmp_path / "r.csv").read_text().splitlines()
    assert rows[0] == "rate,loss,smoothed"
    assert len(rows) == result["steps"] + 1
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["r.csv", "r.png", "r.png.run.yaml"]
    (tmp_path / "r.png").unlink()
    (tmp_path / "r.png.run.yaml").unlink()
    status, _, err = run(*argv)
    assert status == 2
    assert "r.csv exists already" in err


def test_a_slot_can_be_over_parameterised(run, base, images, tmp_path):
    path, domain = tmp_path / "m.keras", tmp_path / "shades.safetensors"
    status, _, err = run(
        "add-domain", "--model", base, "--data", images["shades"], "--out",
        path, "--epochs", 1, "--depthwise", "do",
    )  # fmt: skip
    assert status == 0, err
    paths = load_model(path).variables_by_path()
    assert {p.split("/")[1] for p in paths if "d_train" in p} == {"shades"}
    status, _, err = run(
        "save-domain", "--model", path, "--domain", "shades", "--out", domain
    )
    assert status == 0, err
    assert b"d_train" not in domain.read_bytes()


@pytest.fixture
def inputs(monkeypatch):
    """The shapes of the batches of a training, and of validation if any."""
    shapes = []

    def train(view, recipe, training, validation, *args, **kwargs):
        for batches in filter(None, (training, validation)):
            shapes.append(tuple(next(iter(batches))[0].shape[1:3]))
        raise KeyboardInterrupt

    monkeypatch.setattr("keras_mdl.runs.fitting.train", train)
    return shapes


@pytest.mark.parametrize(
    ("flags", "shapes", "said"),
    [
        (["--data", "dtd={}", "--recipe", "code-base"],
         [(64, 64)], "dtd: the published one"),
        (["--data", "gtsrb={}", "--recipe", "code-base"],
         [(72, 72)], "train and validation pooled"),
        (["--data", "mine={}", "--recipe", "code-base"],
         [(32, 32), (32, 32)], "for domains of the decathlon alone"),
        (["--data", "dtd={}"], [(32, 32)] * 2, "32x32 pixels, our default"),
        (["--data", "dtd={}", "--recipe", "code-base", "--size", "16"],
         [(16, 16), (16, 16)], "dtd: as given"),
        (["--data", "dtd={}", "--recipe", "code-base", "--no-flip"],
         [(32, 32), (32, 32)], "dtd: as given"),
    ],
    ids=["dtd", "gtsrb", "other", "quick", "size", "flip"],
)  # fmt: skip
def test_a_published_recipe_brings_its_input_pipeline(
    run, images, tmp_path, inputs, flags, shapes, said
):
    flags = [flag.format(images["shades"]) for flag in flags]
    status, out, err = run(
        "train", *flags, "--out", tmp_path / "m.keras", "--batch-size", 2
    )
    assert status == 130, err
    assert inputs == shapes
    assert said in out


def test_the_pipeline_of_a_further_domain(run, images, base, tmp_path, inputs):
    """It is used where the model takes its crops."""
    tiny.tiny_model({"x": 2}, input_shape=(None, None, 3)).save(
        tmp_path / "any.keras"
    )
    data = ("--data", f"dtd={images['shades']}", "--out", tmp_path / "m.keras")
    published = (*data, "--recipe", "code-domain", "--batch-size", 2)
    status, out, err = run("add-domain", tmp_path / "any.keras", *published)
    assert status == 130, err
    # Published trainings are on train and validation together.
    assert inputs == [(64, 64)]
    assert "dtd: the published one" in out
    status, out, err = run("add-domain", base, *published)
    assert inputs[1:] == [(SIZE, SIZE)] * 2
    assert "this network takes 16x16" in out
    status, out, err = run("add-domain", tmp_path / "any.keras", *data)
    assert status == 2
    assert "give --size" in err
