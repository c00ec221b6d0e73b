"""`compare`: a comparison from its settings to its report, resumable."""

import os
import pathlib
from collections.abc import Callable
from dataclasses import dataclass

from keras_mdl.domains import Domain
from keras_mdl.report.compare_page import write_compare_report
from keras_mdl.report.compare_summary import summarize_rows
from keras_mdl.runs.compare.plan import jobs_of
from keras_mdl.runs.compare.rows import BASE, FILE, row_of
from keras_mdl.runs.compare.settings import CompareSettings
from keras_mdl.runs.compare.trial import base_path
from keras_mdl.runs.engine import RESULTS, format_duration, result_of
from keras_mdl.runs.executors import open_engine
from keras_mdl.runs.experiment import (
    Kind,
    opened,
    refuse_changes,
    refuse_folder_of_others,
)
from keras_mdl.runs.networks import build_network
from keras_mdl.runs.pretrained import PRETRAINED, open_pretrained
from keras_mdl.runs.records import write_csv

KIND = Kind("comparison", "compare.yaml")


@dataclass(frozen=True)
class Compared:
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


def compare(
    settings: CompareSettings,
    out: str | os.PathLike,
    processes: int | None = None,
    say: Callable = print,
    executor: str | None = None,
) -> Compared:
    """Trains what is missing, and reports all that is there.

    Args:
        settings: `CompareSettings`.
        out: The comparison's folder: new, empty, or that of the same
            comparison, which then goes on where it was.
        processes: Trainings at a time; default `settings.processes`, or one
            for each core.
        say: Function that shows a line of text.
        executor: What they run on, default `settings.executor`; see
            `keras_mdl.runs.executors`.

    Returns:
        A `Compared`.

    Raises:
        ValueError: If the folder holds another comparison or the settings
            file itself, or the network cannot be built. Nothing has been
            written then.
        FileExistsError: If it is some other folder, or in use.
        RuntimeError: If the executor is not installed.
    """
    out = pathlib.Path(out)
    with opened(settings, out, KIND, check, jobs_of, executor) as jobs:
        with open_engine(
            out,
            executor or settings.executor,
            processes or settings.processes,
        ) as engine:
            rows, failures = train_all(engine, jobs, say)
        summary = _report(settings, rows, out)
    return Compared(out, rows, summary, failures)


def check(settings, out):
    """Refuses what cannot be run into `out`, before anything is written.

    Raises:
        ValueError, FileExistsError: As `compare`.
    """
    out = pathlib.Path(out)
    refuse_folder_of_others(settings, out, KIND)
    if out.exists():
        if (out / FILE).exists() and not (out / RESULTS).is_dir():
            raise FileExistsError(
                f"{out} has rows of another version of this package, which "
                "has no single results: choose a new folder"
            )
        jobs = jobs_of(settings)
        refuse_changes(jobs, out)
        _require_bases(jobs, out)
    # What does not suit the network (the size, say) comes out here.
    if settings.network in PRETRAINED:
        open_pretrained(settings.network, settings.size)
        return
    build_network(
        settings.network,
        [Domain(settings.base.name, 2)],
        settings.size,
        settings.width,
    )


def _require_bases(jobs, out):
    bases = {j.name: j for j in jobs if not j.after}
    for job in jobs:
        if job.after and not result_of(job, out):
            base = bases[job.after[0]]
            path = base_path(out, base.name)
            if result_of(base, out) and not path.is_file():
                raise ValueError(
                    f"The rows of seed {base.values['seed']} in {out} started "
                    f"from a base that is gone: {path}. Put it back, or "
                    "choose a new folder"
                )


def train_all(engine, jobs, say):
    """Trains what is missing, and says how it goes.

    Args:
        engine: An `Engine`.
        jobs: Of `keras_mdl.runs.compare.plan`.
        say: Function that shows a line of text.

    Returns:
        `(rows in the order of the jobs, failures)`.
    """
    rows = {j.name: result_of(j, engine.folder) for j in jobs}
    rows = {name: found and row_of(found) for name, found in rows.items()}
    count = len(jobs)

    def there():
        return [row for row in rows.values() if row]

    def tell(found):
        row, left = row_of(found), engine.seconds_left()
        rows[found["job"]["name"]] = row
        write_csv(engine.folder / FILE, there())
        known = left is not None and len(there()) < count
        ending = f", about {format_duration(left)} left" if known else ""
        say(
            f"[{len(there()):>{len(str(count))}}/{count}] "
            f"{row['domain']} by {row['method']}, seed {row['seed']}: "
            f"{_percent(row['accuracy'])} in "
            f"{format_duration(found['seconds'])}{ending}"
        )

    engine.start(jobs)
    beside = f"; {engine.beside} at a time" if engine.beside else ""
    say(f"{count} trainings, {len(there())} of them done already{beside}")
    failures = engine.wait(tell)
    return there(), failures


def _percent(accuracy):
    return "ready" if accuracy == "" else f"{100 * accuracy:.1f} %"


def _report(settings, rows, out):
    if rows:  # also those of a driver that was killed before it wrote them
        write_csv(out / FILE, rows)
    if all(r["method"] == BASE for r in rows):
        return None
    summary = summarize_rows(rows, settings.to_dict())
    write_csv(out / "summary.csv", summary.to_dicts())
    write_compare_report(summary, out / "report.html")
    return summary
