"""The rows that the benchmarks have stored, and Markdown tables of them."""

import csv
import pathlib
import statistics

RESULTS = pathlib.Path(__file__).parent / "results"


def rows(name):
    """All rows of a file in `results/`, as dicts of strings."""
    with open(RESULTS / name, newline="") as f:
        return list(csv.DictReader(f))


def append(path, new):
    """Adds dicts of the same keys as rows to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    heading = not path.exists()
    with open(path, "a", newline="") as f:
        writer = csv.DictWriter(f, list(new[0]))
        if heading:
            writer.writeheader()
        writer.writerows(new)


def markdown(heading, lines, *notes):
    """Lists of cells as a table, and text beneath."""
    lines = [" | ".join(map(str, cells)) for cells in [heading, *lines]]
    lines = [f"| {line} |".replace("  ", " ") for line in lines]
    lines.insert(1, "|" + "---|" * len(heading))
    return "\n".join([*lines, "", *(f"{note}\n" for note in notes)])


def distinct(rows, *columns):
    """The values of a column, or tuples of several, in their order."""
    values = [tuple(r[c] for c in columns) for r in rows]
    return list(dict.fromkeys(v if columns[1:] else v[0] for v in values))


def spread(values, sign=""):
    """Mean ± half the range, in percent."""
    if not values:
        return "-"
    half = (max(values) - min(values)) / 2
    return f"{100 * statistics.mean(values):{sign}.1f} ± {100 * half:.1f}"
