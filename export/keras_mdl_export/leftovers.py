"""What an export that was killed has left, and how the next one sweeps it.

All work of an export is in the hidden folder that `atomic_folder` makes
beside the finished one. While its process lives it holds a lock on that
folder; the system frees the lock however the process ends.
"""

import contextlib
import os
import pathlib
import shutil

try:
    import fcntl
except ImportError:  # Windows: nothing is locked, and nothing swept
    fcntl = None


@contextlib.contextmanager
def locked(folder):
    """Holds a lock on a folder; yields whether nobody else does."""
    if fcntl is None:
        yield False
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def sweep(path):
    """Removes the hidden folders of exports to `path` that were killed.

    An export that was just being replaced is put back.

    Args:
        path: The finished folder; it may be missing.
    """
    path = pathlib.Path(os.path.realpath(path))
    if not path.parent.is_dir():
        return
    # The order matters: of one killed export, what was replaced comes last.
    for suffix in ("incomplete", "replaced"):
        for found in path.parent.glob(f".{path.name}.*.{suffix}"):
            twin = found.with_suffix(".incomplete")
            with contextlib.suppress(OSError), locked(found) as free:
                if not free or (twin != found and twin.exists()):
                    continue  # it is still being written
                if suffix == "replaced" and not path.exists():
                    os.replace(found, path)
                else:
                    shutil.rmtree(found, ignore_errors=True)
