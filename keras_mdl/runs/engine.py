"""One engine for all experiments: idempotent jobs, one result file each.

A job is a small JSON-able value. What its result depends on makes its hash;
the result is one file in the run's folder, written atomically under that hash.
A job with a result is not run again, so a run that was stopped, by whatever
means, goes on where it was. The workers and the driver share nothing but the
folder; the jobs run on any executor that has `submit`, see
`keras_mdl.runs.executors`.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterable

from keras_mdl.files import locked, remove_leftovers, write_text
from keras_mdl.processes import named

RESULTS, LOGS = "results", "logs"
_TAIL = 2000  # characters of a log that a failure shows
_PAUSE = 0.2  # seconds between two looks


@dataclasses.dataclass(frozen=True)
class Job:
    """One piece of work.

    Attributes:
        name: Of its files; no two jobs of a run have the same.
        task: `"module:function"`, called with the job and the run's folder.
            Returns the result, a JSON-able dict.
        values: All that the result depends on, JSON-able: the trunk's and
            the data's hash, recipe, method, seed, options.
        where: What the result does not depend on, as paths, JSON-able.
        after: Names of the jobs whose results it needs.
        group: Jobs of a group are done in one process, one after the other,
            unless there are processes enough for several.
        like: Keys of jobs that take as long, the most alike first.
    """

    name: str
    task: str
    values: dict = dataclasses.field(hash=False)
    where: dict = dataclasses.field(default_factory=dict, hash=False)
    after: tuple = ()
    group: str = ""
    like: tuple = ()

    @property
    def id(self) -> str:
        """Hash of `values`."""
        text = json.dumps(self.values, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def result_path(self, folder: str | os.PathLike) -> pathlib.Path:
        """Where its result is, or will be."""
        return pathlib.Path(folder, RESULTS, f"{self.name}-{self.id}.json")

    def log_path(self, folder: str | os.PathLike) -> pathlib.Path:
        """Where that is what it said last time."""
        return pathlib.Path(folder, LOGS, f"{self.name}.txt")


@dataclasses.dataclass(frozen=True)
class Failure:
    """A job without a result.

    Attributes:
        job: The `Job`.
        reason: Why; with the end of what it said.
    """

    job: Job
    reason: str

    def __str__(self):
        return f"{self.job.name}: {self.reason}"


def stored_results(folder: str | os.PathLike) -> list[dict]:
    """All result files of a run: `job` (its `name`, `values`, ...), `result`,
    and the `seconds` that it took."""
    paths = sorted(pathlib.Path(folder, RESULTS).glob("[!.]*.json"))
    return [json.loads(p.read_text(encoding="utf-8")) for p in paths]


def result_of(job: Job, folder: str | os.PathLike) -> dict | None:
    """What `stored_results` has of one job, or `None`."""
    path = job.result_path(folder)
    if not path.exists():
        return None
    return json.loads(path.read_text(encoding="utf-8"))


def write_result(
    job: Job, folder: str | os.PathLike, result: dict, seconds: float
):
    """Keeps the result of a job."""
    found = {
        "job": dataclasses.asdict(job),
        "result": result,
        "seconds": round(seconds, 2),
    }
    write_text(job.result_path(folder), json.dumps(found, indent=1))


def run_jobs(folder: str, jobs: list[dict], environment: dict):
    """What an executor runs: some jobs, one after the other.

    A job that fails leaves a traceback in its log, and the next one follows.

    Args:
        folder: The run's folder.
        jobs: `Job`s as dicts.
        environment: Variables to set first.
    """
    os.environ.update(environment)
    for job in jobs:
        _run_job(Job(**job), pathlib.Path(folder))


def _run_job(job, folder):
    log, path = job.log_path(folder), job.result_path(folder)
    # Whoever does the same job, left by a driver that was killed, ends first.
    with locked(log.with_suffix(".lock")):
        if path.exists():
            return
        remove_leftovers(path)
        with _said_in(log):
            start = time.perf_counter()
            try:
                result = named(job.task)(job, folder)
            except Exception:
                traceback.print_exc()
                return
            write_result(job, folder, result, time.perf_counter() - start)


@contextlib.contextmanager
def _said_in(path):
    """What the process says meanwhile goes to a file, whoever says it."""
    kept = {number: os.dup(number) for number in (1, 2)}
    with open(path, "wb") as f, contextlib.ExitStack() as stack:
        for number, copy in kept.items():
            os.dup2(f.fileno(), number)
            stack.callback(os.close, copy)
            stack.callback(os.dup2, copy, number)
        for stream in (sys.stdout, sys.stderr):
            stack.callback(stream.flush)
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(line_buffering=True)
        yield


class Engine:
    """Runs jobs on an executor, as many at a time as are asked for.

    Args:
        folder: The run's folder.
        executor: With `submit(function, *args)`, which returns what has
            `done()` and `exception()`.
        slots: How many calls at a time.
        environment: Variables of the workers.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        executor,
        slots: int,
        environment: dict | None = None,
    ):
        self.folder = pathlib.Path(folder)
        self.slots = slots
        self.failures = []
        self._executor = executor
        self._environment = environment or {}
        self._waiting, self._running = [], []
        self._without, self._times = {}, {}
        for name in (RESULTS, LOGS):
            (self.folder / name).mkdir(exist_ok=True, parents=True)

    @property
    def beside(self) -> int:
        """How many calls are made at a time, for what is left to do."""
        return min(self.slots, len(self._running) + len(self._waiting))

    def start(self, jobs: Iterable[Job]):
        """Starts what can start; those that have a result are left out."""
        left = [j for j in jobs if not j.result_path(self.folder).exists()]
        for job in left:
            job.log_path(self.folder).unlink(missing_ok=True)
        self._without.update({j.name: j for j in left})
        for found in stored_results(self.folder):
            self._remember(found)
        self._waiting += _grouped(left, self.slots)
        self._fill()

    def wait(
        self, tell: Callable[[dict], None] = lambda found: None
    ) -> list[Failure]:
        """Until all is done.

        Args:
            tell: Called with each new result, as `stored_results` has it.

        Returns:
            The failures.
        """
        while self._waiting or self._running:
            time.sleep(_PAUSE)
            ended = [call for call in self._running if call[0].done()]
            for job in [j for _, jobs in self._running for j in jobs]:
                found = job.name in self._without and result_of(
                    job, self.folder
                )
                if found:
                    del self._without[job.name]
                    self._remember(found)
                    tell(found)
            for call in ended:
                self._running.remove(call)
                self._ended(*call)
            self._fill()
        return self.failures

    def seconds_left(self) -> float | None:
        """An estimate from the results that are there, or `None`.

        A job takes as long as those with results that are most like it; those
        of a group come one after the other; the longest come first.
        """
        groups = [jobs for _, jobs in self._running] + self._waiting
        lengths = [
            [self._length(job) for job in jobs if job.name in self._without]
            for jobs in groups
        ]
        if any(None in length for length in lengths):
            return None
        loads = [0.0] * max(self.slots, 1)
        for length in sorted(map(sum, lengths), reverse=True):
            loads[loads.index(min(loads))] += length
        return max(loads)

    def _remember(self, found):
        for key in found["job"]["like"]:
            self._times.setdefault(tuple(key), []).append(found["seconds"])

    def _length(self, job):
        for key in map(tuple, job.like):
            if key in self._times:
                return statistics.fmean(self._times[key])
        return None

    def _fill(self):
        known = {j.name for jobs in self._waiting for j in jobs}
        known |= {j.name for _, jobs in self._running for j in jobs}
        for jobs in list(self._waiting):
            if len(self._running) >= self.slots:
                return
            if any(known.intersection(j.after) for j in jobs):
                continue
            self._waiting.remove(jobs)
            failed = {f.job.name for f in self.failures}
            lost = [j for j in jobs if failed.intersection(j.after)]
            for job in lost:
                missing = ", ".join(sorted(failed.intersection(job.after)))
                self._failed(job, f"not run, for {missing} failed")
            jobs = [j for j in jobs if j not in lost]
            if jobs:
                future = self._executor.submit(
                    run_jobs,
                    os.path.abspath(self.folder),
                    [dataclasses.asdict(j) for j in jobs],
                    self._environment,
                )
                self._running.append((future, jobs))

    def _ended(self, future, jobs):
        error = future.exception()
        left = [j for j in jobs if j.name in self._without]
        begun = [j for j in left if j.log_path(self.folder).exists()]
        if error is not None and begun and len(left) > len(begun):
            # One took the process with it; the others have not had their turn.
            self._waiting.append([j for j in left if j not in begun])
            left = begun
        for job in left:
            reason = "failed" if error is None else str(error).strip()
            self._failed(job, reason + _tail_of(job.log_path(self.folder)))

    def _failed(self, job, reason):
        self.failures.append(Failure(job, reason))


def _grouped(jobs, slots):
    """Lists of jobs for one call each; more where there are slots for them."""
    groups = {}
    for job in jobs:
        groups.setdefault(job.group or job.name, []).append(job)
    # Those that others wait for have the slots for themselves.
    waited = {name for job in jobs for name in job.after}
    last = sum(waited.isdisjoint(j.name for j in g) for g in groups.values())
    parts = max(1, slots // max(last, 1))
    return [
        jobs[i::parts]
        for jobs in groups.values()
        for i in range(min(parts, len(jobs)))
    ]


def _tail_of(log):
    if not log.exists():
        return ""
    text = log.read_text(encoding="utf-8", errors="replace")[-_TAIL:]
    lines = [f"  | {line}" for line in text.strip().splitlines()]
    return "\n".join([f"; the end of {log}:", *lines])


def format_duration(seconds: float) -> str:
    """`3725` -> `"1 h 2 min"`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
