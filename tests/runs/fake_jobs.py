"""Jobs that train nothing: results at once, or trouble on request."""

import os
import pathlib
import sys
import time

from keras_mdl.runs.engine import Job


def jobs(count=4, group=None, seconds=0.0):
    """Some jobs; each writes a line when it starts."""
    return [
        Job(
            f"job{i}",
            "fake_jobs:work",
            {"number": i},
            {"seconds": seconds},
            group=group or "",
            like=(("even" if i % 2 == 0 else "odd",), ()),
        )
        for i in range(count)
    ]


def work(job, folder):
    """Sleeps, and returns the square of its number."""
    with open(folder / "starts.txt", "a") as f:
        f.write(f"{job.name} {os.getpid()}\n")
    print("at work on", job.name)
    trouble = folder / f"trouble-{job.name}"
    if trouble.exists():
        kind = trouble.read_text()
        trouble.unlink()
        if kind == "killed":
            os.kill(os.getpid(), 9)
        raise ValueError("out of luck")
    time.sleep(job.where["seconds"])
    return {"square": job.values["number"] ** 2}


def starts(folder):
    """Names of the jobs that were started, as often as they were."""
    path = pathlib.Path(folder, "starts.txt")
    if not path.exists():
        return []
    return [line.split()[0] for line in path.read_text().splitlines()]


def drive(folder, executor):
    """A driver that a test kills."""
    from keras_mdl.runs.executors import open_engine

    executor = {"submitit": {"submitit": {"cluster": "local"}}}.get(
        executor, executor
    )
    with open_engine(folder, executor, 2) as engine:
        engine.start(jobs(seconds=0.4))
        return engine.wait()


if __name__ == "__main__":
    sys.exit(bool(drive(*sys.argv[1:])))
