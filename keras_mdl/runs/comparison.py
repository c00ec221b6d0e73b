"""The demo's other methods, in a process of their own beside the main one.

They start from the same base and touch nothing of the multi-domain model. A
small network keeps one core busy, not two: two processes finish sooner.
"""

import json
import os
import pathlib
import subprocess
import sys

from keras_mdl.processes import end_with_parent

BASE_FILE, RESULT_FILE, LOG_FILE = "base.keras", "comparison.json", "log.txt"
COMMAND = (sys.executable, "-m", "keras_mdl.runs.comparison")


class Comparison:
    """Trains every domain by the methods after the first, on copies.

    Use as a context manager: leaving it early ends the process.

    Args:
        settings: `DemoSettings`.
        folder: The run's folder; TensorBoard logs are written there.
        base: The `MultiDomainModel` to start from.
    """

    def __init__(self, settings, folder, base):
        import keras

        self._own = pathlib.Path(folder) / "comparison"
        self._own.mkdir()
        base.save(self._own / BASE_FILE)
        # One thread each: with more they would wait for each other.
        environment = {
            **os.environ,
            "KERAS_BACKEND": keras.backend.backend(),
            "TF_NUM_INTRAOP_THREADS": "1",
            "TF_NUM_INTEROP_THREADS": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        self._log = open(self._own / LOG_FILE, "w+")
        self._process = subprocess.Popen(
            [
                *COMMAND,
                json.dumps(settings.to_dict()),
                str(folder),
            ],
            env=environment,
            stdin=subprocess.PIPE,  # see `keras_mdl.processes`
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._process.stdin.close()
        self._log.close()

    def result(self):
        """Waits; returns `(metrics, history)` and removes the own files.

        Raises:
            RuntimeError: If the process failed; with the end of what it said.
        """
        status = self._process.wait()
        self._log.seek(0)
        if status:
            end = self._log.read()[-2000:]
            raise RuntimeError(f"The comparison ended with {status}:\n{end}")
        found = json.loads((self._own / RESULT_FILE).read_text())
        for name in (BASE_FILE, RESULT_FILE, LOG_FILE):
            (self._own / name).unlink()
        self._own.rmdir()
        return found["metrics"], found["history"]


def main(settings, folder):
    """The other process: trains, and leaves its results in a file.

    Args:
        settings: `DemoSettings` as JSON.
        folder: The run's folder.
    """
    end_with_parent()
    import keras

    from keras_mdl.models import load_model
    from keras_mdl.runs.demo import Demo
    from keras_mdl.runs.demo_settings import DemoSettings

    values = {
        k: tuple(v) if isinstance(v, list) else v
        for k, v in json.loads(settings).items()
    }
    demo = Demo(DemoSettings(**values), folder, _nothing, verbose=0)
    keras.utils.set_random_seed(demo.settings.seed)
    demo.load_data()
    own = pathlib.Path(folder) / "comparison"
    base = load_model(own / BASE_FILE)
    for name in demo.settings.domains:
        demo.compare(base, name)
    found = {"metrics": demo.metrics, "history": demo.history}
    (own / RESULT_FILE).write_text(json.dumps(found))


def _nothing(line):
    pass


if __name__ == "__main__":
    main(*sys.argv[1:])
