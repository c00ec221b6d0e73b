"""A process that works for another ends with it."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from keras_mdl_export import processes

PARENT = """
import pathlib, sys, time
from keras_mdl_export import processes
handle = processes.start("sleeper", pathlib.Path(sys.argv[1]), "job", {})
print(handle[0].pid, flush=True)
time.sleep(60)
"""
SLEEPER = """
import time
from keras_mdl.processes import end_with_parent
end_with_parent()
time.sleep(60)
"""


def alive(pid):
    """Whether a process runs; one that nobody has reaped does not."""
    status = pathlib.Path("/proc", str(pid), "stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(
    not pathlib.Path("/proc/self/stat").exists(), reason="needs /proc"
)
def test_it_ends_even_when_the_parent_is_killed(tmp_path):
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as parent:
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.send_signal(signal.SIGKILL)
    end = time.monotonic() + 30
    while alive(child) and time.monotonic() < end:
        time.sleep(0.05)
    assert not alive(child)


def test_a_failure_shows_the_last_words(tmp_path):
    (tmp_path / "failing.py").write_text("raise SystemExit('no such grid')")
    sys.path.insert(0, str(tmp_path))
    try:
        handle = processes.start("failing", tmp_path, "job", {})
    finally:
        sys.path.remove(str(tmp_path))
    with pytest.raises(processes.ProcessError, match=r"(?s)Rounding.*no such"):
        processes.wait(handle, "Rounding")
