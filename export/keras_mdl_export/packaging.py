"""The files of an export, form by form."""

import contextlib
import copy
import importlib.metadata

import numpy as np

from keras_mdl_export import bundle
from keras_mdl_export.flatbuffer import (
    add_buffer,
    pack,
    schema,
    tail_bytes,
    tail_offsets,
    unpack,
)
from keras_mdl_export.manifest import Manifest
from keras_mdl_export.manifest_schema import FORMAT, ROUTER, TRUNK
from keras_mdl_export.metadata import (
    METADATA_NAME,
    labels_zip,
    metadata_bytes,
)
from keras_mdl_export.reading import digest
from keras_mdl_export.trunk import as_bytes
from keras_mdl_export.verification import VerificationError
from keras_mdl_export.versions import order, runtime_of, wrong_versions

BUNDLE = "bundle.tflite"


def write(
    folder,
    trees,
    kernels,
    own,
    facts,
    domains,
    shared,
    forms,
    pack_base,
    private,
    router=None,
):
    """Writes the chosen forms and the manifest that binds them.

    A domain's complete file is `prefix + trunk.bin + labels.zip`, byte for
    byte: the trunk is the end of every flatbuffer, and the labels that
    MediaPipe reads stand behind it.

    Args:
        folder: An empty folder.
        trees: `{domain: schema.ModelT}`.
        kernels: `{layer: array}` of the trunk as the files hold it; empty if
            nothing is shared.
        own: `{domain: those of them that its file has}`.
        facts: `version`, `mode`, `input` and `output` of the manifest.
        domains: `{name: keras_mdl.Domain}`.
        shared: `{domain: Sharing}`, or empty.
        forms: Which to write.
        pack_base: A domain, or `None` for the trunk.
        private: `{domain: choosing.Chosen}`.
        router: A `routed.Routed`, finished, or `None`.

    Returns:
        The `Manifest`, written.
    """
    arrays = [as_bytes(kernel) for kernel in kernels.values()]
    trunk = tail_bytes(arrays)
    files, complete, entries = {}, {}, {}

    def add(path, content):
        target = folder / path
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
        files[path] = digest(content)
        return path

    on_trunk = "packs" in forms and pack_base is None
    if "parts" in forms or on_trunk:
        add(TRUNK, trunk)
    for name, tree in trees.items():
        described = with_metadata(tree, domains[name], facts)
        tail = [as_bytes(kernel) for kernel in own[name].values()]
        content = _packed(name, described, tail)
        labels = labels_zip(domains[name].classes, len(content))
        complete[name] = content + labels
        found = {}
        if "models" in forms:
            found["model"] = add(f"models/{name}.tflite", complete[name])
        if "parts" in forms:
            prefix = content[: len(content) - len(trunk)]
            found["prefix"] = add(f"parts/{name}.prefix", prefix)
            found["labels"] = add(f"parts/{name}.labels.zip", labels)
        entries[name] = {
            "classes": list(domains[name].classes),
            "mean": list(domains[name].mean),
            "std": list(domains[name].std),
            "files": found,
            "complete": digest(complete[name]),
            "sharing": shared[name].to_dict() if shared else {},
            "private_bits": private[name].to_dict(),
            "verification": {},
        }
    networks, more = dict(entries), {}
    if router is not None:
        tree, used = router.tree, router.shared
        trees = {**trees, ROUTER: tree}
        content = complete[ROUTER] = _packed("the router", tree, arrays)
        found = {}
        if "models" in forms:  # without what it does not use of the trunk
            alone = _packed("the router", tree, list(map(as_bytes, used)))
            found["model"] = add(f"models/{ROUTER}.tflite", alone)
        if "parts" in forms:
            prefix = content[: len(content) - len(trunk)]
            found["prefix"] = add(f"parts/{ROUTER}.prefix", prefix)
        entry = {**router.entry, "files": found, "complete": digest(content)}
        networks[ROUTER] = more[ROUTER] = entry
    if "packs" in forms:
        _add_packs(add, networks, complete, trunk, pack_base)
    if "bundle" in forms:
        add(BUNDLE, _packed("the bundle", bundle.merge(trees), arrays))
    manifest = Manifest(
        {
            "format": FORMAT,
            "created_with": _versions(),
            **facts,
            "runtime": max(map(runtime_of, trees.values()), key=order),
            "trunk": {
                **digest(trunk),
                "kernels": [
                    {
                        "layer": layer,
                        "shape": list(kernel.shape),
                        "dtype": kernel.dtype.name,
                        "offset": offset,
                        "bytes": kernel.nbytes,
                    }
                    for (layer, kernel), offset in zip(
                        kernels.items(), tail_offsets(arrays), strict=True
                    )
                ],
            },
            "files": files,
            "domains": entries,
            "bundle": BUNDLE if "bundle" in forms else None,
            **more,
        }
    )
    manifest.write(folder)  # for the loader that verifies
    return manifest


def with_metadata(tree, domain, facts):
    """A copy of a tree that says what MediaPipe asks for."""
    tree = copy.deepcopy(tree)
    content = metadata_bytes(
        domain.name,
        domain.classes,
        facts["input"]["dtype"],
        facts["output"],
    )
    entry = schema.MetadataT()
    entry.name = METADATA_NAME
    entry.buffer = add_buffer(tree, np.frombuffer(content, np.uint8))
    tree.metadata = [*(tree.metadata or []), entry]
    return tree


def _packed(what, tree, arrays):
    content = pack(tree, arrays)
    if wrong := wrong_versions(unpack(content)):
        raise VerificationError(f"The file of {what}: {'; '.join(wrong)}")
    return content


def _add_packs(add, entries, complete, trunk, pack_base):
    from keras_mdl_export.packs import make_pack

    if pack_base is None:
        base, path = trunk, TRUNK
    else:
        base, path = complete[pack_base], f"models/{pack_base}.tflite"
    for name, entry in entries.items():
        if name == pack_base:
            continue
        entry["files"]["pack"] = add(
            f"packs/{name}.pack", make_pack(base, complete[name])
        )
        entry["pack_base"] = path


def _versions():
    names = ("keras-mdl", "keras", "tensorflow", "ai-edge-litert")
    found = {}
    for name in names:
        # Builds may have names of their own (tensorflow-cpu, nightly ones).
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name.replace("-", "_")] = importlib.metadata.version(name)
    return found
