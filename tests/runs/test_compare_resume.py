"""`kill -9` in the middle of a comparison, and the same rows in the end."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from comparing import write_images, write_settings
from tiny import tiny_network

from keras_mdl.runs import networks
from keras_mdl.runs.compare import compare, plan, read_settings
from keras_mdl.runs.compare.rows import read_rows
from keras_mdl.runs.engine import stored_results

# What depends on the moment, and not on the settings.
VARYING = {"seconds"}


def stable(rows):
    return [
        {k: v for k, v in r.items() if k not in VARYING}
        for r in sorted(rows, key=lambda r: (r["domain"], r["method"]))
    ]


def wait_until(condition, seconds=400):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_killed_and_resumed_gives_the_same_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "NETWORKS", {"resnet26": tiny_network})
    monkeypatch.setattr(plan, "TRIAL", "tiny_trial")
    write_images(tmp_path / "images")
    settings = write_settings(
        tmp_path / "c.yaml",
        domains=["images/shades"],
        methods=["classifier_only", "pointwise_sharing", "piggyback"],
    )
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    script = pathlib.Path(__file__).with_name("tiny_trial.py")
    process = subprocess.Popen(
        [sys.executable, str(script), str(settings), str(killed)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: len(stored_results(killed)) >= 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {p: p.read_bytes() for p in killed.glob("results/[!.]*")}
    assert 2 <= len(before) < 4
    # The same without an interruption, from the same base.
    shutil.copytree(killed, whole)
    for path in whole.glob("results/*"):
        if "base" not in path.name:
            path.unlink()

    said = []
    found = compare(read_settings(settings), killed, 2, said.append)
    assert not found.failures
    assert said[0].startswith(f"4 trainings, {len(before)} of them done")
    assert all(p.read_bytes() == content for p, content in before.items())
    compare(read_settings(settings), whole, 2, said.append)
    assert stable(read_rows(killed)) == stable(read_rows(whole))
    assert all(
        r["others_bit_identical"]
        for r in read_rows(killed)
        if r["method"] != "base"
    )
