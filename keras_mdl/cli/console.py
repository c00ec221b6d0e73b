"""What a command shows: text for people, or one JSON value for machines."""

import contextlib
import json
import sys
import warnings


class Console:
    """Output of one command.

    Args:
        as_json: Whether stdout is for one JSON value alone.
    """

    def __init__(self, as_json=False):
        self.as_json = as_json
        self._stdout = sys.stdout
        self.contexts = contextlib.ExitStack()  # left when the command ends

    def running(self):
        """With `--json`, everything printed meanwhile goes to stderr."""
        if self.as_json:
            return contextlib.redirect_stdout(sys.stderr)
        return contextlib.nullcontext()

    @property
    def verbose(self):
        """For Keras: progress bars on a terminal, else a line an epoch."""
        return 1 if sys.stdout.isatty() else 2

    def say(self, text=""):
        """Shows a line of text."""
        print(text, flush=True)

    def warn(self, text):
        """Shows a warning, on stderr in any case."""
        print(f"warning: {text}", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def warnings(self):
        """What is warned of in the block is shown as `warn` does."""
        with warnings.catch_warnings(record=True) as given:
            warnings.simplefilter("always", UserWarning)
            try:
                yield
            finally:
                for warning in given:
                    self.warn(warning.message)

    def result(self, value):
        """The result of the command, for machines."""
        if self.as_json:
            json.dump(value, self._stdout, indent=2)
            self._stdout.write("\n")
            self._stdout.flush()
