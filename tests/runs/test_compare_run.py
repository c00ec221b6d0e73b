"""A comparison's course: order, extension, refusals, failures, progress."""

import fcntl
import re

import pytest
from comparing import METHODS, worker_command, write_images, write_settings
from fake_worker import row
from tiny import tiny_network

from keras_mdl.runs import networks
from keras_mdl.runs.compare import compare, pool, read_settings
from keras_mdl.runs.compare.jobs import Job, missing_jobs, seconds_left, told
from keras_mdl.runs.compare.rows import key_of


@pytest.fixture(autouse=True)
def fake_workers(monkeypatch):
    monkeypatch.setattr(networks, "NETWORKS", {"resnet26": tiny_network})
    monkeypatch.setattr(pool, "COMMAND", worker_command("fake_worker"))
    monkeypatch.setattr(pool, "_PAUSE", 0.02)


@pytest.fixture
def run(tmp_path):
    """Runs a comparison: `(Comparison, lines said)`."""
    write_images(tmp_path / "images", count=2)

    def run(**changes):
        settings = read_settings(write_settings(tmp_path / "c.yaml", **changes))
        said = []
        found = compare(settings, tmp_path / "out", 2, said.append)
        return found, said

    return run


def keys(found):
    return [key_of(r) for r in found.rows]


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
        ".lock", "bases", "compare.yaml", "logs", "report.html", "rows.csv",
        "summary.csv",
    }  # fmt: skip
    assert said[0] == "14 trainings, 0 of them done already; 2 at a time"
    assert len(said) == 15
    base = r"colours by base, seed [01]: \d+\.\d % in 2 s"
    assert re.fullmatch(rf"\[ 1/14\] {base}", said[1])
    left = re.compile(r"\[ ?\d+/14\] .* % in \d+ s, about \d+ s left")
    assert any(map(left.fullmatch, said))
    assert said[-1].startswith("[14/14]")
    assert "left" not in said[-1]


def test_again_and_more(run, tmp_path):
    first, _ = run()
    path = tmp_path / "out" / "rows.csv"
    before = path.read_bytes()
    again, said = run()
    assert path.read_bytes() == before
    assert again.rows == first.rows
    assert said == ["7 trainings, 7 of them done already"]
    more, said = run(
        seeds=[1, 0],
        methods=[*METHODS, "piggyback"],
        domains=["images/shades", "warm=folder:images/tones",
                 "embedded:digits"],
    )  # fmt: skip
    assert said[0].startswith("26 trainings, 7 of them")
    assert path.read_bytes().startswith(before)
    assert len(more.rows) == 26
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


def test_one_at_a_time(run, tmp_path):
    (tmp_path / "out").mkdir()
    with open(tmp_path / "out" / ".lock", "w") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        with pytest.raises(FileExistsError, match="is running"):
            run()


def test_a_base_that_is_gone_is_told(run, tmp_path):
    run()
    (tmp_path / "out" / "bases" / "base-s0.keras").unlink()
    run()  # nothing is left to do with it
    with pytest.raises(ValueError, match=r"seed 0 .* gone: .*base-s0"):
        run(methods=[*METHODS, "piggyback"])


def test_leftovers_of_killed_workers_are_removed(run, tmp_path):
    run()
    left = tmp_path / "out" / "bases" / ".base-s1.keras.x1.keras"
    left.touch()
    run()
    assert not left.exists()


def test_a_failing_job_does_not_stop_the_others(run, monkeypatch, tmp_path):
    monkeypatch.setenv("TROUBLE", "shades")
    found, said = run()
    assert [f.job.domain for f in found.failures] == ["shades"]
    text = str(found.failures[0])
    assert "s0-shades: ended with 3" in text
    assert "| out of luck" in text
    assert keys(found)[1:] == [(0, "warm", m) for m in METHODS]
    assert said[-1].startswith("[4/7]")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Some trainings are missing" in page
    monkeypatch.setenv("TROUBLE", "")
    found, _ = run()
    assert not found.failures
    assert len(found.rows) == 7


def test_rows_that_never_come_are_a_failure(run, monkeypatch):
    monkeypatch.setenv("TROUBLE", "individual")
    found, _ = run()
    assert len(found.failures) == 2
    assert "without all of its rows" in str(found.failures[0])


def test_without_a_base_its_seed_is_left_out(run, monkeypatch, tmp_path):
    monkeypatch.setenv("TROUBLE", "colours")
    found, _ = run()
    assert len(found.failures) == 3
    assert "not run, for s0-colours failed" in str(found.failures[1])
    assert found.rows == []
    assert found.summary is None
    assert not (tmp_path / "out" / "report.html").exists()


def test_an_interruption_ends_the_workers(run, monkeypatch, tmp_path):
    code = "import time; print('started', flush=True); time.sleep(600)"
    command = (worker_command("fake_worker")[0], "-c", code)
    monkeypatch.setattr(pool, "COMMAND", command)
    started = []
    original = pool.subprocess.Popen

    def popen(*args, **options):
        started.append(original(*args, **options))
        return started[-1]

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(pool.subprocess, "Popen", popen)
    monkeypatch.setattr(
        "keras_mdl.runs.compare.run._Progress.look", interrupted
    )
    with pytest.raises(KeyboardInterrupt):
        run()
    assert len(started) == 1
    assert started[0].poll() is not None


def test_missing_jobs(tmp_path):
    write_images(tmp_path / "images", count=1)
    settings = read_settings(write_settings(tmp_path / "c.yaml", seeds=[3, 4]))
    rows = [
        row(3, "colours", "base"), row(3, "shades", "individual"),
        *(row(3, "warm", m) for m in METHODS),
    ]  # fmt: skip
    assert missing_jobs(settings, rows) == [
        Job(4, "colours", ("base",)),
        Job(3, "shades", METHODS[:2]),
        Job(4, "shades", METHODS),
        Job(4, "warm", METHODS),
    ]


def timed(domain, method, seconds):
    # Of another seed: all jobs of these tests are still to be done.
    return {"seed": 7, "domain": domain, "method": method, "seconds": seconds}


def test_time_left_is_that_of_rows_like_those_missing():
    rows = [timed("a", "x", 10), timed("a", "x", 20), timed("b", "y", 100)]
    jobs = [Job(0, "a", ("x",)), Job(0, "c", ("y", "z")), Job(0, "b", ("z",))]
    # 15; 100 and the mean of all, 43.3; 100
    assert seconds_left(jobs, rows, 1) == pytest.approx(258.33, 1e-3)
    # Two at a time: one has the longest, the other the rest.
    assert seconds_left(jobs, rows, 2) == pytest.approx(143.33, 1e-3)
    # A domain's methods come one after the other.
    assert seconds_left(jobs, rows, 9) == pytest.approx(143.33, 1e-3)
    # What a running job has done already is not counted again, and it is not
    # divided among workers that have nothing else to do.
    rows.append({**timed("c", "y", 100), "seed": 0})
    assert seconds_left(jobs[1:2], rows, 4) == pytest.approx(100, 1e-3)
    assert seconds_left(jobs, [], 2) is None
    assert [told(s) for s in (3.4, 89, 300, 7500)] == [
        "3 s", "89 s", "5 min", "2 h 5 min",
    ]  # fmt: skip


def test_a_base_says_nothing_about_how_long_other_trainings_take():
    base, other = timed("p", "base", 1000.0), timed("s", "individual", 9.0)
    jobs = [Job(0, "s", ("classifier_only",))]
    assert seconds_left(jobs, [base], 1) is None
    assert seconds_left(jobs, [base, other], 1) == 9
    assert seconds_left([Job(1, "p", ("base",))], [base, other], 1) == 1000


def test_a_domain_is_divided_where_there_are_cores_for_it(tmp_path):
    write_images(tmp_path / "images", count=1)
    path = write_settings(tmp_path / "c.yaml", domains=["images/shades"])
    settings, rows = read_settings(path), [row(0, "colours", "base")]
    assert missing_jobs(settings, rows, 2) == [
        Job(0, "shades", (METHODS[0], METHODS[2]), 1),
        Job(0, "shades", METHODS[1:2], 2),
    ]
    many = missing_jobs(settings, rows, 8)
    assert [j.methods for j in many] == [(m,) for m in METHODS]
    assert len({j.name for j in many}) == 3  # a log file each


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


def test_workers_have_one_thread_and_our_backend(monkeypatch):
    import keras

    monkeypatch.setenv("XLA_FLAGS", "--xla_x=1")
    found = pool.worker_environment()
    assert found["KERAS_BACKEND"] == keras.backend.backend()
    assert found["TF_NUM_INTRAOP_THREADS"] == "1"
    assert found["XLA_FLAGS"].startswith("--xla_x=1 --xla_cpu")
