"""What a result was measured with: versions, hardware, commit."""

import pathlib
import subprocess

from keras_mdl.runs.environment import describe_environment


def environment():
    """A flat dict of strings for the columns of a result file."""
    found = describe_environment()
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=pathlib.Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "keras_mdl": found["keras_mdl"],
        "commit": done.stdout.strip() or "unknown",
        "keras": found["keras"],
        "backend": found["backend"],
        "backend_version": found[found["backend"]],
        "python": found["python"],
        "cpu": found["cpu"],
        "cores": str(found["cpu_cores"]),
    }
