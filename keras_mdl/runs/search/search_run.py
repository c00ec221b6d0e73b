"""`search`: a search run from its settings to its report, resumable."""

import os
import pathlib
from collections.abc import Callable
from dataclasses import dataclass

from keras_mdl.report.search_page import write_search_report
from keras_mdl.report.search_summary import summarize_search
from keras_mdl.runs.engine import format_duration, result_of
from keras_mdl.runs.executors import open_engine
from keras_mdl.runs.experiment import (
    Kind,
    opened,
    refuse_changes,
    refuse_folder_of_others,
)
from keras_mdl.runs.records import write_csv
from keras_mdl.runs.search.search_jobs import jobs_of
from keras_mdl.runs.search.search_settings import SearchSettings

ROWS = "rows.csv"

KIND = Kind("search", "search.yaml")


@dataclass(frozen=True)
class Searched:
    """What has come of a search run.

    Attributes:
        folder: Where its files are: `paths/`, `models/`, `rows.csv`,
            `summary.csv`, `report.html`.
        rows: All rows, as dicts.
        summary: `SearchSummary`, or `None` without any row.
        failures: List of `Failure`; empty if all is well.
    """

    folder: pathlib.Path
    rows: list
    summary: object
    failures: list


def search(
    settings: SearchSettings,
    out: str | os.PathLike,
    processes: int | None = None,
    say: Callable = print,
    executor: str | None = None,
) -> Searched:
    """Searches and trains what is missing, and reports all that is there.

    Args:
        settings: `SearchSettings`.
        out: The run's folder: new, empty, or that of the same run, which then
            goes on where it was, even in the middle of a search.
        processes: Jobs at a time; default `settings.processes`, or one for
            each core.
        say: Function that shows a line of text.
        executor: What they run on, default `settings.executor`.

    Returns:
        A `Searched`.

    Raises:
        ValueError: If the folder holds a run with other settings.
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
            failures = _run(engine, jobs, say)
        rows, summary = _report(settings, jobs, out)
    return Searched(out, rows, summary, failures)


def check(settings, out):
    """Refuses what cannot be run into `out`, before anything is written.

    Raises:
        ValueError, FileExistsError: As `search`.
    """
    refuse_folder_of_others(settings, out, KIND)
    if pathlib.Path(out).exists():
        refuse_changes(jobs_of(settings), out)


def _run(engine, jobs, say):
    done = {j.name for j in jobs if result_of(j, engine.folder)}
    count = len(jobs)
    say(f"{count} searches and trainings, {len(done)} of them done already")

    def tell(found):
        done.add(found["job"]["name"])
        left = engine.seconds_left()
        ending = "" if left is None or len(done) == count else (
            f", about {format_duration(left)} left"
        )  # fmt: skip
        rows = found["result"].get("rows")
        what = "paths found" if rows is None else (
            f"{100 * sum(r['accuracy'] for r in rows) / len(rows):.1f} %"
        )  # fmt: skip
        say(
            f"[{len(done):>{len(str(count))}}/{count}] "
            f"{found['job']['name']}: {what} in "
            f"{format_duration(found['seconds'])}{ending}"
        )

    engine.start(jobs)
    return engine.wait(tell)


def _report(settings, jobs, out):
    rows, unions, searches = [], {}, {}
    for job in jobs:
        stored = result_of(job, out)
        if stored is None:
            continue
        found, method = stored["result"], job.where["method"]
        if "rows" in found:
            rows += [{**r, "seconds": stored["seconds"]} for r in found["rows"]]
            key = (job.values["seed"], method)
            unions[key] = unions.get(key, 0) + found["union_bytes"]
        elif len(found["blocks"]) > 1:
            searches.setdefault(method, found)
    if not rows:
        return rows, None
    summary = summarize_search(rows, unions, searches, settings.to_dict())
    write_csv(out / ROWS, rows)
    write_csv(out / "summary.csv", [m.to_dict() for m in summary.methods])
    write_search_report(summary, out / "report.html")
    return rows, summary
