"""`write_search_report`: a search run as one HTML page."""

import os

from keras_mdl.files import write_text
from keras_mdl.report import search_figures
from keras_mdl.report.rendering import render, spread
from keras_mdl.report.search_summary import SearchSummary
from keras_mdl.report.text import method_label
from keras_mdl.tables import format_table


def write_search_report(summary: SearchSummary, path: str | os.PathLike):
    """Writes a self-contained HTML page: no scripts, nothing to fetch.

    Args:
        summary: `SearchSummary`.
        path: File to write, atomically.
    """
    write_text(
        path, render("search.html", summary=summary, figures=search_figures)
    )


def search_text(summary: SearchSummary) -> str:
    """The result on a terminal."""
    rows = [["method", "mean accuracy", "parameters", "ratio", "MACs", "KiB"]]
    for m in summary.methods:
        if m.mean is None:
            rows.append([method_label(m.method), "incomplete", *[""] * 4])
            continue
        rows.append(
            [
                method_label(m.method),
                spread(m.mean),
                f"{m.parameters:,.0f}",
                "" if m.ratio is None else f"{m.ratio:.2f}",
                f"{m.macs / 1e6:,.2f} M",
                f"{m.bytes / 1024:,.0f}",
            ]
        )
    return format_table(rows)
