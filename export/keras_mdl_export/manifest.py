"""`Manifest`: what is in an export folder, checked before it is used."""

import contextlib
import copy
import os
import pathlib
from dataclasses import dataclass, field

from keras_mdl_export import strict_json
from keras_mdl_export.manifest_schema import (
    MANIFEST,
    MAX_VERSION,
    ROUTER,
    SIGNATURE,
    TRUNK,
    check_manifest,
)
from keras_mdl_export.reading import read_bounded

FILENAME = MANIFEST
MAX_BYTES = 2 * 1024 * 1024
# In the order in which a loader prefers them.
FORMS = ("models", "parts", "bundle", "packs")


@dataclass(frozen=True)
class Manifest:
    """The content of a `manifest.json`, valid in every field.

    Args:
        values: The manifest as plain values; they are copied.

    Raises:
        ValueError: For anything the format does not allow.
    """

    values: dict = field(repr=False)

    def __post_init__(self):
        check_manifest(self.values)
        object.__setattr__(self, "values", copy.deepcopy(self.values))

    @classmethod
    def read(
        cls, folder: str | os.PathLike, public_key: bytes | None = None
    ) -> "Manifest":
        """Reads the manifest of an export folder.

        Args:
            folder: The folder.
            public_key: PEM of the Ed25519 key that must have signed it;
                `None`: it need not be signed.

        Returns:
            The `Manifest`.

        Raises:
            FileNotFoundError: If there is none, or no signature.
            ValueError: If it is not valid, not signed by that key, or
                reached by a symbolic link.
        """
        content = read_bounded(folder, MANIFEST, limit=MAX_BYTES)
        if public_key is not None:
            from keras_mdl_export.signing import check_signature

            check_signature(folder, content, public_key)
        return cls(strict_json.parse_object(content, MAX_BYTES, "The manifest"))

    def write(
        self, folder: str | os.PathLike, signing_key: bytes | None = None
    ) -> None:
        """Writes `manifest.json` into an existing folder, and its signature.

        It is whole or not there: write it last, and an export that was
        interrupted is no export.

        Args:
            folder: The folder.
            signing_key: PEM of an Ed25519 private key, or `None`.

        Raises:
            FileNotFoundError: If the folder does not exist.
            ValueError: If it has more than `MAX_BYTES`, or for another key.
        """
        # Only here: who reads an export needs nothing else of keras_mdl.
        from keras_mdl.files import atomic_path, write_text

        content = strict_json.to_bytes(self.values, indent=1) + b"\n"
        if len(content) > MAX_BYTES:
            raise ValueError(
                f"A manifest may have {MAX_BYTES} bytes. Received: "
                f"{len(content)} bytes; export fewer domains into one folder"
            )
        if signing_key is not None:
            from keras_mdl_export.signing import sign

            signature = sign(content, signing_key)
            with atomic_path(pathlib.Path(folder, SIGNATURE)) as temporary:
                temporary.write_bytes(signature)
        write_text(pathlib.Path(folder, MANIFEST), content.decode())

    @property
    def version(self) -> int:
        """The export's version: a later one replaces an earlier one."""
        return self.values["version"]

    @property
    def files(self) -> dict:
        """`{path: {"sha256", "bytes"}}` of every file but this one."""
        return self.values["files"]

    @property
    def domains(self) -> dict:
        """`{name: {"classes", "mean", "std", "files", ...}}`."""
        return self.values["domains"]

    @property
    def router(self) -> dict | None:
        """`{"scores", "layer", "files", ...}` of the router, or `None`."""
        return self.values.get(ROUTER)

    @property
    def networks(self) -> dict:
        """`domains`, and the router under its name, if there is one."""
        return networks_of(self.values)

    @property
    def trunk(self) -> dict:
        """`{"sha256", "bytes", "kernels"}` of the shared bytes."""
        return self.values["trunk"]

    @property
    def bundle(self) -> str | None:
        """Path of the file with all domains, or `None`."""
        return self.values["bundle"]

    @property
    def input_shape(self) -> tuple:
        """`(1, height, width, 3)`."""
        return tuple(self.values["input"]["shape"])

    @property
    def input_dtype(self) -> str:
        """`"uint8"` or `"float32"`."""
        return self.values["input"]["dtype"]

    def forms(self) -> tuple:
        """The forms in which everything is there, preferred one first."""
        return tuple(
            form
            for form in FORMS
            if all(self.paths(form, name) for name in self.networks)
        )

    def paths(self, form: str, name: str) -> tuple[str, ...]:
        """The files that one domain, or the router, needs in one form.

        Args:
            form: One of `FORMS`.
            name: A key of `networks`.

        Returns:
            A tuple of paths, in the order in which they are put together:
            prefix, trunk, labels; pack, base. The domain whose model is the
            base of the others' packs needs no pack, only that model. Empty
            if the export does not have the domain in this form.
        """
        domain = self.networks[name]
        files = domain["files"]
        found = {
            "models": (files.get("model"),),
            "parts": (
                files.get("prefix"),
                TRUNK if TRUNK in self.files else None,
            ),
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


def networks_of(values):
    """`{name: entry}` of the domains and the router in a manifest's values."""
    more = {ROUTER: values[ROUTER]} if ROUTER in values else {}
    return {**values["domains"], **more}


def next_version(folder, version=None):
    """The version of an export that is written to a folder.

    Args:
        folder: Where an export may be that is replaced.
        version: The wanted one; default one more than that export's, or 1.

    Raises:
        ValueError: If it is no integer above that export's version.
    """
    replaced = 0
    if pathlib.Path(folder, MANIFEST).exists():
        # Of an older format, or damaged: there is no version to go on from.
        with contextlib.suppress(ValueError):
            replaced = Manifest.read(folder).version
    if version is None:
        return replaced + 1
    if type(version) is not int or not replaced < version <= MAX_VERSION:
        raise ValueError(
            f"`version` must be an integer of at least {replaced + 1}: later "
            "exports have higher ones, and devices install nothing else. "
            f"Received: version={version!r}"
        )
    return version
