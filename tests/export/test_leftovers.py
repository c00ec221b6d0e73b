"""What `kill -9` leaves of an export is swept by the next one."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest
from exported import quiet_export, small_model
from keras_mdl_export import load
from keras_mdl_export.leftovers import sweep
from tiny_export import key_pair

from keras_mdl.files import atomic_folder

# An export to `argv[1]` that kills itself in the middle, or waits there.
WRITER = """
import os, pathlib, signal, sys
from keras_mdl.files import atomic_folder
from keras_mdl_export.leftovers import locked
how = sys.argv[2]
if how == "between the moves":
    replace = os.replace
    def stop(source, target):
        if ".incomplete" in str(source):
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)
    os.replace = stop
with atomic_folder(pathlib.Path(sys.argv[1]), "marker", True) as hidden:
    with locked(hidden):
        (hidden / "marker").write_text("new")
        if how == "inside":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "waiting":
            print("ready", flush=True)
            sys.stdin.read()
"""


def writer(path, how):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, path, how],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("how", ["inside", "between the moves"])
@pytest.mark.parametrize("there", [False, True])
def test_what_a_killed_export_left_is_swept(tmp_path, how, there):
    path = tmp_path / "export"
    if there:
        with atomic_folder(path, "marker") as hidden:
            (hidden / "marker").write_text("old")
    with writer(path, how) as process:
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert [p for p in tmp_path.iterdir() if p.name.startswith(".export.")]
    sweep(path)
    # The export that was there is there, even if it had been moved away.
    assert [p.name for p in tmp_path.iterdir()] == ["export"] * there
    if there:
        assert (path / "marker").read_text() == "old"


def test_an_export_at_work_is_left_alone(tmp_path):
    path = tmp_path / "export"
    with writer(path, "waiting") as process:
        assert process.stdout.readline() == "ready\n"
        sweep(path)
        (hidden,) = tmp_path.iterdir()
        assert (hidden / "marker").exists()
        process.communicate("")
    assert process.returncode == 0
    assert [p.name for p in tmp_path.iterdir()] == ["export"]


def test_the_next_export_sweeps_is_signed_and_rises_in_version(tmp_path):
    path = tmp_path / "e"
    (tmp_path / ".e.x1.incomplete").mkdir()
    (tmp_path / ".other.x1.incomplete").mkdir()
    model = small_model(["a"])
    private, public = key_pair()
    options = {"mode": "float32", "forms": ["models"]}
    with pytest.raises(ValueError, match="signing key"):
        quiet_export(model, path, signing_key=public, **options)
    quiet_export(model, path, signing_key=private, **options)
    assert list(load(path, public_key=public)) == ["a"]
    assert {p.name for p in tmp_path.iterdir()} == {"e", ".other.x1.incomplete"}
    assert {p.name for p in path.iterdir()} == {
        "manifest.json",
        "manifest.sig",
        "USAGE.md",
        "models",
    }
    for version in (1, 0, True, 2**60):
        with pytest.raises(ValueError, match="at least 2"):
            quiet_export(model, path, overwrite=True, version=version)
    assert pathlib.Path(path, "manifest.json").exists()
