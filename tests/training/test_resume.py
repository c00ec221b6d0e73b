"""A run that is killed and started again ends where it would have ended."""

import os
import pathlib
import signal
import subprocess
import sys

import numpy as np

SCRIPT = pathlib.Path(__file__).with_name("resumable.py")


def start(*arguments):
    root = str(SCRIPT.parents[2])
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": root},
    )


def test_killed_twice_in_stage_2_the_weights_are_bit_identical(tmp_path):
    whole = start(tmp_path / "other", tmp_path / "whole.npz")
    backup, result = tmp_path / "backup", tmp_path / "result.npz"
    # In the first epoch of stage 2 (the backup is one of stage 1) ...
    assert start(backup, result, 2).wait() == -signal.SIGKILL
    assert (backup / "training_metadata.json").exists()
    # ... and in a later one.
    assert start(backup, result, 4).wait() == -signal.SIGKILL
    assert not result.exists()
    assert start(backup, result).wait() == 0
    assert whole.wait() == 0
    expected = dict(np.load(tmp_path / "whole.npz"))
    found = dict(np.load(result))
    assert expected.pop("epochs").tolist() == [0, 1, 2, 3, 4, 5]
    assert found.pop("epochs").tolist() == [4, 5]
    assert found.keys() == expected.keys()
    differ = [p for p in found if found[p].tobytes() != expected[p].tobytes()]
    assert differ == []
    assert sum("momentum" in p or "velocity" in p for p in found) >= 9
