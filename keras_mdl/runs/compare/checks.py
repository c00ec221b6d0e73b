"""Checks of plain values, with messages that say what was expected."""

import math


def require_number(label, value, kind, low=None, high=math.inf):
    """Refuses what is not a number of that kind, from `low` to `high`.

    `low=None` is above 0: whole numbers from 1 on.
    """
    allowed = (int,) if kind is int else (int, float)
    valid = type(value) in allowed and math.isfinite(value)
    inside = valid and (low or 0) <= value <= high
    if not inside or (low is None and value == 0):
        what = "a whole number" if kind is int else "a number"
        rest = f"from {low} on" if low is not None else "above 0"
        if high < math.inf:
            rest = f"from {low or 0} to {high}"
        raise ValueError(
            f"`{label}` must be {what} {rest}. Received: {value!r}"
        )


def require_distinct(label, values):
    """Refuses an empty list and one with repetitions."""
    if not values or len(set(values)) < len(values):
        raise ValueError(
            f"`{label}` must be a list of different values, at least one. "
            f"Received: {list(values)}"
        )


def require_known(values, known, what):
    """Refuses names that are not among those known."""
    for key in values:
        if key not in known:
            raise ValueError(
                f"Unknown {what}: {key!r}. Known: {', '.join(known)}"
            )


def mapping(label, value):
    """`value`, if it is a mapping."""
    if not isinstance(value, dict):
        raise ValueError(
            f"{label} must map names to values. Received: {value!r}"
        )
    return value


def listed(label, value):
    """`value`, if it is a list."""
    if not isinstance(value, list):
        raise ValueError(f"`{label}` must be a list. Received: {value!r}")
    return value
