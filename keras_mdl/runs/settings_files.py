"""Settings as YAML files, and the checks of what stands in them."""

import math
import os
import pathlib
import re

from keras_mdl.files import write_text


def read_yaml(path, make):
    """What `make` makes of the values in a YAML file.

    Args:
        path: The file.
        make: Function of the values and of the file's folder, which relative
            paths in it are relative to.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not valid YAML, or `make` refuses the values.
    """
    import yaml

    path = pathlib.Path(path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} is not valid YAML: {reason}") from error
    try:
        return make(values, path.parent)
    except (ValueError, TypeError) as error:
        raise ValueError(f"In {path}: {error}") from error


def write_yaml(path, settings):
    """Writes settings that have `to_dict` and a `folder`."""
    import yaml

    text = yaml.safe_dump(
        settings.to_dict(), sort_keys=False, allow_unicode=True
    )
    folder = os.path.abspath(settings.folder)
    note = f"# Relative paths of data are relative to {folder}\n"
    write_text(path, note + text)


def numbers_of(values):
    """A mapping whose values that look like numbers are."""
    # YAML 1.1 takes 1e-2 for a word: it wants 1.0e-2.
    number = re.compile(r"[\d.]+[eE][-+]?\d+")
    return {
        k: float(v) if isinstance(v, str) and number.fullmatch(v) else v
        for k, v in values.items()
    }


def of_type(label, value, kind):
    """The value, which must be a list or a mapping (`kind`)."""
    if not isinstance(value, kind):
        what = "a list" if kind is list else "a mapping of names to values"
        raise ValueError(f"`{label}` must be {what}. Received: {value!r}")
    return value


def require_known(values, known, what):
    """Refuses keys that are not known."""
    for key in values:
        if key not in known:
            raise ValueError(
                f"Unknown {what}: {key!r}. Known: {', '.join(known)}"
            )


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
