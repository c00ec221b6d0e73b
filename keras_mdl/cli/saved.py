"""What a saved model says of itself, read without Keras."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

from keras_mdl.cli import backend
from keras_mdl.cli.errors import InputError, bad_input
from keras_mdl.domains import Domain, require_domain


@dataclass(frozen=True)
class SavedModel:
    """A complete file with a `MultiDomainModel`, not loaded yet.

    Attributes:
        path: The `.keras` file.
        domains: `{name: Domain}`.
        input_shape: `(height, width, 3)`; an open side is `None`.
    """

    path: Path
    domains: dict
    input_shape: tuple

    def domain(self, name):
        """The `Domain` of a name; `InputError` with the known ones."""
        with bad_input():
            return self.domains[require_domain(name, self.domains)]

    def side(self, given=None):
        """Side of the images, `None` for any; refuses another `--size`."""
        height, width = self.input_shape[:2]
        if height != width or (given and height not in (None, given)):
            raise InputError(
                f"The model takes images of {height}x{width} pixels; the "
                f"commands need squares. Received: --size {given}"
            )
        return height or given

    def size(self, given=None):
        """As `side`, where the commands have to know it."""
        side = self.side(given)
        if side is None:
            raise InputError("The model takes images of any size: give --size")
        return side

    def load(self):
        """The `MultiDomainModel` itself; loads the backend."""
        backend.load_backend()
        from keras_mdl.models import load_model

        with bad_input():
            return load_model(self.path)


def open_saved(path):
    """Checks that a file is a complete model, and reads what it says."""
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
            content = json.loads(archive.read("config.json"))
    except OSError as error:
        raise InputError(f"{error.strerror}: {path}") from error
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        broken = str(error)
    if broken:
        raise InputError(
            f"{path} is not a complete .keras file (truncated, damaged or of "
            f"another kind): {broken}"
        )
    if content["class_name"] != "MultiDomainModel":
        raise InputError(
            f"{path} holds a {content['class_name']}; expected a "
            "MultiDomainModel, as `keras-mdl train` and "
            "`MultiDomainModel.save` write it"
        )
    config = content["config"]
    domains = {d["name"]: Domain.from_config(d) for d in config["domains"]}
    return SavedModel(path, domains, tuple(config["input_shape"]))
