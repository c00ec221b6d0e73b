"""JSON from untrusted files: one meaning, bounded size, a schema."""

import json
import math
import re
import reprlib

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80


def parse_object(content, limit, what):
    """Parses a JSON object and refuses what JSON readers disagree about.

    Repeated keys, NaN, infinities (`1e999` too) and byte order marks are
    refused: two programs that read the file must not see two different
    things. Check the result with a schema: it may hold any strings.

    Args:
        content: The bytes, UTF-8.
        limit: The most bytes that are parsed.
        what: What it is, for messages.

    Returns:
        The object, as a dict of plain values.

    Raises:
        ValueError: If it is too long, no valid JSON, or no object.
    """
    if len(content) > limit:
        raise ValueError(
            f"{what} may be at most {limit} bytes of JSON. "
            f"Received: {len(content)} bytes"
        )
    try:
        values = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_unique_keys,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except RecursionError:
        raise ValueError(f"{what} is nested too deeply to be read") from None
    except ValueError as error:
        raise ValueError(f"{what} is not valid JSON: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(
            f"{what} must be a JSON object. Received: a {type(values).__name__}"
        )
    return values


def to_bytes(values, indent=None):
    """The JSON text of plain values, in UTF-8.

    Raises:
        ValueError: For NaN and infinities, which JSON does not have.
        TypeError: For what is no plain value (a NumPy number, a path).
    """
    text = json.dumps(
        values, allow_nan=False, ensure_ascii=False, indent=indent
    )
    return text.encode("utf-8")


def _unique_keys(pairs):
    result = dict(pairs)
    if len(result) < len(pairs):
        seen = set()  # (`set.add` is `None`)
        twice = next(k for k, _ in pairs if k in seen or seen.add(k))
        raise ValueError(f"the key {shortened(twice)} stands there twice")
    return result


def _no_constant(name):
    raise ValueError(f"{name} is not a JSON number")


def _finite(text):
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:32]} is too large")
    return value


# === Schemas: functions that refuse a value that stands at a place ===


def refuse(where, expected, received):
    """Raises the `ValueError` of all schemas; the text is bounded."""
    where = f"`{where}`" if where else "it"
    raise ValueError(
        f"{where} should be {expected}. Received: {shortened(received)}"
    )


def shortened(value):
    """The `repr` of a value of any size, in a line."""
    return _SHORT.repr(value)


def text(pattern=None, longest=1024):
    """Text that is Unicode, not blank, and matches a pattern."""
    expected = f"a text of 1 to {longest} characters"
    if pattern is not None:
        expected = f"text that matches {pattern}"
    pattern = re.compile(pattern or r"(?s).*\S.*")

    def check(value, where):
        if (
            not isinstance(value, str)
            or len(value) > longest
            or not pattern.fullmatch(value)
            # "\\ud800" is valid JSON, but no text: it cannot be printed.
            or any("\ud800" <= c <= "\udfff" for c in value)
        ):
            refuse(where, expected, value)

    return check


def integer(low, high):
    """An integer in a range (no boolean, no `1.0`)."""

    def check(value, where):
        if type(value) is not int or not low <= value <= high:
            refuse(where, f"an integer from {low} to {high}", value)

    return check


def number(above=-math.inf):
    """A finite number above another one."""

    def check(value, where):
        if type(value) not in (int, float) or not above < value < math.inf:
            refuse(where, f"a finite number above {above}", value)

    return check


def choice(*known):
    """One of some texts."""

    def check(value, where):
        if not isinstance(value, str) or value not in known:
            refuse(where, f"one of {', '.join(map(repr, known))}", value)

    return check


def nullable(kind):
    """What `kind` accepts, or `null`."""

    def check(value, where):
        if value is not None:
            kind(value, where)

    return check


def list_of(kind, low, high):
    """A list of `low` to `high` items."""

    def check(value, where):
        if not isinstance(value, list) or not low <= len(value) <= high:
            refuse(where, f"a list of {low} to {high} items", value)
        for i, item in enumerate(value):
            kind(item, f"{where}[{i}]")

    return check


def table(key, kind, least=0):
    """An object with keys of one kind and values of one kind."""

    def check(value, where):
        if not isinstance(value, dict) or len(value) < least:
            refuse(where, f"an object with at least {least} keys", value)
        for name, item in value.items():
            key(name, where)
            kind(item, f"{where}.{name}")

    return check


def record(required, optional=()):
    """An object with these keys and no others: `{key: kind}`."""
    known = {**required, **dict(optional)}

    def check(value, where):
        if not isinstance(value, dict):
            refuse(where, "an object", value)
        for name in value:
            if name not in known:
                refuse(where, f"an object of {', '.join(known)}", name)
        for name, kind in known.items():
            place = f"{where}.{name}" if where else name
            if name in value:
                kind(value[name], place)
            elif name in required:
                refuse(place, "there", value)

    return check
