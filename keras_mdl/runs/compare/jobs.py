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
    """

    seed: int
    domain: str
    methods: tuple

    @property
    def is_base(self):
        """Whether the other jobs of its seed wait for this one."""
        return self.methods == (BASE,)

    @property
    def name(self):
        """Of its log file."""
        return f"s{self.seed}-{self.domain}"

    @property
    def keys(self):
        """Keys of the rows that it adds."""
        return [(self.seed, self.domain, m) for m in self.methods]


def missing_jobs(settings, rows):
    """The `Job`s that are left, bases first.

    Args:
        settings: `CompareSettings`.
        rows: Those that exist.
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
    return bases + jobs


def wanted_keys(settings):
    """Keys of all rows of the finished comparison."""
    return [k for job in missing_jobs(settings, ()) for k in job.keys]


def seconds_left(missing, rows, workers):
    """An estimate from the rows that are there, or `None` if they say nothing.

    A row takes as long as those like it: of the same domain and method, else
    of the same method, else of the same domain, else any. Bases, which take
    many times as long as other trainings, are only like bases.

    Args:
        missing: Keys of the rows to come.
        rows: Those that exist.
        workers: How many work side by side.
    """
    total = 0.0
    for _, domain, method in missing:
        kind = [r for r in rows if (r["method"] == BASE) == (method == BASE)]
        if not kind:
            return None
        for like in (
            [r for r in kind if (r["domain"], r["method"]) == (domain, method)],
            [r for r in kind if r["method"] == method],
            [r for r in kind if r["domain"] == domain],
            kind,
        ):
            if like:
                total += statistics.fmean(r["seconds"] for r in like)
                break
    return total / max(workers, 1)


def told(seconds):
    """`3725` -> `"1 h 2 min"`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
