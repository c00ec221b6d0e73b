"""Updates of the exports on a device: whole or not at all, and back again.

    models/
      state.json      {"current": 7, "previous": 6, "newest": 7}
      7/              an export folder, complete in one form
      6/              the one before it, to roll back to

`update` verifies a new export, writes it beside the old one under a hidden
name, runs it, renames it to its version, and only then replaces `state.json`
in one rename. Whenever the process dies, `installed` names a folder that is
whole; what was left is swept by the next `update`.
"""

import contextlib
import os
import pathlib
import shutil

import numpy as np

from keras_mdl_export import strict_json
from keras_mdl_export.loading import load
from keras_mdl_export.manifest import FORMS, MAX_BYTES, Manifest
from keras_mdl_export.manifest_schema import MANIFEST, MAX_VERSION, SIGNATURE
from keras_mdl_export.reading import read_bounded, read_verified
from keras_mdl_export.strict_json import integer, nullable, record

_STATE = "state.json"
_version = integer(1, MAX_VERSION)
_STATE_SCHEMA = record(
    {"current": _version, "previous": nullable(_version), "newest": _version}
)


def installed(root):
    """The export folder in use, for `load`.

    Args:
        root: The folder that `update` writes.

    Raises:
        FileNotFoundError: If nothing was installed.
        ValueError: If its state is damaged.
    """
    return pathlib.Path(root, str(_read_state(root)["current"]))


def update(root, incoming, form=None, public_key=None):
    """Installs an export that is newer than all that were installed before.

    Args:
        root: Folder of the installed exports; made if it is missing. One
            process at a time may update it.
        incoming: Folder with the new manifest, its signature, and the files
            that are new. A file that the current export has too (the trunk:
            same SHA-256) need not be there.
        form: The form to install; default the first whose files are all
            here or there.
        public_key: PEM of the key that must have signed the manifest.

    Returns:
        The folder of the new export.

    Raises:
        FileNotFoundError: If a file is neither here nor there.
        ValueError: If the manifest is not valid, not signed by that key, or
            not newer; if a file is damaged or LiteRT refuses it; or if
            `incoming` is where `update` itself writes.
        OSError: If it cannot be written. Whatever is raised, the export in
            use stays in use.
    """
    if form is not None and form not in FORMS:
        raise ValueError(
            f"`form` must be one of {', '.join(FORMS)}. Received: {form!r}"
        )
    root, incoming = pathlib.Path(root), pathlib.Path(incoming)
    place = incoming.resolve()
    if place.parent == root.resolve() and place.name.lstrip(".")[:1].isdigit():
        raise ValueError(
            f"In {root} the names of numbers are for installed exports. "
            f"Received: incoming={str(incoming)!r}"
        )
    root.mkdir(parents=True, exist_ok=True)
    state = _read_state(root) if (root / _STATE).exists() else None
    sweep(root, state)
    manifest = Manifest.read(incoming, public_key)
    if state and manifest.version <= state["newest"]:
        raise ValueError(
            "An update is newer than every export that was installed before "
            f"({state['newest']}). Received: version {manifest.version}"
        )
    sources = [(incoming, manifest)]
    if state:
        sources.append((installed(root), Manifest.read(installed(root))))
    form, files = _gathered(manifest, form, sources)
    hidden = _hidden(root, manifest.version)
    for path, (folder, listed, source) in files.items():
        _write(hidden / path, read_verified(folder, listed, source))
    if (incoming / SIGNATURE).exists():
        _write(hidden / SIGNATURE, read_bounded(incoming, SIGNATURE, limit=64))
    _write(hidden / MANIFEST, read_bounded(incoming, MANIFEST, MAX_BYTES))
    # The bytes that were verified, run once each.
    image = np.zeros(manifest.input_shape[1:], manifest.input_dtype)
    loaded = load(hidden, form, public_key=public_key)
    for classifier in loaded.networks.values():
        classifier(image)
    _sync(hidden)
    new = root / str(manifest.version)
    os.replace(hidden, new)
    state = {
        "current": manifest.version,
        "previous": state and state["current"],
        "newest": manifest.version,
    }
    _write_state(root, state)
    sweep(root, state)
    return new


def roll_back(root):
    """Takes the export before the current one into use again.

    The version that is left is not installed again: publish a later one.

    Returns:
        The folder in use.

    Raises:
        FileNotFoundError: If nothing was installed.
        ValueError: If there is none before, or the state is damaged.
    """
    state = _read_state(root)
    if state["previous"] is None:
        raise ValueError(
            f"There is no export before version {state['current']} in {root}"
        )
    _write_state(
        root, {**state, "current": state["previous"], "previous": None}
    )
    return installed(root)


def sweep(root, state=None):
    """Removes what an interrupted update left, and exports out of use.

    Other files and folders in `root`, whatever their names, are left alone.
    """
    root = pathlib.Path(root)
    kept = {str(state[k]) for k in ("current", "previous") if state}
    for path in root.iterdir():
        if path.name not in kept and _version_of(path) == path.name:
            # Hidden first: half removed, it must not look like another's.
            shutil.rmtree(_hidden(root, path.name), ignore_errors=True)
            os.replace(path, _hidden(root, path.name))
    for path in root.glob(".*.incomplete"):
        if path.name[1 : -len(".incomplete")].isdigit():
            shutil.rmtree(path)
    (root / f".{_STATE}").unlink(missing_ok=True)


def _hidden(root, version):
    return root / f".{version}.incomplete"


def _version_of(folder):
    with contextlib.suppress(FileNotFoundError, ValueError):
        if folder.name.isdigit() and not folder.is_symlink():
            return str(Manifest.read(folder).version)
    return None


def _gathered(manifest, form, sources):
    """`(form, {path: (folder, its manifest, path there)})`."""
    missing = {}
    for choice in (form,) if form else manifest.forms():
        wanted = {
            path
            for name in manifest.networks
            for path in manifest.paths(choice, name)
        }
        found = {path: _found(manifest.files[path], sources) for path in wanted}
        absent = sorted(path for path in wanted if found[path] is None)
        if wanted and not absent:
            return choice, found
        missing[choice] = absent[:3]
    raise FileNotFoundError(
        "The update is complete in no form. Missing here and in the export "
        f"in use: {missing or 'everything'}"
    )


def _found(digest, sources):
    for folder, manifest in sources:
        for path, other in manifest.files.items():
            if other == digest and (folder / path).is_file():
                return folder, manifest, path
    return None


def _write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder):
    # Names in a folder reach the disk with the folder (not on Windows).
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _read_state(root):
    content = read_bounded(root, _STATE, limit=1024)
    state = strict_json.parse_object(content, 1024, "The state of the updates")
    _STATE_SCHEMA(state, "state")
    return state


def _write_state(root, state):
    root = pathlib.Path(root)
    _sync(root)  # the new folder's name, before anything names it
    _write(root / f".{_STATE}", strict_json.to_bytes(state))
    os.replace(root / f".{_STATE}", root / _STATE)
    _sync(root)
