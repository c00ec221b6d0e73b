"""A process that works for another ends with it."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

PARENT = """
import pathlib, sys, time
from keras_mdl.processes import ProcessExecutor
executor = ProcessExecutor(1, pathlib.Path(sys.argv[1], "log"))
executor.submit("sleeper:sleep", sys.argv[1])
time.sleep(60)
"""
SLEEPER = """
import os, pathlib, time
def sleep(folder):
    pathlib.Path(folder, "pid").write_text(str(os.getpid()))
    time.sleep(60)
"""


def alive(pid):
    """Whether a process runs; one that nobody has reaped does not."""
    status = pathlib.Path("/proc", str(pid), "stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.skipif(
    not pathlib.Path("/proc/self/stat").exists(), reason="needs /proc"
)
def test_it_ends_even_when_the_parent_is_killed(tmp_path):
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    paths = [str(tmp_path), *filter(None, sys.path)]
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    ) as parent:
        pid = tmp_path / "pid"
        wait_for(lambda: pid.exists() and pid.read_text())
        child = int(pid.read_text())
        assert alive(child)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    wait_for(lambda: not alive(child))
