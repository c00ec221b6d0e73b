"""`render`: results into a packaged template."""

import base64
import functools
import io
import re

import jinja2

from keras_mdl.report.compare_summary import Spread
from keras_mdl.report.text import method_label, percent
from keras_mdl.report.theme import DARK, LIGHT


def render(template: str, **values) -> str:
    """A page as a string; in HTML every value is escaped.

    Args:
        template: Name of a file in `templates/`.
        **values: What it shows.
    """
    return _environment().get_template(template).render(values)


@functools.cache
def _environment():
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("keras_mdl.report"),
        autoescape=lambda name: name is None or not name.endswith(".md"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(
        cell=_cell, label=method_label, number=_number, percent=percent,
        png=_png, shown=_shown, spread=spread,
    )  # fmt: skip
    environment.globals["svgs"] = _svgs
    return environment


def spread(value: Spread | None) -> str:
    """A `Spread` of accuracies in percent; nothing for `None`."""
    if value is None:
        return ""
    text = f"{100 * value.mean:.1f}"
    return f"{text} ± {100 * value.half:.1f}" if value.half else text


def _cell(text):
    """Text for Markdown, also in tables: no mark of it means anything."""
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", " ".join(str(text).split()))


def _number(value, digits=0):
    return "" if value is None else f"{value:,.{digits}f}"


def _shown(value):
    """Settings as people write them."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_shown, value))
    if isinstance(value, dict):
        return ", ".join(f"{k}: {_shown(v)}" for k, v in value.items())
    return str(value)


def _png(pixels):
    """A uint8 image as the address of a picture."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return _address("png", buffer)


def _svgs(draw, results):
    """A figure as the addresses of a light and a dark picture."""
    import matplotlib

    for theme in (LIGHT, DARK):
        buffer = io.BytesIO()
        # A fixed salt and no date: the same run gives the same bytes.
        with matplotlib.rc_context({"svg.hashsalt": "keras_mdl"}):
            draw(results, theme).savefig(
                buffer,
                format="svg",
                transparent=True,
                metadata={"Date": None, "Creator": None},
            )
        yield _address("svg+xml", buffer)


def _address(kind, buffer):
    data = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/{kind};base64,{data}"
