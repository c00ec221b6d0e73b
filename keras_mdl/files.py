"""Files and folders that are either complete or untouched."""

import contextlib
import glob
import os
import pathlib
import shutil
import tempfile


@contextlib.contextmanager
def atomic_path(path):
    """Yields a temporary path beside `path` and moves it there on success.

    The data reach the disk before the move, so that after a crash, a full
    disk or a kill either the old file or the whole new one is there. On an
    exception the temporary file is removed and the old file stays.

    Args:
        path: The file to write. The temporary file has the same suffix
            (Keras reads the format from it) and lives in the same directory
            (a move across file systems is not atomic).

    Raises:
        FileNotFoundError: If the directory of `path` does not exist.
    """
    path = pathlib.Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"The directory to write to does not exist. Received: path={path}"
        )
    suffix = path.suffix[-32:]
    handle, name = tempfile.mkstemp(
        prefix=f".{path.name[: 64 - len(suffix)]}.",
        suffix=suffix,
        dir=path.parent,
    )
    os.close(handle)
    temporary = pathlib.Path(name)
    try:
        yield temporary
        with open(temporary, "rb+") as f:
            os.fsync(f.fileno())
        # mkstemp makes files private; a model file is as readable as any other.
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_leftovers(path):
    """Removes temporary files of `path` whose writers were killed.

    Only for who knows that nobody writes it at the moment.
    """
    path = pathlib.Path(path)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*"):
        left.unlink()


def write_text(path, text):
    """Writes `text` to `path` in UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def locked(path, wait=True):
    """Holds the lock of a file, which a process loses however it ends.

    Args:
        path: The file; it is made, and stays.
        wait: Whether to wait for another holder.

    Raises:
        BlockingIOError: If there is one, and `wait` is false.
    """
    import fcntl

    with open(path, "ab") as f:
        fcntl.flock(f, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


@contextlib.contextmanager
def atomic_folder(path, marker, overwrite=False):
    """Yields a hidden folder beside `path` and moves it there at the end.

    If the block fails, it is deleted and what was at `path` stays.

    Args:
        path: The finished folder.
        marker: Name of a file that every such folder has: only a folder with
            it is ever replaced.
        overwrite: Whether to replace one that is there.

    Raises:
        FileExistsError: See `refuse_folder`.
    """
    # Through a link: what it names is replaced, and it stays a link.
    path = pathlib.Path(os.path.realpath(path))
    refuse_folder(path, marker, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = pathlib.Path(
        tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".incomplete",
                         dir=path.parent)
    )  # fmt: skip
    try:
        yield hidden
        hidden.chmod(0o777 & ~_umask())
        if path.exists():
            # Two moves: at no time is half a folder at `path`.
            refuse_folder(path, marker, overwrite)
            old = hidden.with_suffix(".replaced")
            os.replace(path, old)
            try:
                os.replace(hidden, path)
            except BaseException:
                os.replace(old, path)
                raise
            shutil.rmtree(old)
        else:
            os.replace(hidden, path)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise


def refuse_folder(path, marker, overwrite=False):
    """Checks that a folder may be written at `path`; see `atomic_folder`.

    Raises:
        FileExistsError: If `path` exists and `overwrite` is false, or if it
            is a file, or a folder with other things and without `marker`.
        NotADirectoryError: If something above it is a file.
        PermissionError: If nothing may be written there.
    """
    path = pathlib.Path(os.path.realpath(path))
    if not path.exists():
        above = next(p for p in path.parents if p.exists())
        if not above.is_dir():
            raise NotADirectoryError(f"Not a folder: {above}")
        if not os.access(above, os.W_OK):
            raise PermissionError(f"Nothing may be written into {above}")
        return
    if not overwrite:
        raise FileExistsError(
            f"{path} exists already: choose another name, or allow to replace "
            "it (--overwrite, `overwrite=True`)"
        )
    # `--overwrite` with a wrong name must not delete documents.
    if not path.is_dir() or not (
        (path / marker).is_file() or not any(path.iterdir())
    ):
        raise FileExistsError(
            f"{path} is not overwritten: it has no {marker}, so it was not "
            "written by this command. Choose another name"
        )


def _umask():
    umask = os.umask(0)
    os.umask(umask)
    return umask
