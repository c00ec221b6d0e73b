"""`--config FILE.yaml`: flags from a file; flags on the line win."""

import argparse

from keras_mdl.cli.errors import InputError

# Flags that are about one call and not about its result.
_NOT_SETTINGS = ("help", "config", "json", "debug", "overwrite")


def settable(parser):
    """`{name: argparse action}` of the flags that a file may set."""
    return {
        action.dest.replace("_", "-"): action
        for action in parser._actions
        if action.option_strings and action.dest not in _NOT_SETTINGS
    }


def settings_of(parser, args):
    """The values of a call as `{name: value}`, to be stored with a result."""
    found = {}
    for name, action in settable(parser).items():
        value = getattr(args, action.dest)
        if value is not None:
            found[name] = value
    return found


def apply_config(parser, path):
    """Makes the values of a YAML file the defaults of a command's parser.

    The keys are flag names. A record that a command wrote beside its output
    is accepted too: its section `settings` is read.

    Raises:
        InputError: If the file cannot be read, is not a mapping, has an
            unknown key or a value that the flag does not take.
    """
    values = _read(path)
    known = settable(parser)
    for key, value in values.items():
        action = known.get(str(key).replace("_", "-"))
        if action is None:
            raise InputError(
                f"Unknown key in {path}: {key!r}. Known keys: "
                f"{', '.join(sorted(known))}"
            )
        action.default = _checked(action, key, value, path)
        action.required = False


def _read(path):
    import yaml

    try:
        with open(path, encoding="utf-8") as f:
            values = yaml.safe_load(f)
    except OSError as error:
        raise InputError(
            f"Cannot read the configuration {path}: {error.strerror}"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is not valid YAML: {reason}") from error
    if isinstance(values, dict) and isinstance(values.get("settings"), dict):
        values = values["settings"]
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise InputError(
            f"{path} must map flag names to values. "
            f"Received: {type(values).__name__}"
        )
    return values


def _checked(action, key, value, path):
    if isinstance(action, argparse.BooleanOptionalAction) or action.nargs == 0:
        if not isinstance(value, bool):
            raise _wrong(path, key, "true or false", value)
        return value
    if action.nargs in ("+", "*"):
        values = value if isinstance(value, list) else [value]
        return [_converted(action, key, v, path) for v in values]
    return _converted(action, key, value, path)


def _converted(action, key, value, path):
    if isinstance(value, (bool, list, dict)) or value is None:
        raise _wrong(path, key, "one value", value)
    try:
        value = action.type(str(value)) if action.type else str(value)
    except (ValueError, argparse.ArgumentTypeError) as error:
        raise InputError(f"{key!r} in {path}: {error}") from error
    if action.choices is not None and value not in action.choices:
        choices = ", ".join(map(str, action.choices))
        raise _wrong(path, key, f"one of {choices}", value)
    return value


def _wrong(path, key, expected, value):
    return InputError(
        f"{key!r} in {path} must be {expected}. Received: {value!r}"
    )
