"""`Manifest`: what is in an export folder, checked before it is used."""

import pathlib
from dataclasses import dataclass, field

from keras_mdl_export import manifest_rules, strict_json
from keras_mdl_export.reading import read_bounded

FILENAME = "manifest.json"
MAX_BYTES = 16 * 1024 * 1024
# In the order in which a loader prefers them.
FORMS = ("models", "parts", "external", "bundle", "packs")


@dataclass(frozen=True)
class Manifest:
    """The content of a `manifest.json`, valid in every field.

    Args:
        values: The manifest as plain values. They are copied, as JSON would
            copy them.

    Raises:
        ValueError: For anything the format does not allow.
        TypeError: For values that JSON does not have.
    """

    values: dict = field(repr=False)

    def __post_init__(self):
        values = strict_json.parse_object(
            strict_json.to_bytes(self.values), MAX_BYTES, "The manifest"
        )
        manifest_rules.check_manifest(values)
        object.__setattr__(self, "values", values)

    @classmethod
    def read(cls, folder):
        """Reads the manifest of an export folder.

        Args:
            folder: The folder.

        Returns:
            The `Manifest`.

        Raises:
            FileNotFoundError: If there is none.
            ValueError: If it is not valid, or reached by a symbolic link.
        """
        content = read_bounded(folder, FILENAME, limit=MAX_BYTES)
        return cls(strict_json.parse_object(content, MAX_BYTES, "The manifest"))

    def write(self, folder):
        """Writes `manifest.json` into an existing folder.

        It is whole or not there: write it last, and an export that was
        interrupted is no export.

        Args:
            folder: The folder.

        Raises:
            FileNotFoundError: If the folder does not exist.
        """
        # Only here: who reads an export needs nothing else of keras_mdl.
        from keras_mdl.files import write_text

        text = strict_json.to_bytes(self.values, indent=1).decode()
        write_text(pathlib.Path(folder, FILENAME), text + "\n")

    @property
    def files(self):
        """`{path: {"sha256", "bytes"}}` of every file but this one."""
        return self.values["files"]

    @property
    def domains(self):
        """`{name: {"classes", "mean", "std", "files", ...}}`."""
        return self.values["domains"]

    @property
    def trunk(self):
        """`{"sha256", "bytes", "kernels"}` of the shared bytes."""
        return self.values["trunk"]

    @property
    def bundle(self):
        """Path of the file with all domains, or `None`."""
        return self.values.get("bundle")

    @property
    def input_shape(self):
        """`(1, height, width, 3)`."""
        return tuple(self.values["input"]["shape"])

    @property
    def input_dtype(self):
        """`"uint8"` or `"float32"`."""
        return self.values["input"]["dtype"]

    def forms(self):
        """The forms in which every domain is there, preferred one first."""
        return tuple(
            form
            for form in FORMS
            if all(self.paths(form, name) for name in self.domains)
        )

    def paths(self, form, name):
        """The files that one domain needs in one form.

        Args:
            form: One of `FORMS`.
            name: A domain.

        Returns:
            A tuple of paths, in the order in which they are put together:
            head, trunk, labels; pack, base. The domain whose model is the
            base of the others' packs needs no pack, only that model. Empty
            if the export does not have the domain in this form.
        """
        domain = self.domains[name]
        files = domain["files"]
        trunk = manifest_rules.TRUNK
        trunk = trunk if trunk in self.files else None
        found = {
            "models": (files.get("model"),),
            "parts": (files.get("head"), trunk),
            "external": (files.get("external"), trunk),
            "bundle": (self.bundle,),
            "packs": (files.get("pack"), domain.get("pack_base")),
        }[form]
        if None in found:
            base = form == "packs" and self._is_base(files.get("model"))
            return (files["model"],) if base else ()
        if form == "parts" and "labels" in files:
            found += (files["labels"],)
        return found

    def _is_base(self, path):
        bases = (
            d.get("pack_base")
            for d in self.domains.values()
            if "pack" in d["files"]
        )
        return path is not None and path in bases
