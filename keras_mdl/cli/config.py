"""`--config FILE.yaml`: flags from a file; flags on the line win."""

import dataclasses

from keras_mdl.cli.errors import InputError, message_of

# What is about one call and not about its result.
_NOT_SETTINGS = ("overwrite", "resume", "console")


def settings_of(arguments):
    """`{flag: plain value}` of a command's `{name: value}`, to be stored."""
    found = {}
    for name, value in arguments.items():
        if dataclasses.is_dataclass(value):
            found.update(settings_of(vars(value)))
        elif isinstance(value, (list, tuple)):
            found[name] = [str(v) for v in value]
        elif value is not None and name not in _NOT_SETTINGS:
            plain = isinstance(value, (bool, int, float))
            found[name] = value if plain else str(value)
    return {name.replace("_", "-"): value for name, value in found.items()}


def flag_names(arguments):
    """Names of a command's flags, sorted, without their dashes."""
    names = (a.name for a in arguments if a.parse)
    return sorted(n.removeprefix("--") for n in names if n.startswith("--"))


def config_source(path):
    """The values of a YAML file, for `cyclopts.App.config`.

    The keys are flag names. A record that a command wrote beside its output
    is accepted too: its section `settings` is read.
    """
    from cyclopts.config import Dict

    values = _read(path)

    def source(app, commands, arguments):
        known = [n for n in flag_names(arguments) if n not in _NOT_SETTINGS]
        for key, value in values.items():
            if key not in known:
                raise InputError(
                    f"Unknown key in {path}: {key!r}. Known keys: "
                    f"{', '.join(known)}"
                )
            if value is None or isinstance(value, dict):
                raise InputError(
                    f"{key!r} in {path} must be one value. Received: {value!r}"
                )
        fill = Dict(values, source=str(path), use_commands_as_keys=False)
        fill(app, commands, arguments)

    return source


def _read(path):
    import yaml

    try:
        with open(path, encoding="utf-8") as f:
            values = yaml.safe_load(f)
    except OSError as error:
        raise InputError(f"--config: {message_of(error)}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is not valid YAML: {reason}") from error
    if isinstance(values, dict) and isinstance(values.get("settings"), dict):
        values = values["settings"]
    if not isinstance(values or {}, dict):
        raise InputError(
            f"{path} must map flag names to values. "
            f"Received: {type(values).__name__}"
        )
    return {str(k).replace("_", "-"): v for k, v in (values or {}).items()}
