"""What a result was measured with: versions, hardware, commit."""

import os
import pathlib
import platform
import subprocess


def environment():
    """A flat dict of strings for the columns of a result file."""
    import keras

    import keras_mdl

    backend = keras.backend.backend()
    return {
        "keras_mdl": keras_mdl.__version__,
        "commit": _commit(),
        "keras": keras.__version__,
        "backend": backend,
        "backend_version": __import__(backend).__version__,
        "python": platform.python_version(),
        "cpu": _cpu(),
        "cores": str(os.cpu_count()),
    }


def _commit():
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=pathlib.Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def _cpu():
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
