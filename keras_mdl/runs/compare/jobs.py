"""What of a comparison is left to do, and how long it may take."""

import statistics
from dataclasses import dataclass

from keras_mdl.runs.compare.rows import BASE, key_of


@dataclass(frozen=True)
class Job:
    """One worker's work.

    Attributes:
        seed: The seed.
        domain: Name of the domain (the base's for a base).
        methods: Names of the missing methods; `("base",)` for a base.
        part: Which part of them, from 1, where there are cores for several
            at a time; 0 for all.
    """

    seed: int
    domain: str
    methods: tuple
    part: int = 0

    @property
    def is_base(self):
        """Whether the other jobs of its seed wait for this one."""
        return self.methods == (BASE,)

    @property
    def name(self):
        """Of its log file."""
        part = f"-{self.part}" if self.part else ""
        return f"s{self.seed}-{self.domain}{part}"

    @property
    def keys(self):
        """Keys of the rows that it adds."""
        return [(self.seed, self.domain, m) for m in self.methods]


def missing_jobs(settings, rows, processes=1):
    """The `Job`s that are left, bases first.

    A job reads a domain's images once for all its methods; where there are
    fewer such jobs than processes, they are divided.

    Args:
        settings: `CompareSettings`.
        rows: Those that exist.
        processes: How many will work side by side.
    """
    done = {key_of(r) for r in rows}
    bases, jobs = [], []
    for seed in settings.seeds:
        if (seed, settings.base.name, BASE) not in done:
            bases.append(Job(seed, settings.base.name, (BASE,)))
        for entry in settings.domains:
            methods = tuple(
                m for m in settings.methods
                if (seed, entry.name, m) not in done
            )  # fmt: skip
            if methods:
                jobs.append(Job(seed, entry.name, methods))
    parts = processes // max(len(jobs), 1)
    if parts > 1:
        jobs = [part for job in jobs for part in _divided(job, parts)]
    return bases + jobs


def _divided(job, parts):
    parts = min(parts, len(job.methods))
    if parts == 1:
        return [job]
    return [
        Job(job.seed, job.domain, job.methods[i::parts], i + 1)
        for i in range(parts)
    ]


def wanted_keys(settings):
    """Keys of all rows of the finished comparison."""
    return [k for job in missing_jobs(settings, ()) for k in job.keys]


def seconds_left(jobs, rows, workers):
    """An estimate from the rows that are there, or `None` if they say nothing.

    A row takes as long as those like it: of the same domain and method, else
    of the same method, else of the same domain, else any. Bases, which take
    many times as long as other trainings, are only like bases. The longest
    jobs are given to the workers first.

    Args:
        jobs: The `Job`s; what has a row already takes no time.
        rows: Those that exist.
        workers: How many work side by side.
    """
    loads = [0.0] * max(workers, 1)
    done = {key_of(r) for r in rows}
    lengths = [_length(job, rows, done) for job in jobs]
    if None in lengths:
        return None
    for length in sorted(lengths, reverse=True):
        loads[loads.index(min(loads))] += length
    return max(loads)


def _length(job, rows, done):
    keys = [key for key in job.keys if key not in done]
    rows = [r for r in rows if (r["method"] == BASE) == job.is_base]
    if keys and not rows:
        return None
    total = 0.0
    for _, domain, method in keys:
        for like in (
            [r for r in rows if (r["domain"], r["method"]) == (domain, method)],
            [r for r in rows if r["method"] == method],
            [r for r in rows if r["domain"] == domain],
            rows,
        ):
            if like:
                total += statistics.fmean(r["seconds"] for r in like)
                break
    return total


def told(seconds):
    """`3725` -> `"1 h 2 min"`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
