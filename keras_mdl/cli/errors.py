"""Bad input, told apart from failures."""

import contextlib

_BAD_INPUT = (
    ValueError,
    TypeError,
    FileNotFoundError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)


class InputError(Exception):
    """The user's input cannot be used; the command ends with status 2."""


@contextlib.contextmanager
def bad_input():
    """Errors in this block are the input's: they become `InputError`.

    Around the checks and the loading of what the user named, not around the
    work itself, where the same exceptions would be failures.
    """
    try:
        yield
    except _BAD_INPUT as error:
        raise InputError(message_of(error)) from error


def message_of(error):
    """The message of an exception, readable without its traceback."""
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{where}"
    return str(error).strip() or type(error).__name__
