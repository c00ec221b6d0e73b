"""What a saved model says of itself, read without Keras."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

from keras_mdl.cli import backend
from keras_mdl.cli.errors import InputError, bad_input
from keras_mdl.domains import Domain, require_domain
from keras_mdl.runs.pretrained import BASE, PRETRAINED


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


@dataclass(frozen=True)
class PretrainedTrunk(SavedModel):
    """A pretrained network by name, with the domain that it comes with."""

    def load(self):
        """The `MultiDomainModel`, for images of the chosen size."""
        backend.load_backend()
        from keras_mdl.runs.pretrained import open_pretrained

        with bad_input():
            return open_pretrained(str(self.path), self.input_shape[0])


@dataclass(frozen=True)
class ExportedModel(SavedModel):
    """A folder that `keras-mdl export` has written."""

    def load(self):
        """`{domain: ExportedView}`."""
        backend.load_backend()
        from keras_mdl.runs.exporting import open_export

        with bad_input():
            return open_export(self.path)


def open_exported(folder):
    """What the manifest of an export folder says."""
    with bad_input():
        backend.quiet_import("keras_mdl.runs.exporting").require_export()
    from keras_mdl_export import Manifest

    with bad_input():
        manifest = Manifest.read(folder)
        domains = {
            name: Domain(name, facts["classes"], facts["mean"], facts["std"])
            for name, facts in manifest.domains.items()
        }
    return ExportedModel(folder, domains, manifest.input_shape[1:])


def open_trunk(model, size=None):
    """As `open_saved`, or a pretrained network of that name.

    Args:
        model: The path or the name.
        size: Side of the images, for a pretrained network.
    """
    if model.exists():
        return open_saved(model)
    if str(model) not in PRETRAINED:
        raise InputError(
            f"No such file: {model}. Pretrained networks: "
            f"{', '.join(PRETRAINED)}"
        )
    size = size or PRETRAINED[str(model)]
    domains = {BASE: Domain(BASE, 1000)}
    return PretrainedTrunk(model, domains, (size, size, 3))


def open_saved(path):
    """Checks that a file is a complete model, and reads what it says."""
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
            content = json.loads(archive.read("config.json"))
    except IsADirectoryError as error:
        what = f"{path} is a folder"
        if (path / "manifest.json").is_file():
            what += " that `keras-mdl export` has written (for predict, "
            what += "evaluate, submit and serve)"
        raise InputError(f"{what}: expected a model, NAME.keras") from error
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
            "`MultiDomainModel.save` write it. In Python, "
            "`keras_mdl.from_keras` makes one of a Keras classifier"
        )
    config = content["config"]
    domains = {d["name"]: Domain.from_config(d) for d in config["domains"]}
    return SavedModel(path, domains, tuple(config["input_shape"]))
