"""A run's directory: there when the run is complete, or not at all."""

import pathlib
import re

from keras_mdl.files import atomic_folder, refuse_folder

_MARKER = "config.yaml"  # every run has its settings


def refuse_existing(*paths, overwrite=False):
    """Checks, before any work, that no output would be overwritten.

    Args:
        *paths: What the command is going to write.
        overwrite: Whether existing outputs may be replaced.

    Raises:
        FileExistsError: If one exists and `overwrite` is false.
        FileNotFoundError: If the folder of one does not exist.
        IsADirectoryError: If a file is to be written where a folder is.
    """
    for path in map(pathlib.Path, paths):
        if not path.parent.is_dir():
            raise FileNotFoundError(
                f"The folder to write to does not exist: {path.parent}"
            )
        if path.is_dir():
            raise IsADirectoryError(
                f"Expected the path of a file to write. Received: {path}, "
                "which is a folder"
            )
        if path.exists() and not overwrite:
            raise FileExistsError(
                f"{path} exists already: choose another name, or pass "
                "--overwrite to replace it"
            )


def run_directory(path, overwrite=False):
    """`keras_mdl.files.atomic_folder` for the directory of a run."""
    return atomic_folder(path, _MARKER, overwrite)


def check_run_path(path, overwrite=False):
    """Refuses a path where a run must not be written.

    Raises:
        FileExistsError: See `keras_mdl.files.refuse_folder`.
    """
    refuse_folder(path, _MARKER, overwrite)


def check_run_name(name):
    """Refuses names of runs that are not plain folder names.

    Raises:
        ValueError: For an empty name, a path, or a name that starts with a
            dot or a dash.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}", name):
        raise ValueError(
            "The name of a run must be letters, digits, `_`, `-` and `.`: it "
            f"becomes a folder name. Received: name={name!r}"
        )
