"""Outputs: refused before any work, reserved while it goes on, never lost."""

import errno
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections import namedtuple

import pytest
import tiny

from keras_mdl import load_model
from keras_mdl.cli import outputs
from keras_mdl.cli.errors import InputError

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def no_work(monkeypatch):
    """Every command that gets as far as to load a backend fails."""

    def loaded():
        raise AssertionError("the backend was loaded first")

    monkeypatch.setattr("keras_mdl.cli.backend.load_backend", loaded)


@pytest.fixture
def commands(two, images, tmp_path):
    """A complete call of each command that writes, with its output."""
    (tmp_path / "c.yaml").write_text("name: x\n")
    shades = ("--data", images["shades"])
    one = ("--domain", "shades")
    model, slot = tmp_path / "m.keras", tmp_path / "m.safetensors"
    return {
        "train": (model, *shades, "--size", 16),
        "add-domain": (model, two, *shades, "--name", "greys"),
        "share": (model, two, *shades, "--target", "shades"),
        "remove-domain": (model, two, *one),
        "load-domain": (model, two, "--domain-file", slot),
        "save-domain": (slot, two, *one),
        "submit": (tmp_path / "r.json", two, "--annotations", tmp_path),
        "export": (tmp_path / "e", two, "--data", images["colours"],
                   images["shades"]),
        "demo": (tmp_path / "d",),
        "compare": (tmp_path / "c", tmp_path / "c.yaml"),
        "search": (tmp_path / "q", tmp_path / "c.yaml"),
    }  # fmt: skip


WRITING = (
    "train", "add-domain", "share", "remove-domain", "load-domain",
    "save-domain", "submit", "export", "demo", "compare", "search",
)  # fmt: skip


def refused(run, command, out, *argv):
    before = sorted(out.parent.rglob("*")) if out.parent.is_dir() else None
    status, shown, err = run(command, *argv, "--out", out)
    assert status == 2, (shown, err)
    assert len(err.strip().splitlines()) == 1
    if before is not None:
        assert sorted(out.parent.rglob("*")) == before
    return err


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("command", WRITING)
def test_what_cannot_be_written_is_refused_before_any_work(
    run, commands, command, tmp_path, monkeypatch
):
    out, *argv = commands[command]
    # Below a file there is no folder (root may write everywhere else).
    (tmp_path / "file").touch()
    assert refused(run, command, tmp_path / "file" / out.name, *argv)
    # A full disk.
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(9, 9, 0))
    assert "MB are free" in refused(run, command, out, *argv)
    monkeypatch.undo()


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("command", WRITING)
def test_an_output_that_another_command_writes_is_refused_at_once(
    run, commands, command
):
    out, *argv = commands[command]
    name = out / "demo" if command == "demo" else out
    with outputs.reserved(name):
        err = refused(run, command, out, *argv)
    assert "Another command is writing" in err


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("command", WRITING[:6])
def test_inputs_are_read_before_any_work(run, commands, command, tmp_path):
    out, *argv = commands[command]
    cut = tmp_path / "cut.keras"
    bad = tmp_path / "bad"
    (bad / "a").mkdir(parents=True)
    if command == "load-domain":
        assert "m.safetensors" in refused(run, command, out, *argv)
        (tmp_path / "m.safetensors").write_bytes(b"\x09" * 99)
        assert "m.safetensors" in refused(run, command, out, *argv)
    if "--data" in argv:
        place = argv.index("--data") + 1
        for data in (tmp_path / "nowhere", bad, tmp_path / "c.yaml"):
            argv[place] = data
            assert str(data) in refused(run, command, out, *argv)
    if command != "train":
        cut.write_bytes(argv[0].read_bytes()[:-500])
        for model in (tmp_path / "no.keras", cut, tmp_path):
            argv[0] = model
            assert str(model) in refused(run, command, out, *argv)


@pytest.mark.usefixtures("no_work")
def test_names_are_checked_before_any_work(run, two, images, tmp_path):
    out = tmp_path / "m.keras"
    png = images["colours"] / "red" / "0.png"
    text = tmp_path / "text.png"
    text.write_text("no picture")
    known = "'colours', 'shades'"
    for command, *argv in (
        ("remove-domain", two, "--domain", "x", "--out", out),
        ("save-domain", two, "--domain", "x", "--out",
         tmp_path / "m.safetensors"),
        ("predict", two, png, "--domain", "x"),
        ("share", two, "--data", images["shades"], "--target", "x", "--out",
         out),
        ("share", two, "--data", images["shades"], "--target", "shades",
         "--sources", "x", "--out", out),
        ("add-domain", two, "--data", images["shades"], "--name", "y",
         "--init-from", "x", "--out", out),
        ("evaluate", two, "--data", f"x={images['shades']}"),
        ("export", two, "--data", f"x={images['shades']}", "--out", out),
    ):  # fmt: skip
        status, _, err = run(command, *argv)
        assert (status, known in err) == (2, True), err
    status, _, err = run("predict", two, png, text, "--domain", "shades")
    assert (status, "text.png" in err) == (2, True)
    logs = ("--tensorboard", text / "tb")
    data = ("--data", images["shades"])
    for command in (("train",), ("add-domain", two, "--name", "greys")):
        err = refused(run, command[0], out, *command[1:], *data, *logs)
        assert "--tensorboard needs a folder" in err


def test_a_name_too_long_for_its_record_is_refused(run, two, tmp_path):
    out = tmp_path / ("n" * 245 + ".keras")
    err = refused(run, "remove-domain", out, two, "--domain", "shades")
    assert "name too long" in err


def test_a_lock_ends_with_its_process(tmp_path):
    path = tmp_path / "m.keras"
    code = (
        "from keras_mdl.cli import outputs; import sys, time\n"
        f"with outputs.reserved({str(path)!r}):\n"
        "    print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match="Another"), outputs.reserved(path):
            pass
        other.kill()
        other.wait()
    left = list(tmp_path.iterdir())
    with outputs.reserved(path):
        pass  # what the dead process has left is nobody's
    assert len(left) == 1
    assert not list(tmp_path.iterdir())


def full(path):
    raise OSError(errno.ENOSPC, "No space left on device", str(path))


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Where results go for which there is no room at `--out`."""
    place = tmp_path / "elsewhere"
    place.mkdir()
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(place))
    return place


def test_on_a_full_disk_the_trained_model_is_kept_elsewhere(
    run, base, images, tmp_path, places, monkeypatch
):
    out = tmp_path / "out" / "m.keras"
    out.parent.mkdir()
    replace = os.replace

    def replaced(source, target):
        if pathlib.Path(target) == out:
            full(target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", replaced)
    status, _, err = run(
        "add-domain", base, "--data", images["shades"], "--out", out,
        "--epochs", 1,
    )  # fmt: skip
    assert status == 1
    assert "No space left on device" in err
    kept = pathlib.Path(re.search(r"it is in (\S+)", err)[1])
    assert places in kept.parents
    assert list(load_model(kept)) == ["colours", "shades"]
    # With room again, `--resume` puts it where it belongs.
    assert list(out.parent.iterdir()) == [outputs.state_path(out)]


def test_where_nothing_can_be_written_the_first_error_is_said(
    tmp_path, places, monkeypatch
):
    out = tmp_path / "m.keras"
    monkeypatch.setattr("tempfile.mkdtemp", lambda **_: full("any"))
    with pytest.raises(OSError, match=r"No space left.*m\.keras"):
        outputs.keep(out, False, full)


def test_a_file_that_has_appeared_meanwhile_stays(run, two, tmp_path, places):
    out = tmp_path / "m.keras"
    model = tiny.tiny_model()
    out.write_text("precious")
    with pytest.raises(outputs.OutputError, match="appeared") as caught:
        outputs.keep(out, False, model.save)
    assert out.read_text() == "precious"
    kept = re.search(r"it is in (\S+)", str(caught.value))[1]
    assert list(load_model(kept)) == ["a", "b"]
    outputs.keep(out, True, model.save)
    assert list(load_model(out)) == ["a", "b"]


def test_errors_of_hdf5_are_no_reason_to_lose_a_model(tmp_path, places):
    def write(path):
        if path == tmp_path / "m.keras":
            raise RuntimeError("Unable to write: errno = 28")
        path.write_text("model")

    with pytest.raises(outputs.OutputError, match="errno = 28"):
        outputs.keep(tmp_path / "m.keras", False, write)
    assert [p.read_text() for p in places.rglob("*.keras")] == ["model"]


def test_a_domain_and_its_record_on_a_full_disk(
    run, two, tmp_path, places, monkeypatch
):
    out = tmp_path / "s.safetensors"
    argv = ("save-domain", two, "--domain", "shades", "--out", out)
    monkeypatch.setattr(
        "keras_mdl.runs.records.write_record", lambda path, *_, **__: full(path)
    )
    status, _, err = run(*argv)
    assert status == 1
    assert f"{out} is written and complete" in err
    assert out.is_file()
    monkeypatch.undo()
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(places))
    save = "keras_mdl.MultiDomainModel.save_domain"
    real = type(load_model(two)).save_domain

    def saved(self, name, path):
        if pathlib.Path(path) == out:
            full(path)
        real(self, name, path)

    monkeypatch.setattr(save, saved)
    status, _, err = run(*argv, "--overwrite")
    assert status == 1
    assert "it is in" in err
