"""Keras and its backend, without the notes that they print while loading."""

import contextlib
import importlib
import logging
import os
import re
import sys
import tempfile

from keras_mdl.cli.errors import InputError

# What TensorFlow and absl print while loading, before a log level applies.
_NOTES = re.compile(
    r"^(WARNING: All log messages before absl::InitializeLog"
    r"|[IWE]\d{4} .*(port|cudart_stub|cpu_feature_guard|cuda_)\S*\.cc:\d+\]"
    r"|\d{4}-\d\d-\d\d .*: I .*\.cc:\d+\]"
    r"|To enable the following instructions:"
    r"|I0000 )"
)


def choose_backend(name=None, device=None):
    """`--backend`, `--device`, and no log lines of TensorFlow.

    Before Keras is loaded.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Every domain has a graph of its own: TensorFlow's advice against many
    # graphs is not for us.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if name is not None:
        loaded = sys.modules.get("keras")
        if loaded is not None and loaded.backend.backend() != name:
            raise InputError(
                f"Keras is loaded already with the backend "
                f"{loaded.backend.backend()!r}; --backend {name} comes too late"
            )
        os.environ["KERAS_BACKEND"] = name
    if device is not None:
        _choose_device(device)


def _choose_device(kind):
    if kind == "cpu":
        # Processes that the command starts inherit it.
        os.environ |= {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
        if "keras" not in sys.modules:
            return
    load_backend()
    import keras

    from keras_mdl.devices import known

    names = known(keras.backend.backend())
    gpus = [n for n in names if not n.lower().startswith("cpu")]
    if kind == "cpu" and gpus:
        raise InputError("--device cpu comes too late: Keras is loaded already")
    if kind == "gpu" and not gpus:
        raise InputError(
            "--device gpu needs a GPU that the backend sees; it sees "
            f"{', '.join(names)}"
        )


def load_backend():
    """Imports Keras and the backend."""
    keras = quiet_import("keras")
    if keras.backend.backend() == "tensorflow":
        with _quiet():
            import tensorflow as tf

            # Looks for accelerators now, not in the middle of a table.
            tf.config.list_physical_devices()


def quiet_import(name):
    """`importlib.import_module`; real messages still reach stderr."""
    with _quiet():
        return importlib.import_module(name)


@contextlib.contextmanager
def _quiet():
    # The notes are written by C++, past `sys.stderr`: the descriptor itself
    # has to be turned aside.
    try:
        descriptor = sys.__stderr__.fileno()
        saved = os.dup(descriptor)
    except (AttributeError, OSError, ValueError):
        yield
        return
    with tempfile.TemporaryFile() as caught:
        sys.stderr.flush()
        os.dup2(caught.fileno(), descriptor)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, descriptor)
            os.close(saved)
            caught.seek(0)
            lines = caught.read().decode(errors="replace").splitlines(True)
            kept = "".join(line for line in lines if not _NOTES.match(line))
            sys.stderr.write(kept)
