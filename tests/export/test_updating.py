"""An update is there whole or not at all, whenever the device goes off."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
from keras_mdl_export import Manifest, installed, load, roll_back, update
from tiny_export import expected, images, make_export

PIXELS = images()


def make_version(folder, version, **options):
    folder.mkdir()
    make_export(folder, version=version, sharper=version, **options)
    return folder


def version_in_use(root):
    """The version in use; it is whole, and answers as that version does."""
    folder = installed(root)
    version = Manifest.read(folder).version
    for name, classifier in load(folder).items():
        scores = classifier(PIXELS)
        first = expected(name, PIXELS)
        logits = np.log(first) * version  # `sharper` scales them
        right = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        np.testing.assert_allclose(scores, right, atol=1e-4)
    return version


@pytest.fixture
def root(tmp_path):
    """A device with version 1."""
    root = tmp_path / "device"
    update(root, make_version(tmp_path / "one", 1))
    return root


def test_a_later_version_is_installed_and_can_be_taken_back(root, tmp_path):
    assert version_in_use(root) == 1
    folder = update(root, make_version(tmp_path / "two", 2))
    assert folder == installed(root)
    assert version_in_use(root) == 2
    update(root, make_version(tmp_path / "three", 3))
    assert version_in_use(root) == 3
    # One is kept to go back to, and no more.
    assert {p.name for p in root.iterdir()} == {"2", "3", "state.json"}
    roll_back(root)
    assert version_in_use(root) == 2
    with pytest.raises(ValueError, match="no export before"):
        roll_back(root)
    # What was taken back does not come again under its number.
    with pytest.raises(ValueError, match=r"\(3\).*version 3"):
        update(root, tmp_path / "three")
    update(root, make_version(tmp_path / "four", 4))
    assert version_in_use(root) == 4


def test_files_that_are_there_need_not_come_again(root, tmp_path):
    new = make_version(tmp_path / "two", 2)
    (new / "parts/trunk.bin").unlink()
    shutil.rmtree(new / "models")
    (new / "bundle.tflite").unlink()
    shutil.rmtree(tmp_path / "device")
    update(root, tmp_path / "one", form="packs")
    for form in ("packs", "parts"):
        shutil.copytree(root, tmp_path / form)
        update(tmp_path / form, new, form)
        assert version_in_use(tmp_path / form) == 2


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "models/svhn.tflite").write_bytes(b""), "bytes"),
        (lambda f: (f / "models/svhn.tflite").unlink(), "complete in no form"),
        (lambda f: (f / "manifest.json").unlink(), "manifest.json"),
        (lambda f: (f / "manifest.json").write_text("{}"), "not valid"),
    ],
)
def test_what_is_damaged_changes_nothing(root, tmp_path, damage, message):
    new = make_version(tmp_path / "two", 2, forms=("models",))
    damage(new)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        update(root, new)
    assert version_in_use(root) == 1


def test_versions_only_rise(root, tmp_path):
    with pytest.raises(ValueError, match=r"newer.*version 1"):
        update(root, tmp_path / "one")
    with pytest.raises(ValueError, match="`form` must be one of"):
        update(root, tmp_path / "one", form="zip")
    with pytest.raises(FileNotFoundError):
        installed(tmp_path)


def test_what_others_keep_in_the_folder_stays(tmp_path):
    device = tmp_path / "device"
    (device / "2024").mkdir(parents=True)
    (device / "2024" / "photo.jpg").write_text("mine")
    (device / "7.txt").write_text("mine")
    make_version(device / "1", 1)  # an export, not installed
    with pytest.raises(ValueError, match=r"for installed exports.*1'"):
        update(device, device / "1")
    assert load(device / "1")["dtd"](PIXELS).shape == (2, 3)
    (device / "1").rename(device / "one")
    update(device, device / "one")
    assert version_in_use(device) == 1
    kept = {"2024", "7.txt", "one", "1", "state.json"}
    assert {p.name for p in device.iterdir()} == kept
    assert (device / "2024" / "photo.jpg").read_text() == "mine"


# Kills itself (as `kill -9`) at the n-th change of a file system, for n = 0,
# 1, ..., in a process of its own each, until an update runs through.
KILLED = """
import os, pathlib, shutil, signal, sys
sys.path[:0] = sys.argv[3].split(os.pathsep)
from keras_mdl_export import update
device, new = map(pathlib.Path, sys.argv[1:3])
CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"}
step = 0
while True:
    copy = device.with_name(f"killed_{step}")
    shutil.copytree(device, copy)
    pid = os.fork()
    if not pid:
        seen = 0
        def watch(event, arguments):
            global seen
            # (Modes: "w", or None of `os.open`, with flags that write.)
            writes = event == "open" and (
                arguments[1] in ("wb", "w")
                or arguments[1] is None and arguments[2] & os.O_WRONLY
            )
            if event in CHANGES or writes:
                seen += 1
                if seen > step:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(watch)
        update(copy, new)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    if status == 0:
        print(step)
        break
    assert os.WTERMSIG(status) == signal.SIGKILL, status
    step += 1
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and kill")
def test_killed_at_any_step_it_is_the_old_or_the_new_one(root, tmp_path):
    update(root, make_version(tmp_path / "two", 2))
    new = make_version(tmp_path / "three", 3, forms=("models",))
    later = make_version(tmp_path / "four", 4, forms=("bundle",))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, root, new, os.pathsep.join(sys.path)],
        check=True,
        capture_output=True,
        text=True,
    )
    steps = int(done.stdout.splitlines()[-1])
    assert steps > 8
    found = []
    for step in range(steps + 1):
        device = tmp_path / f"killed_{step}"
        found.append(version_in_use(device))
        # And it goes on from there: what was left is swept.
        update(device, later)
        assert version_in_use(device) == 4
        state = json.loads((device / "state.json").read_text())
        kept = {"state.json", "4", str(state["previous"])}
        assert {p.name for p in device.iterdir()} == kept
    assert found == sorted(found)
    assert set(found) == {2, 3}
    assert pathlib.Path(new).exists()
