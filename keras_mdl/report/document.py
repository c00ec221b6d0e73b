"""The frame of a report's page: one HTML file that needs nothing else."""

from html import escape

from keras_mdl.report.style import CSS


def document(title, sections):
    """A whole page.

    Args:
        title: Plain text.
        sections: HTML strings.
    """
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, '
        'initial-scale=1">\n'
        f"<title>{escape(title)} - keras_mdl</title>\n"
        f"<style>\n{CSS}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(sections)
        + "\n</main>\n</body>\n</html>\n"
    )


def definitions(values):
    """`{name: value}` as a list of definitions."""
    return (
        "<dl>"
        + "".join(
            f"<dt>{escape(str(k).replace('_', ' '))}</dt>"
            f"<dd>{escape(_shown(v))}</dd>"
            for k, v in values.items()
        )
        + "</dl>"
    )


def _shown(value):
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_shown, value))
    if isinstance(value, dict):
        return ", ".join(f"{k}: {_shown(v)}" for k, v in value.items())
    return str(value)
