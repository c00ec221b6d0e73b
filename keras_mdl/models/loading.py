"""`load_model`: reads what the package has saved, with clear errors."""

import zipfile

import keras

_HDF5 = b"\x89HDF\r\n\x1a\n"  # how such a file begins


def load_model(path: str, compile: bool = False) -> keras.Model:
    """Loads a `.keras` file written by this package (model or view).

    The same as `keras.models.load_model`, with the package's classes
    registered and an error that says what is wrong with a broken file.

    Args:
        path: The `.keras` file.
        compile: Whether to restore optimizer and losses.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is truncated or not a Keras model.
    """
    with open(path, "rb") as file:
        if file.read(len(_HDF5)) == _HDF5:
            raise ValueError(
                f"{path} is an HDF5 file. `keras.saving.save_model` writes "
                "that for names that end in `.h5`, but it cannot hold models "
                "of several networks: save as `.keras`. (Weights alone: "
                "`load_weights`)"
            )
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
            if "config.json" not in archive.namelist():
                broken = "it has no config.json"
    except zipfile.BadZipFile as error:
        broken = str(error)
    if broken:
        raise ValueError(
            f"{path} is not a complete `.keras` file (truncated, damaged or "
            f"of another kind): {broken}"
        )
    return keras.models.load_model(path, compile=compile)
