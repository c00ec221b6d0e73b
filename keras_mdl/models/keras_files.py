"""`.keras` files, written whole or not at all."""

import os

from keras_mdl.files import atomic_path


def save_atomically(save, filepath, overwrite, kwargs):
    """Calls Keras' `save(path, ...)` so that the old file survives a failure.

    Raises:
        ValueError: If the file name does not end in `.keras`.
        FileExistsError: If the file exists and `overwrite` is false.
    """
    path = str(filepath)
    if not path.endswith(".keras"):
        raise ValueError(
            "A model of several networks is kept in Keras' own format alone: "
            f"give a file name that ends in `.keras`. Received: {path}"
        )
    if "://" in path:
        return save(filepath, overwrite=overwrite, **kwargs)
    if not overwrite and os.path.exists(path):
        raise FileExistsError(
            f"The file exists and `overwrite` is false. Received: {path}"
        )
    with atomic_path(path) as temporary:
        save(str(temporary), overwrite=True, **kwargs)
