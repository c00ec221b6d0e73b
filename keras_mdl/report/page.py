"""`write_report`: a demo run as one HTML page that needs nothing else."""

import math
import os

from keras_mdl.files import write_text
from keras_mdl.report import figures
from keras_mdl.report.contents import Contents
from keras_mdl.report.rendering import render
from keras_mdl.report.text import accuracy_rows, own_parts
from keras_mdl.report.text import headline as headline


def write_report(contents: Contents, path: str | os.PathLike) -> None:
    """Writes a self-contained HTML page: no scripts, nothing to fetch.

    Args:
        contents: `Contents`.
        path: File to write, atomically.
    """
    write_text(path, render_report(contents))


def render_report(contents: Contents) -> str:
    """The page as a string."""
    further = [contents.costs(d)["bytes"] for d in contents.further]
    soft, export = contents.soft_sharing, contents.export
    return render(
        "demo.html",
        contents=contents,
        figures=figures,
        headline=headline(contents),
        accuracy_rows=accuracy_rows(contents),
        own_parts=export and own_parts(export),
        mean_bytes=sum(further) / max(len(further), 1),
        parts=dict.fromkeys(
            p for row in contents.isolation for p in row["states"]
        ),
        most_entropy=soft and math.log(len(soft["gates"][0]["weights"])),
    )
