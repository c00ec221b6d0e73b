"""Bad input, told apart from failures, in the command line's own words."""

import contextlib
import re

_VALUE = r"'[^']*'|\"[^\"]*\"|\[[^\]]*\]|\([^)]*\)|[\w.+-]+"


class InputError(Exception):
    """The user's input cannot be used; the command ends with status 2."""


class OutputError(Exception):
    """What was computed is not where it should be; status 1."""


@contextlib.contextmanager
def bad_input(**renamed):
    """Errors in this block are the input's: they become `InputError`.

    Around the checks and the loading of what the user named, not around the
    work itself, where the same exceptions would be failures. `renamed` says
    what a flag is called where it differs from Python's argument.
    """
    try:
        yield
    # (ImportError: an extra that what was named needs.)
    except (ValueError, TypeError, OSError, ImportError) as error:
        text = message_of(error)
        for argument, flag in renamed.items():
            text = re.sub(rf"(?<![\w.-]){argument}=", f"{flag}=", text)
            text = text.replace(f"`{argument}`", f"`{flag}`")
        raise InputError(text) from error


def message_of(error):
    """The message of an exception, readable without its traceback."""
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{where}"
    return str(error).strip() or type(error).__name__


def in_flags(text, names):
    """A message with flags (`names`) in place of Python's arguments.

    >>> in_flags("use on_bad_image='skip'", ["on-bad-image"])
    'use --on-bad-image skip'
    """
    for flag in names:
        name = flag.replace("-", "_")

        def given(match, flag=flag):
            value = re.sub(r"[\[\],'\"]", "", match[1])
            return f"--{flag} {value}".removesuffix(" True")

        text = re.sub(rf"(?<![\w.-])`?{name}=({_VALUE})`?", given, text)
        text = re.sub(rf"(?<!column )`{name}`", f"--{flag}", text)
        text = text.replace(f"--{flag}, --{flag}", f"--{flag}")
    return text
