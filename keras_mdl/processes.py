"""Processes that work for another one: how they start, and how they end."""

import concurrent.futures
import importlib
import json
import os
import pathlib
import subprocess
import sys
import threading

_TAIL = 2000  # characters of a log that an error shows


class ProcessError(RuntimeError):
    """A process failed or was killed; the message has its last words."""


class ProcessExecutor(concurrent.futures.Executor):
    """A `concurrent.futures` executor: each call has a process of its own.

    A crash ends one call and no other. The processes end with this one, even
    by `kill -9`, and with `shutdown`. What they say is added to a file.

    Args:
        max_workers: Processes at a time.
        log: The file.
    """

    def __init__(self, max_workers: int, log: str | os.PathLike):
        self._threads = concurrent.futures.ThreadPoolExecutor(max_workers)
        self._log = pathlib.Path(log)
        self._running = set()
        self._closed = False

    def submit(self, function, /, *args) -> concurrent.futures.Future:
        """Calls a function of a module elsewhere; it returns `None`.

        Args:
            function: A module's function, or its name as `"module:function"`.
            *args: JSON-able values.

        Returns:
            A future, whose exception is a `ProcessError`.
        """
        if callable(function):
            function = f"{function.__module__}:{function.__qualname__}"
        return self._threads.submit(self._call, function, json.dumps(args))

    def shutdown(self, wait=True, *, cancel_futures=True):
        """Ends the processes that still run."""
        self._closed = True
        for process in list(self._running):
            process.kill()
        self._threads.shutdown(wait, cancel_futures=cancel_futures)

    def _call(self, function, args):
        with open(self._log, "a+b") as log:
            start = log.seek(0, os.SEEK_END)
            process = _start(function, args, log)
            self._running.add(process)
            if self._closed:
                process.kill()
            status = process.wait()
            process.stdin.close()
            self._running.discard(process)
            if status:
                how = f"status {status}" if status > 0 else f"signal {-status}"
                log.seek(start)
                tail = log.read()[-_TAIL:].decode(errors="replace").strip()
                raise ProcessError(f"ended with {how}\n{tail}".strip())


def _start(function, args, log):
    process = subprocess.Popen(
        [sys.executable, "-m", "keras_mdl.processes", function],
        # What can be imported here can be imported there.
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        },
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        process.stdin.write(args.encode() + b"\n")
        process.stdin.flush()
    except BrokenPipeError:
        pass  # its status says why it has ended
    return process


def named(function: str):
    """The function that `"module:function"` names."""
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module), name)


def end_with_parent():
    """In a process that was started with `stdin=PIPE`: ends with its starter.

    The starter never writes. The pipe ends when that process does, even by
    `kill -9`, and then this one ends at once.
    """

    def watch():
        # (Not `sys.stdin.read`: its lock would be held at the end of Python.)
        os.read(0, 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    line = b""
    while not line.endswith(b"\n"):
        # Nothing is read ahead: `end_with_parent` reads the same pipe.
        line += os.read(0, 1 << 16) or sys.exit(1)
    end_with_parent()
    named(sys.argv[1])(*json.loads(line))
