"""`DataEntry`: the images of one domain as a settings file names them.

Importing this loads no backend: commands look for the images before they do.
"""

import hashlib
import pathlib
from dataclasses import dataclass, field

import numpy as np

from keras_mdl.domains import Domain, as_domains, require_domain
from keras_mdl.runs.pretrained import BASE
from keras_mdl.runs.settings_files import of_type

# Flags of the command line that belong to reading images.
OPTIONS = {
    "flip": (lambda v: isinstance(v, bool), "true or false"),
    "validation_fraction": (
        lambda v: type(v) in (int, float) and 0 <= v < 1,
        "a number in [0, 1)",
    ),
    "on_bad_image": (("error", "skip").__contains__, "'error' or 'skip'"),
    "data_dir": (lambda v: isinstance(v, str), "a path"),
    "download": (lambda v: isinstance(v, bool), "true or false"),
}
_PATHS = ("data_dir", "download")  # where images are, not what they are
_KINDS = ("embedded", "decathlon", "tfds", "folder")
_PRETRAINED = "pretrained"
_READ = 64  # files of which the content counts, not only the size


@dataclass(frozen=True)
class DataEntry:
    """One domain: its name, where its images are, and how to read them.

    Attributes:
        name: Of the domain.
        spec: As `keras_mdl.data.load` takes it, without the name.
        options: Further arguments of `load`, of `OPTIONS`.
    """

    name: str
    spec: str
    options: dict = field(default_factory=dict, hash=False)

    @classmethod
    def of(cls, value, extra=()):
        """From `[NAME=]SPEC`, or `{data: [NAME=]SPEC, option: value}`.

        Args:
            value: The string or mapping.
            extra: Keys that the mapping may have had besides; for messages.

        Raises:
            ValueError: For unknown keys, or data without a name.
        """
        options = {}
        if isinstance(value, dict):
            options = dict(value)
            value = options.pop("data", None)
        for key, option in options.items():
            if key not in OPTIONS:
                known = ", ".join(("data", *extra, *OPTIONS))
                raise ValueError(
                    f"Unknown key of data: {key!r}. Known: {known}"
                )
            fits, expected = OPTIONS[key]
            if not fits(option):
                raise ValueError(
                    f"`{key}` must be {expected}. Received: {option!r}"
                )
        if not isinstance(value, str) or not value.strip():
            raise ValueError(
                "Expected data as [NAME=]SPEC, for example embedded:digits or "
                f"signs=folder:photos/signs. Received: {value!r}"
            )
        name, equals, spec = value.partition("=")
        if not equals:
            name, spec = _own_name(value), value
        if not name or not spec:
            raise ValueError(
                "These data need a name for their domain, as NAME=SPEC. "
                f"Received: {value!r}"
            )
        return cls(name, spec, options)

    def to_dict(self):
        """Plain values, as `of` takes them."""
        return {"data": f"{self.name}={self.spec}", **self.options}

    def check(self, folder):
        """Refuses data that cannot be there, without reading any.

        Args:
            folder: What relative paths are relative to.

        Raises:
            ValueError: For an unknown embedded or decathlon domain, or an
                option that is for other kinds of data.
            FileNotFoundError: If there is no such folder.
        """
        from keras_mdl.data import decathlon, embedded
        from keras_mdl.data.folder_index import folder_index
        from keras_mdl.data.specs import options_of, reads_tfds

        kind, _, rest = self.spec.partition(":")
        if kind in ("embedded", "decathlon"):
            known = {"embedded": embedded, "decathlon": decathlon}[kind].names()
            require_domain(rest, known)
        path = self._path(folder)
        if path is not None and not path.is_dir():
            raise FileNotFoundError(
                f"There is no folder of images for the domain {self.name!r}: "
                f"{path}"
            )
        resolved = self._resolved(folder)
        if path is not None and not reads_tfds(resolved):
            folder_index(path)  # classes with images in them
        fitting = options_of(resolved)
        for key in self.options:
            if key not in fitting:
                raise ValueError(
                    f"{key!r} does not apply to {self.spec!r}. Known for "
                    f"such data: {', '.join(fitting)}"
                )

    def digest(self, folder):
        """What the images are, as plain values, without reading them all.

        Of a folder: a hash of its files' names and sizes, and of the contents
        of some. Of other data: what they are called.
        """
        found = {k: v for k, v in self.options.items() if k not in _PATHS}
        path = self._path(folder)
        if path is None:
            return {"spec": self.spec, **found}
        files = sorted(p for p in path.rglob("*") if p.is_file())
        digest = hashlib.sha256()
        step = -(-len(files) // _READ)
        for i, file in enumerate(files):
            name = file.relative_to(path).as_posix()
            digest.update(f"{name} {file.stat().st_size}\n".encode())
            if i % step == 0:
                digest.update(file.read_bytes()[: 1 << 16])
        return {"files": digest.hexdigest()[:16], **found}

    def require_digest(self, folder, expected):
        """Refuses images that are others than those of a digest.

        Raises:
            ValueError: If they are.
        """
        found = self.digest(folder)
        if found != expected:
            raise ValueError(
                f"The images of {self.name!r} have changed since the start. "
                f"Expected: {expected}, received: {found}"
            )

    def load(self, folder, size):
        """The `DomainData`.

        Args:
            folder: What relative paths are relative to.
            size: Side of the images that the network takes; embedded domains
                are drawn at it.
        """
        from keras_mdl.data import load

        options = dict(self.options)
        if "data_dir" in options:
            options["data_dir"] = str(pathlib.Path(folder, options["data_dir"]))
        if self.spec.startswith("embedded:"):
            options["size"] = max(size, 16)
        return load(self._resolved(folder), **options).renamed(self.name)

    def _path(self, folder):
        """The folder of the images, or `None` for data of other kinds."""
        kind, colon, rest = self.spec.partition(":")
        if kind not in _KINDS or not colon:
            return pathlib.Path(folder, self.spec)
        return pathlib.Path(folder, rest) if kind == "folder" else None

    def _resolved(self, folder):
        path = self._path(folder)
        if path is None:
            return self.spec
        return f"{'folder:' * self.spec.startswith('folder:')}{path}"


@dataclass(frozen=True)
class PretrainedBase:
    """In place of a base's data: the network has been trained elsewhere.

    Attributes:
        name: Of the domain that it was trained on.
    """

    name: str = BASE

    def to_dict(self):
        """Plain values."""
        return {"data": _PRETRAINED}

    def check(self, folder):
        """There is nothing to look for."""

    def digest(self, folder):
        """What the images are: nobody has them here."""
        return {"spec": _PRETRAINED}


def base_of(value):
    """What a settings file says of its base.

    Args:
        value: `SPEC`, or `{data: SPEC, epochs: N, recipe: NAME, option:
            value}`; `pretrained` in place of a specification.

    Returns:
        `(DataEntry or PretrainedBase, {"epochs" or "recipe": value})`.

    Raises:
        ValueError: As `DataEntry.of`.
    """
    value = {"data": value} if isinstance(value, str) else value
    value = dict(of_type("base", value, dict))
    own = {k: value.pop(k) for k in ("epochs", "recipe") if k in value}
    if value == {"data": _PRETRAINED}:
        return PretrainedBase(), own
    return DataEntry.of(value, extra=("epochs", "recipe")), own


def check_data(values, folder, base=True):
    """Refuses a settings file whose images cannot be there.

    Args:
        values: What stands in it.
        folder: What relative paths are relative to.
        base: Whether its key `base` names data too.

    Raises:
        ValueError: For missing keys, domains that are called alike, and as
            `DataEntry.check`.
        FileNotFoundError: If there is no such folder.
    """
    values = of_type("the file", values, dict)
    for key in ("base", "domains") if base else ("domains",):
        if not values.get(key):
            raise ValueError(f"The key {key!r} is missing")
    entries = [base_of(values["base"])[0]] if base else []
    domains = of_type("domains", values["domains"], list)
    entries += [DataEntry.of(domain) for domain in domains]
    as_domains([Domain(entry.name, 2) for entry in entries])
    for entry in entries:
        entry.check(folder)


def _own_name(spec):
    """The name that data have without one given, or `""`."""
    kind, colon, rest = spec.partition(":")
    if kind in ("embedded", "decathlon") and colon:
        return rest
    if kind == "tfds" and colon:
        return ""
    return pathlib.Path(rest if kind == "folder" and colon else spec).name


def require_splits(data):
    """Refuses data without labelled images to train on or to evaluate with.

    Raises:
        ValueError: If there are none.
    """
    from keras_mdl.runs.fitting import has_labels

    for split in ("train", "validation"):
        if not has_labels(data, split):
            raise ValueError(
                f"The experiment needs a split {split!r} with labels; "
                f"{data.domain.name!r} has {', '.join(map(repr, data.splits))}"
            )


def without_validation(data, n):
    """The training images alone, each n-th of them to measure with."""
    from keras_mdl.data import from_arrays

    images, labels = data.images("train"), data.labels("train")
    held = np.arange(len(labels)) % n == 0
    splits = {
        split: ([images[i] for i in np.flatnonzero(chosen)], labels[chosen])
        for split, chosen in (("train", ~held), ("validation", held))
    }
    return from_arrays(data.domain.name, splits, data.domain.classes, data.flip)
