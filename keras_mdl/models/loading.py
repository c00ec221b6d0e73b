"""`load_model`: reads what the package has saved, with clear errors."""

import zipfile

import keras


def load_model(path, compile=False):
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
    with open(path, "rb"):
        pass
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
