"""Pages that are lists of sections: text, a table, a figure, pictures."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from keras_mdl.files import write_text
from keras_mdl.report.rendering import render


class Shot(NamedTuple):
    """A picture with a line under it.

    Attributes:
        pixels: uint8 `(h, w, 3)`.
        caption: The line.
        wrong: Whether it shows a mistake.
    """

    pixels: np.ndarray
    caption: str = ""
    wrong: bool = False


@dataclass(frozen=True)
class Section:
    """A part of a page; whatever is left out is not shown.

    Attributes:
        heading: Its title.
        text: A paragraph.
        draw: Function of `(results, theme)`, see `keras_mdl.report.theme`.
        results: What it draws.
        alt: The figure in words.
        rows: Rows of a table, the heading first.
        caption: What the table shows.
        numeric_from: First column of numbers.
        shots: `Shot`s side by side.
        large: Whether they are shown large.
    """

    heading: str
    text: str = ""
    draw: Callable | None = None
    results: Any = None
    alt: str = ""
    rows: Sequence = ()
    caption: str = ""
    numeric_from: int = 1
    shots: Sequence = ()
    large: bool = False


def write_sections(
    path: str | os.PathLike,
    title: str,
    lead: str,
    sections: Sequence,
    settings: dict,
    environment: dict,
) -> None:
    """Writes a self-contained HTML page, atomically.

    Args:
        path: File to write.
        title: Its headline.
        lead: The result in a sentence or two.
        sections: `Section`s.
        settings, environment: `{name: value}`, shown at the end.
    """
    write_text(
        path,
        render(
            "sections.html",
            title=title,
            lead=lead,
            sections=sections,
            settings=settings,
            environment=environment,
        ),
    )
