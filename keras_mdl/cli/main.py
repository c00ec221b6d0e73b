"""`main`: parses, runs one command, and turns its end into a status."""

import contextlib
import os
import pathlib
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import Annotated, Literal

import cyclopts

from keras_mdl.cli.backend import choose_backend
from keras_mdl.cli.config import config_source, flag_names
from keras_mdl.cli.console import Console
from keras_mdl.cli.errors import InputError, OutputError, in_flags, message_of
from keras_mdl.cli.flags import Switch
from keras_mdl.cli.verbs import VERBS

SUCCESS, FAILURE, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

_DESCRIPTION = """\
One network for many visual domains: a shared trunk of pointwise
convolutions, and a small private slot for each domain."""
_EPILOG = """\
examples:
  keras-mdl demo
  keras-mdl train --data embedded:shapes --out base.keras
  keras-mdl add-domain base.keras --data photos/signs --out two.keras
  keras-mdl predict two.keras sign.jpg --domain signs

exit status: 0 success, 1 failure, 2 bad input, 130 interrupted"""


def build_app():
    """The command line: `.meta` takes the general flags, and runs the rest."""
    import keras_mdl

    app = cyclopts.App(
        "keras-mdl",
        help=_DESCRIPTION,
        help_epilogue=_EPILOG,
        help_format="plaintext",
        version=f"keras-mdl {keras_mdl.__version__}",
        # Lists take all values that follow, and have no `--empty-...`.
        default_parameter=cyclopts.Parameter(
            consume_multiple=True, negative_iterable=()
        ),
    )
    for name, verb in VERBS.items():
        app.command(verb, name=name, help_epilogue="")
    app.meta.group_parameters = cyclopts.Group("General")

    @app.meta.default
    def general(
        *tokens: Annotated[
            str, cyclopts.Parameter(show=False, allow_leading_hyphen=True)
        ],
        config: pathlib.Path | None = None,
        json: Switch = False,
        backend: Literal["tensorflow", "jax"] | None = None,
        device: Literal["cpu", "gpu"] | None = None,
        debug: Switch = False,
    ):
        """Runs a command.

        Args:
            config: read flags from a YAML file; flags on the line win
            json: print the result as JSON on stdout, all else on stderr
            backend: Keras backend (default: KERAS_BACKEND, or Keras' own)
            device: cpu: leave GPUs alone; gpu: refuse to run without one
                (default: a GPU where there is one)
            debug: show tracebacks of errors
        """
        if config is not None:
            app.config = config_source(config)
        command, bound, given = _parsed(app, tokens)
        choose_backend(backend, device)
        console = Console(json)
        with console.running():
            result = command(
                *bound.args, **bound.kwargs, **dict.fromkeys(given, console)
            )
        console.result(result)

    return app


def main(argv: Sequence | None = None) -> int:
    """Runs one command.

    Args:
        argv: Arguments; default those of the process.

    Returns:
        The exit status: 0 for success, 1 for failure, 2 for bad input, 130
        after Ctrl-C.
    """
    argv = sys.argv[1:] if argv is None else list(map(str, argv))
    app = build_app()
    try:
        if not argv:
            raise InputError(
                f"COMMAND is missing: {', '.join(VERBS)} (see `keras-mdl "
                "--help`)"
            )
        with _terminated_as_interrupted():
            command, bound, _ = _parsed(app.meta, argv)
            command(*bound.args, **bound.kwargs)
        return SUCCESS
    except BrokenPipeError:
        # The reader (`| head`) has gone; Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except (Exception, KeyboardInterrupt) as error:
        status, message = _end(error)
        if "--debug" in argv:
            traceback.print_exception(error)
        own = isinstance(error, InputError) and error.__cause__ is None
    command = next((a for a in argv if a in VERBS), None)
    if command is not None and not own:
        # A library has said it, in terms of Python's arguments.
        message = in_flags(message, _flags(app, command))
    print(f"error: {message}", file=sys.stderr, flush=True)
    return status


def _parsed(app, tokens):
    """`cyclopts.App.parse_args`, with errors as `InputError`."""
    try:
        return app.parse_args(tokens, exit_on_error=False, print_error=False)
    except cyclopts.CycloptsError as error:
        command = next((t for t in tokens if t in VERBS), None)
        message = str(error)
        if isinstance(error, cyclopts.MissingArgumentError):
            name = error.argument.name
            message = f"required: {name}"
            if name in tokens:
                message = f"{name} needs a value"
            elif error.argument.index == 0:
                message = f"required: {name.removeprefix('--').upper()}"
        elif isinstance(error, cyclopts.UnknownOptionError) and command:
            known = ", ".join(f"--{f}" for f in _flags(app, command))
            message += f" Known options: {known}"
        program = " ".join(["keras-mdl", *filter(None, [command])])
        raise InputError(f"{message} (see `{program} --help`)") from error


def _end(error):
    """The status and the message of a command that has failed."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, "interrupted"
    if isinstance(error, InputError):
        return BAD_INPUT, str(error)
    if isinstance(error, OutputError):
        return FAILURE, str(error)
    return FAILURE, f"{type(error).__name__}: {message_of(error)}"


def _flags(app, command):
    return flag_names(app[command].assemble_argument_collection())


@contextlib.contextmanager
def _terminated_as_interrupted():
    """SIGTERM cleans up as Ctrl-C does: no half-written folder stays."""

    def interrupt(*_):
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
