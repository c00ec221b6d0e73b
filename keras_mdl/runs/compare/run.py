"""`compare`: a comparison from its settings to its report, resumable."""

import contextlib
import os
import pathlib
from dataclasses import dataclass

from keras_mdl.domains import Domain
from keras_mdl.files import write_text
from keras_mdl.report.compare_page import write_compare_report
from keras_mdl.report.compare_summary import summarize_rows
from keras_mdl.runs.compare import rows as rows_file
from keras_mdl.runs.compare.changes import require_extension
from keras_mdl.runs.compare.jobs import (
    missing_jobs,
    seconds_left,
    told,
    wanted_keys,
)
from keras_mdl.runs.compare.pool import Failure, Pool
from keras_mdl.runs.compare.settings_file import read_settings
from keras_mdl.runs.compare.worker import base_path
from keras_mdl.runs.networks import build_network
from keras_mdl.runs.records import write_csv

SETTINGS_FILE = "compare.yaml"


@dataclass(frozen=True)
class Comparison:
    """What has come of a comparison.

    Attributes:
        folder: Where its files are.
        rows: All rows, as dicts.
        summary: `keras_mdl.report.compare_summary.Summary`, or `None` as
            long as no domain has been trained.
        failures: List of `Failure`; empty if all is well.
    """

    folder: pathlib.Path
    rows: list
    summary: object
    failures: list


def compare(settings, out, processes=None, say=print):
    """Trains what is missing, and reports all that is there.

    Args:
        settings: `CompareSettings`.
        out: The comparison's folder: new, empty, or that of the same
            comparison, which then goes on where it was.
        processes: Workers at a time; default `settings.processes`, or one
            for each core.
        say: Function that shows a line of text.

    Returns:
        A `Comparison`.

    Raises:
        ValueError: If the folder holds another comparison or the settings
            file itself, or the network cannot be built. Nothing has been
            written then.
        FileExistsError: If it is some other folder, or in use.
    """
    out = pathlib.Path(out)
    check(settings, out)
    processes = processes or settings.processes or _cores()
    out.mkdir(parents=True, exist_ok=True)
    with _alone(out):
        _require_extension(settings, out)  # now that nobody else writes
        _write_settings(settings, out)
        for path in out.glob("bases/.*.keras"):
            path.unlink()  # left by a worker that was killed while saving
        failures = _run(settings, out, processes, say)
        rows = _rows(settings, out)
        summary = _report(settings, rows, out)
    return Comparison(out, rows, summary, failures)


def check(settings, out):
    """Refuses what cannot be run into `out`, before anything is written.

    Raises:
        ValueError, FileExistsError: As `compare`.
    """
    out = pathlib.Path(out)
    if out.exists():
        stored = out / SETTINGS_FILE
        if not out.is_dir() or (_visible(out) and not stored.is_file()):
            raise FileExistsError(
                f"{out} is not the folder of a comparison (it has no "
                f"{SETTINGS_FILE}): choose a new one"
            )
        if stored.exists() and settings.folder.resolve() == out.resolve():
            # Compared with itself, it could change under its own rows.
            raise ValueError(
                f"The settings are in {out}, the comparison's own folder, "
                f"where it keeps its copy ({SETTINGS_FILE}): give it a file "
                "that is elsewhere"
            )
        _require_extension(settings, out)
        _require_bases(settings, out)
    # What does not suit the network (the size, say) comes out here.
    build_network(
        settings.network,
        [Domain(settings.base.name, 2)],
        settings.size,
        settings.width,
    )


def _visible(folder):
    return [p for p in folder.iterdir() if not p.name.startswith(".")]


def _require_extension(settings, out):
    stored = out / SETTINGS_FILE
    if stored.is_file():
        old = read_settings(stored, check=False)
        require_extension(old, settings, rows_file.read_rows(out), out)


def _require_bases(settings, out):
    existing = rows_file.read_rows(out)
    known = {r["seed"] for r in existing if r["method"] == rows_file.BASE}
    for job in missing_jobs(settings, existing):
        path = base_path(out, job.seed)
        if job.seed in known and not path.is_file():
            raise ValueError(
                f"The rows of seed {job.seed} in {out} started from a base "
                f"that is gone: {path}. Put it back, or choose a new folder"
            )


def _run(settings, out, processes, say):
    jobs = missing_jobs(settings, rows_file.read_rows(out), processes)
    progress = _Progress(settings, out, jobs, processes, say)
    progress.start()
    with Pool(out, settings, processes) as pool:
        pool.run(jobs, progress.look)
    told_about = {f.job for f in pool.failures}
    left = missing_jobs(settings, rows_file.read_rows(out))
    keys = {k for job in left for k in job.keys}
    return pool.failures + [
        Failure(job, "ended without all of its rows")
        for job in jobs
        if job not in told_about and keys.intersection(job.keys)
    ]


class _Progress:
    """A line for each row that appears, and how long it may go on."""

    def __init__(self, settings, out, jobs, processes, say):
        self._wanted = wanted_keys(settings)
        self._out, self._say = out, say
        self._jobs, self._processes = jobs, processes
        self._seen = set()

    def start(self):
        """Says what is there already."""
        self._seen = self._done()[1]
        there, all_rows = len(self._seen), len(self._wanted)
        beside = f"; {min(self._processes, len(self._jobs))} at a time"
        self._say(
            f"{all_rows} trainings, {there} of them done already"
            + (beside if self._jobs else "")
        )

    def look(self):
        """Says what is new."""
        rows, done = self._done()
        if len(done) == len(self._seen):
            return
        for row in rows:
            key = rows_file.key_of(row)
            if key in done and key not in self._seen:
                self._seen.add(key)
                self._say(self._line(row, rows))

    def _done(self):
        rows = rows_file.read_rows(self._out)
        return rows, set(map(rows_file.key_of, rows)) & set(self._wanted)

    def _line(self, row, rows):
        count = len(str(len(self._wanted)))
        left = seconds_left(self._jobs, rows, self._processes)
        ending = f", about {told(left)} left" if left else ""
        return (
            f"[{len(self._seen):>{count}}/{len(self._wanted)}] "
            f"{row['domain']} by {row['method']}, seed {row['seed']}: "
            f"{100 * row['accuracy']:.1f} % in {told(row['seconds'])}{ending}"
        )


def _rows(settings, out):
    """The rows of these settings, in their order."""
    rows = {rows_file.key_of(r): r for r in rows_file.read_rows(out)}
    return [rows[k] for k in wanted_keys(settings) if k in rows]


def _report(settings, rows, out):
    if all(r["method"] == rows_file.BASE for r in rows):
        return None
    summary = summarize_rows(rows, settings.to_dict())
    write_csv(out / "summary.csv", summary.to_dicts())
    write_compare_report(summary, out / "report.html")
    return summary


def _write_settings(settings, out):
    import yaml

    text = yaml.safe_dump(
        settings.to_dict(), sort_keys=False, allow_unicode=True
    )
    folder = os.path.abspath(settings.folder)
    note = f"# Relative paths of data are relative to {folder}\n"
    write_text(out / SETTINGS_FILE, note + text)


@contextlib.contextmanager
def _alone(out):
    """Refuses a second comparison into the same folder at the same time."""
    import fcntl

    with open(out / ".lock", "w") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FileExistsError(
                f"Another comparison is running in {out}"
            ) from error
        yield


def _cores():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
