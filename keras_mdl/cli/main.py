"""`main`: parses, runs one command, and turns its end into a status."""

import argparse
import contextlib
import os
import signal
import sys
import threading
import traceback

from keras_mdl.cli import verbs
from keras_mdl.cli.config import apply_config
from keras_mdl.cli.console import Console
from keras_mdl.cli.errors import InputError, message_of
from keras_mdl.cli.options import add_common

SUCCESS, FAILURE, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

_DESCRIPTION = (
    "One network for many visual domains: a shared trunk of pointwise "
    "convolutions, and a small private slot for each domain."
)
_EPILOG = """\
examples:
  keras-mdl demo
  keras-mdl train --data embedded:shapes --out base.keras
  keras-mdl add-domain --model base.keras --data photos/signs --out two.keras
  keras-mdl predict sign.jpg --model two.keras --domain signs

exit status: 0 success, 1 failure, 2 bad input, 130 interrupted
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and where to read more."""

    def error(self, message):
        raise InputError(f"{message} (see `{self.prog} --help`)")


def build_parser():
    """The parser of the command line, and those of its commands by name."""
    import keras_mdl

    parser = _Parser(
        "keras-mdl",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"keras-mdl {keras_mdl.__version__}",
    )
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", dest="command", required=True
    )
    parsers = {}
    for name, verb in verbs.VERBS.items():
        sub = commands.add_parser(
            name,
            help=verb.HELP,
            description=verb.__doc__.strip(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        verb.add_arguments(sub)
        add_common(sub)
        parsers[name] = sub
    return parser, parsers


def main(argv=None):
    """Runs one command.

    Args:
        argv: Arguments; default those of the process.

    Returns:
        The exit status: 0 for success, 1 for failure, 2 for bad input, 130
        after Ctrl-C.
    """
    argv = sys.argv[1:] if argv is None else list(map(str, argv))
    debug = "--debug" in argv
    try:
        with _terminated_as_interrupted():
            return _run(argv)
    except SystemExit as end:  # argparse, after --help or --version
        return end.code or SUCCESS
    except InputError as error:
        return _end(error, BAD_INPUT, debug)
    except KeyboardInterrupt as error:
        return _end(error, INTERRUPTED, debug, "interrupted")
    except BrokenPipeError:
        # The reader (`| head`) has gone; Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except Exception as error:
        text = f"{type(error).__name__}: {message_of(error)}"
        return _end(error, FAILURE, debug, text)


def _run(argv):
    parser, parsers = build_parser()
    _apply_config_flag(argv, parsers)
    args = parser.parse_args(argv)
    if args.backend:
        _choose_backend(args.backend)
    # Before TensorFlow is loaded: its notes about CPU features are no news.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    console = Console(args.json)
    with console.running():
        verb = verbs.VERBS[args.command]
        result = verb.run(args, console, parsers[args.command])
    console.result(result)
    return SUCCESS


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


def _apply_config_flag(argv, parsers):
    """Reads `--config` first: its values are the defaults of the rest."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--config", nargs="?")
    config = first.parse_known_args(argv)[0].config
    command = next((a for a in argv if a in parsers), None)
    if config is not None and command is not None:
        apply_config(parsers[command], config)


def _choose_backend(name):
    loaded = sys.modules.get("keras")
    if loaded is not None and loaded.backend.backend() != name:
        raise InputError(
            f"Keras is loaded already with the backend "
            f"{loaded.backend.backend()!r}; --backend {name} comes too late"
        )
    os.environ["KERAS_BACKEND"] = name


def _end(error, status, debug, text=None):
    if debug:
        traceback.print_exception(error)
    print(f"error: {text or error}", file=sys.stderr, flush=True)
    return status
