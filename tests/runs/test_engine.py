"""The engine: nothing lost, nothing twice, whatever it runs on."""

import concurrent.futures
import importlib.util
import multiprocessing
import os
import pathlib
import signal
import subprocess
import sys
import time
from dataclasses import replace

import fake_jobs
import pytest
from fake_jobs import drive, jobs, starts

from keras_mdl.runs import engine as engine_module
from keras_mdl.runs.engine import (
    Engine,
    Job,
    format_duration,
    result_of,
    stored_results,
)
from keras_mdl.runs.executors import (
    EXECUTORS,
    checked_executor,
    open_engine,
    require_executor,
    worker_environment,
)

PLACE = pathlib.Path(fake_jobs.__file__).parent


def _missing(name):
    packages = {"processes": []}.get(name, [name])
    return not all(map(importlib.util.find_spec, packages))


on_each_executor = pytest.mark.parametrize(
    "executor",
    [
        pytest.param(
            name,
            marks=[
                pytest.mark.skipif(
                    _missing(name), reason=f"{name} is not installed"
                ),
                # Of their own files and sockets, at the end of a process.
                pytest.mark.filterwarnings("default"),
            ],
        )
        for name in EXECUTORS
    ],
)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(engine_module, "_PAUSE", 0.02)
    # Workers of all executors must find the fakes.
    found = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", f"{PLACE}{os.pathsep}{found}")


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def squares(folder):
    return {f["job"]["name"]: f["result"] for f in stored_results(folder)}


ALL = {f"job{i}": {"square": i**2} for i in range(4)}


@on_each_executor
def test_a_killed_worker_loses_nothing(tmp_path, executor):
    (tmp_path / "trouble-job1").write_text("killed")
    (tmp_path / "trouble-job2").write_text("error")
    failures = drive(tmp_path, executor)
    # Dask tries again by itself.
    told = {f.job.name for f in failures}
    assert told in ({"job1", "job2"}, {"job2"})
    assert "ValueError: out of luck" in str(failures[-1])
    assert squares(tmp_path) == {k: v for k, v in ALL.items() if k not in told}
    before = {p: p.read_bytes() for p in tmp_path.glob("results/*")}
    (tmp_path / "starts.txt").unlink()
    assert not drive(tmp_path, executor)
    assert squares(tmp_path) == ALL
    assert sorted(starts(tmp_path)) == sorted(told)  # and no other
    assert all(p.read_bytes() == content for p, content in before.items())


@on_each_executor
def test_a_killed_driver_loses_nothing_and_nothing_is_done_twice(
    tmp_path, executor
):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    driver = subprocess.Popen(
        [sys.executable, fake_jobs.__file__, str(tmp_path), executor],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: len(stored_results(tmp_path)) >= 2)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    before = {p: p.read_bytes() for p in tmp_path.glob("results/[!.]*")}
    assert 2 <= len(before) < 4
    finished = set(squares(tmp_path))
    lines = len(starts(tmp_path))
    assert not drive(tmp_path, executor)
    assert squares(tmp_path) == ALL
    assert all(p.read_bytes() == content for p, content in before.items())
    assert finished.isdisjoint(starts(tmp_path)[lines:])


def test_any_executor_of_concurrent_futures_will_do(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, spawn) as executor:
        engine = Engine(tmp_path, executor, 2)
        engine.start(jobs())
        assert not engine.wait()
    assert squares(tmp_path) == ALL


def test_a_job_is_identified_by_what_it_depends_on(tmp_path):
    job = Job("a", "m:f", {"seed": 1, "recipe": {"rate": 0.1}}, {"path": "x"})
    same = Job("a", "m:g", {"recipe": {"rate": 0.1}, "seed": 1}, {"path": "y"})
    other = Job("a", "m:f", {"seed": 1, "recipe": {"rate": 0.2}})
    assert job.id == same.id != other.id
    assert job.result_path(tmp_path) != other.result_path(tmp_path)


def test_a_result_is_found_by_its_job(tmp_path):
    (job,) = jobs(1)
    assert result_of(job, tmp_path) is None
    drive(tmp_path, "processes")
    found = result_of(job, tmp_path)
    assert found["result"] == {"square": 0}
    assert found["job"]["values"] == {"number": 0}
    assert found["seconds"] >= 0.4


def test_jobs_of_a_group_share_a_process_unless_there_is_room(tmp_path):
    for slots, processes in ((1, 1), (3, 3)):
        folder = tmp_path / str(slots)
        with open_engine(folder, "processes", slots) as engine:
            engine.start(jobs(group="one"))
            assert not engine.wait()
        lines = (folder / "starts.txt").read_text().splitlines()
        assert len({line.split()[1] for line in lines}) == processes


def test_a_crash_does_not_take_the_rest_of_its_group(tmp_path):
    (tmp_path / "trouble-job2").write_text("killed")
    with open_engine(tmp_path, "processes", 1) as engine:
        engine.start(jobs(group="one"))
        (failure,) = engine.wait()
    assert failure.job.name == "job2"
    assert "ended with signal 9" in str(failure)
    assert "| at work on job2" in str(failure)
    assert len(squares(tmp_path)) == 3


def test_what_comes_after_waits_or_is_left_out(tmp_path):
    first, second, third = jobs(3)
    second = Job("second", second.task, {"number": 4}, second.where, ("job0",))
    third = Job("third", third.task, {"number": 5}, third.where, ("second",))
    (tmp_path / "trouble-job0").write_text("error")
    with open_engine(tmp_path, "processes", 3) as engine:
        engine.start([third, second, first])
        failures = {f.job.name: str(f) for f in engine.wait()}
    assert "not run, for job0 failed" in failures["second"]
    assert "not run, for second failed" in failures["third"]
    with open_engine(tmp_path, "processes", 3) as engine:
        engine.start([third, second, first])
        assert not engine.wait()
    assert starts(tmp_path) == ["job0", "job0", "second", "third"]


def test_a_worker_that_cannot_start_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(engine_module.run_jobs, "__module__", "nowhere")
    with open_engine(tmp_path, "processes", 1) as engine:
        engine.start(jobs(2, group="one"))
        failures = engine.wait()
    assert len(failures) == 2
    assert "No module named 'nowhere'" in str(failures[0])


def test_leaving_early_ends_the_workers(tmp_path):
    def interrupted(found):
        raise KeyboardInterrupt

    def run():
        with open_engine(tmp_path, "processes", 2) as engine:
            first, second = jobs(2)
            engine.start([first, replace(second, where={"seconds": 600})])
            wait_until(lambda: len(starts(tmp_path)) == 2)
            engine.wait(interrupted)

    with pytest.raises(KeyboardInterrupt):
        run()
    for line in (tmp_path / "starts.txt").read_text().splitlines():
        with pytest.raises(ProcessLookupError):
            os.kill(int(line.split()[1]), 0)


def test_leftovers_of_a_killed_worker_are_removed(tmp_path):
    path = jobs(1)[0].result_path(tmp_path)
    path.parent.mkdir()
    left = path.with_name(f".{path.name}.x1.json")
    left.touch()
    drive(tmp_path, "processes")
    assert not left.exists()


class _Never:
    """An executor whose calls never end."""

    def submit(self, *_):
        return concurrent.futures.Future()


def seconds_left(folder, slots, times, *groups):
    """Of jobs that are known by what they are like, group by group."""
    engine = Engine(folder, _Never(), slots)
    for seconds, *like in times:
        engine._remember({"job": {"like": like}, "seconds": seconds})
    engine.start(
        Job(f"job{i}{j}", "", {}, group=f"group{i}", like=like)
        for i, group in enumerate(groups)
        for j, like in enumerate(group)
    )
    return engine.seconds_left()


def test_time_left_is_that_of_jobs_like_those_missing(tmp_path):
    a, b, c = (("a", "x"), ("x",), ()), (("b", "y"), ("y",), ()), (("z",), ())
    times = [(10, *a), (20, *a), (100, *b)]
    # 15; 100 and the mean of all, 43.3; 100
    groups = [a], [b, c], [b]
    assert seconds_left(tmp_path, 1, times, *groups) == pytest.approx(
        258.33, 1e-3
    )
    # Two at a time: one has the longest, the other the rest.
    assert seconds_left(tmp_path, 2, times, *groups) == pytest.approx(
        143.33, 1e-3
    )
    # A group's jobs come one after the other.
    assert seconds_left(tmp_path, 3, times, *groups) == pytest.approx(
        143.33, 1e-3
    )
    assert seconds_left(tmp_path, 2, [], *groups) is None
    # Bases are only like bases.
    base = (("base",),)
    assert seconds_left(tmp_path, 1, times, [base]) is None
    assert seconds_left(tmp_path, 1, [(1000, *base)], [a]) is None
    assert seconds_left(tmp_path, 1, [(9, *a), (1000, *base)], [base]) == 1000
    assert [format_duration(s) for s in (3.4, 89, 300, 7500)] == [
        "3 s", "89 s", "5 min", "2 h 5 min",
    ]  # fmt: skip


def test_what_is_done_of_a_running_group_is_not_counted_again(tmp_path):
    left = []
    with open_engine(tmp_path, "processes", 1) as engine:
        engine.start(jobs(group="one"))
        engine.wait(lambda found: left.append(engine.seconds_left()))
        seconds = [f["seconds"] for f in stored_results(tmp_path)]
    assert len(left) == 4
    assert left[0] == pytest.approx(3 * seconds[0])
    assert left[-1] == 0


def test_executors_that_are_none_are_refused(tmp_path, monkeypatch):
    for bad in ("threads", {}, {"dask": 3}, {"dask": {}, "ray": {}}, None):
        with pytest.raises(ValueError, match="one of processes, submitit"):
            checked_executor(bad)
    with (
        pytest.raises(ValueError, match="no options but `threads`"),
        open_engine(tmp_path, {"processes": {"partition": "gpu"}}),
    ):
        pass
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=r"keras-mdl\[cluster\]"):
        require_executor("dask")


def test_workers_have_one_thread_and_our_backend(monkeypatch):
    import keras

    monkeypatch.setenv("XLA_FLAGS", "--xla_x=1")
    found = worker_environment()
    assert found["KERAS_BACKEND"] == keras.backend.backend()
    assert found["TF_NUM_INTRAOP_THREADS"] == "1"
    assert found["XLA_FLAGS"].startswith("--xla_x=1 --xla_cpu")
    assert worker_environment(4)["OMP_NUM_THREADS"] == "4"
