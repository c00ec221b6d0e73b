"""Work that has a process of its own, and what is left when it fails."""

import json
import os
import subprocess
import sys

_TAIL = 3000  # characters of a log that an error shows


class ProcessError(RuntimeError):
    """A process failed or crashed; the message has its last words."""


def start(module, folder, name, job, **environment):
    """Starts `python -m module JOB`.

    Args:
        module: Dotted name of a module that takes the path of a JSON file.
        folder: Where that file and the log are written.
        name: Of both.
        job: Plain values.
        **environment: Further environment variables.

    Returns:
        A handle for `wait`.
    """
    path, log = folder / f"{name}.json", folder / f"{name}.log"
    path.write_text(json.dumps(job), encoding="utf-8")
    environment = {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **os.environ,
        **environment,
        # What can be imported here can be imported there.
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    with open(log, "wb") as f:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(path)],
            # Never written to: see `keras_mdl.processes`.
            stdin=subprocess.PIPE,
            stdout=f,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    return process, log


def wait(handle, what):
    """Waits for the end.

    Args:
        handle: What `start` returned.
        what: What the process does, for messages.

    Raises:
        ProcessError: If it did not end well.
    """
    process, log = handle
    process.wait()
    process.stdin.close()
    if process.returncode == 0:
        return
    how = (
        f"was ended by signal {-process.returncode}"
        if process.returncode < 0
        else f"ended with status {process.returncode}"
    )
    text = log.read_text(encoding="utf-8", errors="replace")
    raise ProcessError(
        f"{what} {how}. The end of what it said:\n{text[-_TAIL:].strip()}"
    )


def stop(handle):
    """Ends a process that is not needed any more."""
    process, _ = handle
    process.kill()
    process.wait()
    process.stdin.close()
