"""`kill -9` in the middle of a comparison, and the same rows in the end."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest
from comparing import worker_command, write_images, write_settings
from tiny import tiny_network

from keras_mdl.runs import networks
from keras_mdl.runs.compare import compare, pool, read_settings
from keras_mdl.runs.compare.rows import read_rows

# What depends on the moment, and not on the settings.
VARYING = {"seconds"}


def stable(rows):
    return [
        {k: v for k, v in r.items() if k not in VARYING}
        for r in sorted(rows, key=lambda r: (r["domain"], r["method"]))
    ]


def workers_of(folder):
    """Process ids of the workers that write into `folder`."""
    found = []
    for place in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (place / "cmdline").read_bytes()
        except OSError:
            continue
        if b"tiny_worker.main" in command and str(folder).encode() in command:
            found.append(int(place.name))
    return found


def wait_until(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.skipif(not pathlib.Path("/proc").is_dir(), reason="needs /proc")
def test_killed_and_resumed_gives_the_same_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "NETWORKS", {"resnet26": tiny_network})
    monkeypatch.setattr(pool, "COMMAND", worker_command("tiny_worker"))
    write_images(tmp_path / "images")
    settings = write_settings(
        tmp_path / "c.yaml",
        domains=["images/shades"],
        methods=["classifier_only", "pointwise_sharing", "piggyback"],
    )
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    script = pathlib.Path(__file__).with_name("tiny_worker.py")
    process = subprocess.Popen(
        [sys.executable, str(script), str(settings), str(killed)],
        env={**os.environ, "PYTHONPATH": str(script.parent.parent)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: len(read_rows(killed)) >= 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: not workers_of(killed), 20)
    path = killed / "rows.csv"
    before = path.read_bytes()
    found = len(read_rows(killed))
    assert 2 <= found < 4
    # The same without an interruption, from the same base.
    shutil.copytree(killed, whole)
    head, base_row = before.splitlines(keepends=True)[:2]
    (whole / "rows.csv").write_bytes(head + base_row)
    # As if a worker had been killed in the middle of a line.
    path.write_bytes(before + b"0,shades,indiv")

    said = []
    compare(read_settings(settings), killed, 2, said.append)
    assert said[0].startswith(f"4 trainings, {found} of them done already")
    assert path.read_bytes().startswith(before)
    compare(read_settings(settings), whole, 2, said.append)
    assert stable(read_rows(killed)) == stable(read_rows(whole))
    assert all(
        r["others_bit_identical"]
        for r in read_rows(killed)
        if r["method"] != "base"
    )
