"""Settings of a comparison in a YAML file."""

import pathlib
import re
from dataclasses import fields

from keras_mdl.runs.compare.checks import listed, mapping, require_known
from keras_mdl.runs.compare.data_entry import DataEntry
from keras_mdl.runs.compare.settings import CompareSettings


def read_settings(path, check=True):
    """The `CompareSettings` in a YAML file.

    Args:
        path: The file; relative paths of data in it are relative to it.
        check: Whether to look if the data can be there.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not valid YAML, has unknown keys, or values that
            cannot be.
    """
    import yaml

    path = pathlib.Path(path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} is not valid YAML: {reason}") from error
    try:
        return settings_from(values, path.parent, check)
    except (ValueError, TypeError) as error:
        raise ValueError(f"In {path}: {error}") from error


def settings_from(values, folder=".", check=True):
    """`CompareSettings` from plain values, as a YAML file has them.

    Args:
        values: A mapping, see `CompareSettings`; `base` is `{data: SPEC,
            epochs: N, recipe: NAME}`, `domains` a list of `[NAME=]SPEC` or
            `{data: SPEC, flip: true, ...}`, `methods` a list of names or
            `{name: {value: ...}}`.
        folder: What relative paths are relative to.
        check: Whether to look if the data can be there.

    Raises:
        ValueError: For unknown or missing keys, or unknown data.
        FileNotFoundError: For folders of images that are not there.
    """
    values = dict(mapping("the file", values))
    known = [f.name for f in fields(CompareSettings) if f.name != "folder"]
    # In the file they belong to `base` and `methods`.
    known = [k for k in known if k not in ("base_epochs", "base_recipe")]
    known.remove("overrides")
    require_known(values, known, "key")
    for key in ("base", "domains"):
        if not values.get(key):
            raise ValueError(f"The key {key!r} is missing")
    base = values.pop("base")
    base = {"data": base} if isinstance(base, str) else dict(
        mapping("base", base)
    )  # fmt: skip
    for key in ("epochs", "recipe"):
        if key in base:
            values[f"base_{key}"] = base.pop(key)
    values["base"] = DataEntry.of(base, extra=("epochs", "recipe"))
    values["domains"] = tuple(
        DataEntry.of(d) for d in listed("domains", values["domains"])
    )
    if "methods" in values:
        values["methods"], values["overrides"] = _methods(values["methods"])
    if "seeds" in values:
        values["seeds"] = tuple(listed("seeds", values["seeds"]))
    settings = CompareSettings(**values, folder=pathlib.Path(folder))
    if check:
        for entry in (settings.base, *settings.domains):
            entry.check(settings.folder)
    return settings


def _methods(values):
    """`(names, overrides)` of a list of names and `{name: values}`."""
    names, overrides = [], {}
    if isinstance(values, dict):
        values = [{k: v} for k, v in values.items()]
    for item in listed("methods", values):
        item = {item: None} if isinstance(item, str) else item
        for name, changes in mapping("methods", item).items():
            names.append(name)
            if changes:
                changes = mapping(f"methods: {name}", changes)
                overrides[name] = {k: _number(v) for k, v in changes.items()}
    return tuple(names), overrides


def _number(value):
    # YAML 1.1 takes 1e-2 for a word: it wants 1.0e-2.
    if isinstance(value, str) and re.fullmatch(r"[\d.]+[eE][-+]?\d+", value):
        return float(value)
    return value
