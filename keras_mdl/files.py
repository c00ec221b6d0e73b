"""Files that are either complete or untouched."""

import contextlib
import os
import pathlib
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
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path, text):
    """Writes `text` to `path` in UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
