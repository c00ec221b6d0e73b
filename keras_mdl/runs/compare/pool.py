"""`Pool`: jobs in processes of their own, a few at a time."""

import json
import os
import pathlib
import subprocess
import sys
import time
from dataclasses import dataclass

from keras_mdl.runs.compare.jobs import Job

COMMAND = (sys.executable, "-m", "keras_mdl.runs.compare.worker")
_TAIL = 2000  # characters of a log that a failure shows
_PAUSE = 0.2  # seconds between two looks


@dataclass(frozen=True)
class Failure:
    """A job that did not end well.

    Attributes:
        job: The `Job`.
        reason: In a few words.
        log: Its log file, or `None` if it never started.
        tail: The end of what it said.
    """

    job: Job
    reason: str
    log: pathlib.Path | None = None
    tail: str = ""

    def __str__(self):
        lines = [f"{self.job.name}: {self.reason}"]
        if self.log is not None:
            lines.append(f"the end of {self.log}:")
            lines += [f"  | {line}" for line in self.tail.splitlines()]
        return "\n".join(lines)


class Pool:
    """Runs jobs side by side; the jobs of a seed wait for its base.

    Use as a context manager: leaving it early ends the processes.

    Args:
        folder: The comparison's folder; logs are written to `logs/` in it.
        settings: `CompareSettings`.
        processes: How many at a time.
    """

    def __init__(self, folder, settings, processes):
        self._folder = pathlib.Path(folder)
        self._settings = settings
        self._processes = processes
        self._running = {}
        self.failures = []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for process, *_ in self._running.values():
            process.kill()
        for process, log, _ in self._running.values():
            process.wait()
            process.stdin.close()
            log.close()

    def run(self, jobs, look):
        """Runs all jobs; those that fail are in `failures` afterwards.

        Args:
            jobs: List of `Job`, bases first.
            look: Function that is called again and again meanwhile.
        """
        waiting = list(jobs)
        bases = {j.seed for j in jobs if j.is_base}
        while waiting or self._running:
            for job in list(waiting):
                free = len(self._running) < self._processes
                if free and (job.is_base or job.seed not in bases):
                    waiting.remove(job)
                    self._start(job)
            time.sleep(_PAUSE)
            for job, failure in self._ended():
                if failure is not None:
                    self.failures.append(failure)
                if job.is_base and failure is None:
                    bases.remove(job.seed)
                elif job.is_base:
                    lost = [j for j in waiting if j.seed == job.seed]
                    waiting = [j for j in waiting if j not in lost]
                    self.failures += [
                        Failure(j, f"not run, for {job.name} failed")
                        for j in lost
                    ]
            look()

    def _start(self, job):
        logs = self._folder / "logs"
        logs.mkdir(exist_ok=True)
        log = open(logs / f"{job.name}.txt", "a+b")
        process = subprocess.Popen(
            [*COMMAND, json.dumps(self._order(job))],
            env=worker_environment(),
            stdin=subprocess.PIPE,  # see `keras_mdl.processes`
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        self._running[job] = process, log, log.seek(0, os.SEEK_END)

    def _order(self, job):
        return {
            "settings": self._settings.to_dict(),
            "data_folder": os.path.abspath(self._settings.folder),
            "folder": os.path.abspath(self._folder),
            "seed": job.seed,
            "domain": job.domain,
            "methods": list(job.methods),
        }

    def _ended(self):
        """`(job, Failure or None)` of the jobs that have ended."""
        found = []
        for job, (process, log, start) in list(self._running.items()):
            status = process.poll()
            if status is None:
                continue
            del self._running[job]
            process.stdin.close()
            failure = None
            if status:
                log.seek(start)
                tail = log.read()[-_TAIL:].decode(errors="replace")
                path = pathlib.Path(log.name)
                failure = Failure(job, f"ended with {status}", path, tail)
            log.close()
            found.append((job, failure))
        return found


def worker_environment():
    """Variables of a worker's process: our backend, and one thread.

    With more threads the workers would wait for each other, and sums would
    come in another order from run to run.
    """
    import keras

    flags = os.environ.get("XLA_FLAGS", "")
    return {
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # one device, several workers
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        **os.environ,
        "KERAS_BACKEND": keras.backend.backend(),
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "XLA_FLAGS": f"{flags} --xla_cpu_multi_thread_eigen=false".strip(),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONUNBUFFERED": "1",
    }
