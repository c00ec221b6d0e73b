"""A comparison's course: order, extension, refusals, failures, progress."""

import fcntl
import re
import shutil

import pytest
from comparing import METHODS, write_images, write_settings
from tiny import tiny_network

from keras_mdl.runs import engine, networks
from keras_mdl.runs.compare import compare, plan, read_settings
from keras_mdl.runs.compare.rows import read_rows


@pytest.fixture(autouse=True)
def fake_workers(monkeypatch):
    monkeypatch.setattr(networks, "NETWORKS", {"resnet26": tiny_network})
    monkeypatch.setattr(plan, "TRIAL", "fake_trial")
    monkeypatch.setattr(engine, "_PAUSE", 0.02)


@pytest.fixture
def run(tmp_path):
    """Runs a comparison: `(Compared, lines said)`."""
    write_images(tmp_path / "images", count=2)

    def run(**changes):
        settings = read_settings(write_settings(tmp_path / "c.yaml", **changes))
        said = []
        found = compare(settings, tmp_path / "out", 2, said.append)
        return found, said

    return run


def keys(found):
    return [(r["seed"], r["domain"], r["method"]) for r in found.rows]


def results(tmp_path):
    return {p: p.read_bytes() for p in tmp_path.glob("out/results/*")}


def test_all_rows_and_files(run, tmp_path):
    found, said = run(seeds=[0, 1])
    assert not found.failures
    assert keys(found) == [
        *((s, "colours", "base") for s in (0, 1)),
        *((s, d, m) for s in (0, 1) for d in ("shades", "warm")
          for m in METHODS),
    ]  # fmt: skip
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert names == {
        ".lock", "bases", "compare.yaml", "logs", "report.html", "results",
        "rows.csv", "summary.csv",
    }  # fmt: skip
    assert said[0] == "14 trainings, 0 of them done already; 2 at a time"
    assert len(said) == 15
    base = r"colours by base, seed [01]: \d+\.\d % in \d+ s"
    assert re.fullmatch(rf"\[ 1/14\] {base}", said[1])
    left = re.compile(r"\[ ?\d+/14\] .* % in \d+ s, about \d+ s left")
    assert any(map(left.fullmatch, said)), said
    assert said[-1].startswith("[14/14]")
    assert "left" not in said[-1]


def test_again_and_more(run, tmp_path):
    first, _ = run()
    before = results(tmp_path)
    again, said = run()
    assert results(tmp_path) == before
    assert again.rows == first.rows
    assert said == ["7 trainings, 7 of them done already"]
    more, said = run(
        seeds=[1, 0],
        methods=[*METHODS, "piggyback"],
        domains=["images/shades", "warm=folder:images/tones",
                 "embedded:digits"],
    )  # fmt: skip
    assert said[0].startswith("26 trainings, 7 of them")
    assert before.items() <= results(tmp_path).items()
    assert len(more.rows) == 26
    assert len(read_rows(tmp_path / "out")) == 26
    assert [m.method for m in more.summary.methods][-1] == "piggyback"


def test_changed_settings_are_refused_and_nothing_is_touched(run, tmp_path):
    run()
    out = tmp_path / "out"
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    with pytest.raises(ValueError, match=r"width: expected 0\.25, received 1"):
        run(width=1)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before


def test_other_folders_are_refused(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    with pytest.raises(FileExistsError, match="not the folder of a comparison"):
        run()
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["thesis.tex"]


def test_a_size_that_does_not_suit_the_network_writes_nothing(run, tmp_path):
    with pytest.raises(ValueError, match="divisible by 8"):
        run(size=15)
    assert not (tmp_path / "out").exists()


def test_an_executor_that_is_not_installed_writes_nothing(
    run, tmp_path, monkeypatch
):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=r"keras-mdl\[cluster\]"):
        run(executor="submitit")
    assert not (tmp_path / "out").exists()


def test_one_at_a_time(run, tmp_path):
    (tmp_path / "out").mkdir()
    with open(tmp_path / "out" / ".lock", "w") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        with pytest.raises(FileExistsError, match="is running"):
            run()


def test_a_base_that_is_gone_is_told(run, tmp_path):
    run()
    (tmp_path / "out" / "bases" / "s0-colours-base.keras").unlink()
    run()  # nothing is left to do with it
    with pytest.raises(ValueError, match=r"seed 0 .* gone: .*s0-colours-base"):
        run(methods=[*METHODS, "piggyback"])


def test_a_failing_job_does_not_stop_the_others(run, monkeypatch, tmp_path):
    monkeypatch.setenv("TROUBLE", "shades")
    found, said = run()
    told = {f.job.name for f in found.failures}
    assert told == {f"s0-shades-{m}" for m in METHODS}
    text = str(found.failures[0])
    assert ": ended with status 3" in text
    assert "| out of luck" in text
    assert keys(found)[1:] == [(0, "warm", m) for m in METHODS]
    assert said[-1].startswith("[4/7]")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Some trainings are missing" in page
    monkeypatch.setenv("TROUBLE", "")
    found, _ = run()
    assert not found.failures
    assert len(found.rows) == 7


def test_a_method_that_fails_does_not_stop_the_others(run, monkeypatch):
    monkeypatch.setenv("TROUBLE", "individual")
    found, _ = run()
    assert len(found.failures) == 2
    assert "ValueError: diverged" in str(found.failures[0])
    assert len(found.rows) == 5


def test_without_a_base_its_seed_is_left_out(run, monkeypatch, tmp_path):
    monkeypatch.setenv("TROUBLE", "colours")
    found, _ = run()
    assert len(found.failures) == 7
    assert "not run, for s0-colours-base failed" in str(found.failures[1])
    assert found.rows == []
    assert found.summary is None
    assert not (tmp_path / "out" / "report.html").exists()


def test_rows_of_another_version_are_not_written_over(run, tmp_path):
    run()
    shutil.rmtree(tmp_path / "out" / "results")
    before = (tmp_path / "out" / "rows.csv").read_bytes()
    with pytest.raises(FileExistsError, match="another version"):
        run()
    assert (tmp_path / "out" / "rows.csv").read_bytes() == before


def test_other_images_than_those_of_the_results_are_refused(run, tmp_path):
    run()
    (tmp_path / "images" / "shades" / "class0" / "0.png").unlink()
    with pytest.raises(ValueError, match=r"data\.files: expected .*s0-shades"):
        run()


def test_the_comparison_s_own_copy_of_the_settings_is_no_input(run, tmp_path):
    run()
    stored = tmp_path / "out" / "compare.yaml"
    # By its own path it would be compared with itself, whatever is in it.
    text = stored.read_text().replace("images/", "../images/")
    stored.write_text(text.replace("epochs: 1", "epochs: 5"))
    before = stored.read_bytes()
    with pytest.raises(ValueError, match="the comparison's own folder"):
        compare(read_settings(stored), tmp_path / "out", 1)
    assert stored.read_bytes() == before
