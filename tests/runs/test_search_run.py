"""A search run: its jobs, what stops it, and what it reports."""

import csv
import re
import subprocess
import sys
import time

import numpy as np
import pytest
import tiny
import yaml

from keras_mdl.data import SetEpoch
from keras_mdl.models import load_model
from keras_mdl.runs.data_entry import DataEntry
from keras_mdl.runs.engine import result_of, run_jobs
from keras_mdl.runs.search import read_search_settings, search, search_jobs
from keras_mdl.runs.search.kept_images import kept
from keras_mdl.runs.search.search_jobs import jobs_of
from keras_mdl.runs.search.search_settings import search_settings_from

VALUES = {
    "domains": ["embedded:digits", "embedded:shapes"],
    "space": {"size": 16, "width": 0.25, "stages": 1, "layers": 2,
              "multipliers": [1.0], "kernels": [3], "expansions": [1, 2],
              "squeezes": [False]},
    "search": {"steps": 60, "batch_size": 8, "held_out_batch": 8,
               "reward": {"kind": "absolute", "cost": "macs",
                          "target": 80000}},
    "training": {"steps": 4, "batch_size": 8},
    "methods": ["mpnas_bounded", "random"],
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The run of these values, its jobs done here rather than elsewhere."""
    out = tmp_path_factory.mktemp("search") / "run"
    settings = search_settings_from(VALUES)
    for name in ("results", "logs"):
        (out / name).mkdir(parents=True)
    (out / "search.yaml").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_jobs, "_EPOCH", 2)
        for job in jobs_of(settings):
            run_jobs(str(out), [vars(job)], {})
            log = (out / "logs" / f"{job.name}.txt").read_text()
            assert job.result_path(out).exists(), log
    return out


def test_all_that_a_run_leaves_behind(folder):
    said = []
    found = search(search_settings_from(VALUES), folder, say=said.append)
    assert found.failures == []
    assert said == ["4 searches and trainings, 4 of them done already"]
    assert len(found.rows) == 4
    page = (folder / "report.html").read_text()
    assert len(re.findall("<picture>", page)) == 6  # bars; 3 and 2 a search
    methods = {m.method: m for m in found.summary.methods}
    model = load_model(folder / "models" / "s0-random-train.keras")
    rows = model.summary_by_domain().rows
    own = sum(r.parameters - r.head for r in rows)
    assert methods["random"].parameters == own
    assert methods["random"].ratio is None  # without the single path
    with open(folder / "summary.csv") as f:
        assert {r["method"] for r in csv.DictReader(f)} == set(methods)


def test_images_are_decoded_once(tmp_path):
    entry = DataEntry.of({"data": "embedded:shapes", "flip": True})
    made = kept(entry, {"spec": "x"}, ".", 8, tmp_path)
    (file,) = (tmp_path / "images").iterdir()
    found = kept(entry, {"spec": "x"}, "elsewhere", 8, tmp_path)
    assert (found.domain, found.flip) == (made.domain, True)
    for split in ("train", "validation"):
        a, b = (np.stack(list(d.images(split))) for d in (made, found))
        assert a.shape[1:] == (8, 8, 3)
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(made.labels(split), found.labels(split))
    content = file.read_bytes()
    file.write_bytes(content[:1000])  # whatever broke it
    kept(entry, {"spec": "x"}, ".", 8, tmp_path)
    assert file.read_bytes() == content


def test_other_settings_are_refused(folder, tmp_path):
    settings = search_settings_from(
        {**VALUES, "training": {"steps": 5, "batch_size": 8}}
    )
    with pytest.raises(ValueError, match=r"training\.steps: expected 4"):
        search(settings, folder)
    inside = search_settings_from(VALUES, folder, check=False)
    with pytest.raises(ValueError, match="the search's own folder"):
        search(inside, folder)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(FileExistsError, match="not the folder of a search"):
        search(settings, tmp_path)


def test_a_killed_command_ends_with_the_rows_of_one_that_was_not(tmp_path):
    """`kill -9` in the middle of a search; its worker ends with it."""
    values = {**VALUES, "methods": ["mpnas_bounded"]}
    (tmp_path / "space.yaml").write_text(yaml.dump(values))

    def command(out):
        # (With more threads sums are rounded otherwise.)
        words = "-m keras_mdl search space.yaml --processes 1 --out".split()
        return subprocess.Popen(
            [sys.executable, *words, out], cwd=tmp_path,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    whole, killed = command("whole"), command("killed")
    out = tmp_path / "killed"
    while not list(out.glob("state/*.npz")) and killed.poll() is None:
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    assert not list(out.glob("results/*.json"))
    assert whole.wait() == command("killed").wait() == 0
    (log,) = out.glob("logs/*search.txt")
    said = log.read_text()
    assert "step 50/60" in said
    assert said.count("step 25/60") < 2  # it did not begin anew
    for job in jobs_of(search_settings_from(values)):
        first, again = (
            result_of(job, tmp_path / f)["result"] for f in ("whole", "killed")
        )
        assert first == again


def test_a_training_that_goes_on_ends_bit_identical(
    folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(search_jobs, "_EPOCH", 2)
    job = jobs_of(search_settings_from(VALUES))[1]
    (tmp_path / "results").mkdir()
    name = job.where["search"]["name"]
    (found,) = (folder / "results").glob(f"{name}-*.json")
    (tmp_path / "results" / found.name).write_text(found.read_text())

    class Stops(SetEpoch):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt
            super().on_epoch_begin(epoch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(search_jobs, "SetEpoch", Stops)
        with pytest.raises(KeyboardInterrupt):
            search_jobs.train_union(job, tmp_path)
    search_jobs.train_union(job, tmp_path)
    whole, again = (
        load_model(f / "models" / f"{job.name}.keras")
        for f in (folder, tmp_path)
    )
    assert tiny.changed_paths(tiny.values(whole), tiny.values(again)) == set()


def test_single_path_trains_heads_alone(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(search_jobs, "_EPOCH", 2)
    settings = search_settings_from({**VALUES, "methods": ["single_path"]})
    (job,) = jobs_of(settings)
    found = search_jobs.train_single_path(job, tmp_path)
    assert [r["domain"] for r in found["rows"]] == ["digits", "shapes"]
    model = load_model(tmp_path / "models" / f"{job.name}.keras")
    first, second = (tiny.values(model) for _ in "ab")
    for path, value in first.items():
        if path.startswith("domains/digits/") and "/head/" not in path:
            other = path.replace("digits", "shapes")
            assert value.tobytes() == second[other].tobytes()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"domains": ["embedded:digits"]}, "two domains or more"),
        ({"methods": ["mpnass"]}, r"Unknown method.*'mpnass'.*single_path"),
        ({"methods": {"mine": {"of": "mpnas", "speed": 1}}},
         "Unknown key of method 'mine': 'speed'"),
        ({"space": {"sizes": 3}}, "Unknown key of `space`: 'sizes'"),
        ({"search": {"reward": {"kind": "soft", "cost": "macs",
                                "target": 1}}}, "No path of the space costs"),
        ({"search": {"seed": 1}}, "Unknown key of `search`: 'seed'"),
        ({"training": {"steps": 0}}, "training: steps"),
        ({"base": "letters"}, "letters"),
        ({"hold_out": 1}, "hold_out"),
        ({"seeds": []}, "`seeds`"),
        ({"speed": 1}, "Unknown key: 'speed'"),
    ],
)  # fmt: skip
def test_bad_settings_are_refused(change, text):
    with pytest.raises(ValueError, match=text):
        search_settings_from({**VALUES, **change})


def test_a_file_that_is_no_settings_file(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text("domains: [")
    with pytest.raises(ValueError, match="is not valid YAML"):
        read_search_settings(path)
