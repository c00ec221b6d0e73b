"""Reads files of an export: the bytes that were checked are those used."""

import errno
import hashlib
import os
import pathlib
import stat

from keras_mdl_export.strict_json import shortened

_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a pipe must not stop the program
    | getattr(os, "O_BINARY", 0)
)


def read_verified(folder, manifest, path):
    """Reads a file of an export and checks it against the manifest.

    Whoever uses the file uses these bytes and does not open it again:
    between two openings it could be exchanged.

    Args:
        folder: The export folder.
        manifest: Its `Manifest`.
        path: The file's path in it, as the manifest writes it.

    Returns:
        The bytes.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If the manifest does not list it, if it is no regular
            file or reached by a symbolic link, or if size or SHA-256 are
            not those of the manifest.
    """
    if path not in manifest.files:
        raise ValueError(
            f"The manifest does not list the file {shortened(path)}. "
            f"It lists: {shortened(list(manifest.files))}"
        )
    expected = manifest.files[path]
    content = read_bounded(folder, path, exactly=expected["bytes"])
    check_sha256(content, expected["sha256"], path)
    return content


def digest(content):
    """`{"sha256", "bytes"}` of `content`, as a manifest has them."""
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }


def check_sha256(content, expected, what):
    """Raises `ValueError` unless `content` has the SHA-256 `expected`."""
    received = hashlib.sha256(content).hexdigest()
    if received != expected:
        raise ValueError(
            f"{what} is damaged: its SHA-256 should be {expected}. "
            f"Received: {received}"
        )


def read_bounded(folder, path, limit=None, exactly=None):
    """Reads a regular file below `folder` whose size is as expected.

    Args:
        folder: A folder; it may itself be a link.
        path: Relative POSIX path; none of its names may be a link.
        limit: The most bytes the file may have, or
        exactly: the bytes it must have.

    Returns:
        The bytes.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is something else, of another size, or cannot be
            read.
    """
    try:
        handle = _handle(folder, path)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"The export in {folder} has no file {path!r}"
        ) from None
    except OSError as error:
        # A link (ELOOP, or ENOTDIR where a folder was expected), a socket.
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO):
            raise ValueError(
                f"{path!r} in {folder} must be a regular file that no "
                "symbolic link leads to"
            ) from None
        raise ValueError(
            f"{path!r} in {folder} cannot be read: {error.strerror}"
        ) from None
    with open(handle, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        _check_size(path, size, limit, exactly)
        # The file may grow meanwhile: one byte more is enough to notice.
        content = file.read((limit if exactly is None else exactly) + 1)
        _check_size(path, len(content), limit, exactly)
        return content


def _check_size(path, received, limit, exactly):
    if exactly is not None and received != exactly:
        raise ValueError(
            f"{path!r} should have {exactly} bytes. Received: {received} bytes"
        )
    if limit is not None and received > limit:
        raise ValueError(
            f"{path!r} may have at most {limit} bytes. "
            f"Received: {received} bytes"
        )


def _handle(folder, path):
    current = pathlib.Path(folder)
    for part in pathlib.PurePosixPath(path).parts:
        current = current / part
        if current.is_symlink():
            raise OSError(errno.ELOOP, "a symbolic link", str(current))
    # Whatever is there by now: no link is followed, and no pipe waited for.
    handle = os.open(current, _FLAGS)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise OSError(errno.ENXIO, "not a regular file", str(current))
