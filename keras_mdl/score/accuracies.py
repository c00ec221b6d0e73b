"""Accuracies that people type or keep in tables."""

import csv
import math
import os
from collections.abc import Iterable
from pathlib import Path

_DOMAIN, _REFERENCE, _ACCURACY = "domain", "reference", "accuracy"


def parse_pairs(pairs: Iterable[str], percent: bool = False) -> dict:
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
    entries = []
    for pair in pairs:
        name, equals, text = pair.rpartition("=")
        if not (equals and name.strip()):
            raise ValueError(f"Expected DOMAIN=ACCURACY. Received: {pair!r}")
        entries.append((name, text, pair))
    return _fractions(entries, percent)


def read_table(
    path: str | os.PathLike,
    columns: list[str] | None = None,
    percent: bool = False,
) -> tuple[dict, dict | None]:
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
    wanted = columns + [_REFERENCE] * (_REFERENCE in heading)
    found = {}
    for column in wanted:
        entries = []
        for number, row in enumerate(rows, start=2):
            where = f"{path}, row {number}, column {column!r}"
            if not (row[_DOMAIN] or "").strip():
                raise ValueError(
                    f"Expected the name of a domain. Received: {where}"
                )
            entries.append((row[_DOMAIN], row[column] or "", where))
        found[column] = _fractions(entries, percent)
    references = found.pop(_REFERENCE, None)
    return found, references


def _fractions(entries, percent):
    """`{name: fraction}` of `(name, text, where it stands)`.

    Fractions that are called percent are refused here; percent that are
    called fractions, by whoever scores them.
    """
    found = {}
    for name, text, where in entries:
        name = name.strip()
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ValueError(
                f"Expected a number as accuracy. Received: {text!r} ({where})"
            )
        if name in found:
            raise ValueError(
                f"Domain {name!r} must be given once. Received: "
                f"{found[name]} and {value}"
            )
        if percent and not 0 <= value <= 100:
            raise ValueError(
                f"Percent lie in [0, 100]. Received: {name}={value}"
            )
        found[name] = value
    if not percent:
        return found
    if found and max(found.values()) <= 1:
        first = ", ".join(f"{n}={v}" for n, v in list(found.items())[:3])
        raise ValueError(
            "Expected percent, but no value is above 1: these look like "
            f"fractions. Received: {first}"
        )
    return {name: value / 100 for name, value in found.items()}
