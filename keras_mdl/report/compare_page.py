"""`write_compare_report`: a comparison of methods as one HTML page."""

import os

from keras_mdl.files import write_text
from keras_mdl.report.compare_figure import accuracy_against_bytes
from keras_mdl.report.compare_summary import Summary
from keras_mdl.report.rendering import render, spread
from keras_mdl.tables import format_table


def write_compare_report(summary: Summary, path: str | os.PathLike) -> None:
    """Writes a self-contained HTML page: no scripts, nothing to fetch.

    Args:
        summary: `Summary`.
        path: File to write, atomically.
    """
    write_text(path, render_compare_report(summary))


def render_compare_report(summary: Summary) -> str:
    """The page as a string."""
    return render(
        "compare.html",
        summary=summary,
        points=points_of(summary),
        draw=accuracy_against_bytes,
    )


def points_of(summary: Summary) -> list[tuple]:
    """What the figure shows: `(method, bytes, mean, half range)` each."""
    return [
        (m.method, m.costs["stored_bytes"], m.mean.mean, m.mean.half)
        for m in summary.methods
        if m.mean is not None
    ]


def compare_text(summary: Summary) -> str:
    """The result on a terminal."""
    rows = [["method", "mean accuracy", "S", "added KiB", "MACs", "seconds"]]
    for m in summary.methods:
        rows.append(
            [
                m.method,
                spread(m.mean) or f"{m.trainings[0]} trainings",
                "" if m.score is None else f"{m.score:.0f}",
                f"{m.costs['stored_bytes'] / 1024:,.1f}",
                f"{m.costs['macs_folded'] / 1e6:,.1f} M",
                f"{m.costs['seconds']:,.0f}",
            ]
        )
    return format_table(rows)
