"""Accuracies that people type or keep in tables."""

import csv
import math
from pathlib import Path

_DOMAIN, _REFERENCE, _ACCURACY = "domain", "reference", "accuracy"


def parse_pairs(pairs, percent=False):
    """Accuracies from strings like `"dtd=0.55"`.

    Args:
        pairs: Strings `DOMAIN=ACCURACY`.
        percent: Whether the numbers are percent; else they are fractions.

    Returns:
        Dict from names to fractions.

    Raises:
        ValueError: For another form, a name that comes twice, or numbers
            that look like the other unit.
    """
    found = {}
    for pair in pairs:
        name, equals, text = pair.rpartition("=")
        if not (equals and name.strip()):
            raise ValueError(f"Expected DOMAIN=ACCURACY. Received: {pair!r}")
        _add(found, name.strip(), _number(text, pair))
    return to_fractions(found, percent)


def read_table(path, columns=None, percent=False):
    """Accuracies from a CSV file with a heading.

    Args:
        path: A file with one row per domain, a column `domain`, one or more
            columns of accuracies, and optionally a column `reference`.
        columns: Names of the accuracy columns; by default `accuracy` if there
            is one, else all but `domain` and `reference`.
        percent: Whether the numbers are percent; else they are fractions.

    Returns:
        `(accuracies, references)`: a dict from column names to dicts from
        domain names to fractions, and such a dict or `None`.

    Raises:
        ValueError: For missing columns, repeated domains or other values
            than numbers; names the row.
    """
    with Path(path).open(encoding="utf-8-sig", newline="") as f:
        reader = csv.DictReader(f, restkey="")
        heading = [h for h in reader.fieldnames or () if h]
        rows = list(reader)
    if len(set(heading)) < len(heading):
        raise ValueError(
            f"Columns of {path} must have different names. "
            f"Received: {', '.join(heading)}"
        )
    if _DOMAIN not in heading or not rows:
        raise ValueError(
            f"{path} must have a heading with a column {_DOMAIN!r} and at "
            f"least one row. Received columns: {', '.join(heading) or 'none'}"
        )
    others = [h for h in heading if h not in (_DOMAIN, _REFERENCE)]
    columns = columns or ([_ACCURACY] if _ACCURACY in others else others)
    unknown = [c for c in columns if c not in others]
    if unknown or not columns:
        raise ValueError(
            f"{path} has no accuracy column {', '.join(unknown) or 'at all'}. "
            f"Known columns: {', '.join(others) or 'none'}"
        )
    accuracies = {c: _column(rows, c, path, percent) for c in columns}
    if _REFERENCE not in heading:
        return accuracies, None
    return accuracies, _column(rows, _REFERENCE, path, percent)


def to_fractions(values, percent):
    """Percent as fractions; fractions that are called percent are refused.

    Args:
        values: Dict from names to numbers.
        percent: Whether they are percent. Otherwise they are returned as
            they are: whoever scores them refuses percent.
    """
    if not percent or not values:
        return values
    for name, value in values.items():
        if not 0 <= value <= 100:
            raise ValueError(
                f"Percent lie in [0, 100]. Received: {name}={value}"
            )
    if max(values.values()) <= 1:
        raise ValueError(
            "Expected percent, but no value is above 1: these look like "
            "fractions. Received: "
            + ", ".join(f"{n}={v}" for n, v in list(values.items())[:3])
        )
    return {name: value / 100 for name, value in values.items()}


def _column(rows, column, path, percent):
    found = {}
    for number, row in enumerate(rows, start=2):
        where = f"{path}, row {number}, column {column!r}"
        name = (row[_DOMAIN] or "").strip()
        if not name:
            raise ValueError(
                f"Expected the name of a domain. Received: {where}"
            )
        _add(found, name, _number(row[column] or "", where))
    return to_fractions(found, percent)


def _add(found, name, value):
    if name in found:
        raise ValueError(
            f"Domain {name!r} must be given once. Received: {found[name]} and "
            f"{value}"
        )
    found[name] = value


def _number(text, where):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(
            f"Expected a number as accuracy. Received: {text!r} ({where})"
        )
    return value
