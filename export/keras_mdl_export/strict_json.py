"""JSON from untrusted files: one meaning, bounded size, plain values."""

import json
import math


def parse_object(content, limit, what):
    """Parses a JSON object and refuses what JSON readers disagree about.

    Repeated keys, NaN, infinities (`1e999` too), strings that are no Unicode
    text and byte order marks are refused: two programs that read the file
    must not see two different manifests.

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
        # "\\ud800" is valid JSON, but no text: it could not be printed.
        json.dumps(values, ensure_ascii=False).encode("utf-8")
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
    result = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {key!r} stands there twice")
        result[key] = value
    return result


def _no_constant(name):
    raise ValueError(f"{name} is not a JSON number")


def _finite(text):
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:32]} is too large")
    return value
