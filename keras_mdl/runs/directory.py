"""A run's directory: there when the run is complete, or not at all."""

import contextlib
import os
import pathlib
import re
import shutil
import tempfile


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


@contextlib.contextmanager
def run_directory(path, overwrite=False):
    """Yields a hidden directory beside `path` and moves it there at the end.

    If the block fails, it is deleted and what was at `path` stays.

    Args:
        path: Directory of the finished run.
        overwrite: Whether to replace a run that is there.

    Raises:
        FileExistsError: If `path` exists and `overwrite` is false, or if it
            is something else than a run.
    """
    path = pathlib.Path(path)
    check_run_path(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = pathlib.Path(
        tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".incomplete",
                         dir=path.parent)
    )  # fmt: skip
    try:
        yield hidden
        umask = os.umask(0)
        os.umask(umask)
        hidden.chmod(0o777 & ~umask)
        if path.exists():
            # Two moves: at no time is half a run at `path`.
            check_run_path(path, overwrite)
            old = hidden.with_suffix(".replaced")
            os.replace(path, old)
            os.replace(hidden, path)
            shutil.rmtree(old)
        else:
            os.replace(hidden, path)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise


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


def check_run_path(path, overwrite=False):
    """Refuses a path where a run must not be written; see `run_directory`."""
    path = pathlib.Path(path)
    if not path.exists():
        return
    if not overwrite:
        raise FileExistsError(
            f"The run {path} exists already: choose another --name, or pass "
            "--overwrite to replace it"
        )
    # `--overwrite --out ~ --name Documents` must not delete documents.
    if not path.is_dir() or not (
        (path / "config.yaml").is_file() or not any(path.iterdir())
    ):
        raise FileExistsError(
            f"{path} is not a run of keras-mdl (it has no config.yaml) and is "
            "not overwritten: choose another --name"
        )
