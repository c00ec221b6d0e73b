"""Runs an export. Needs NumPy and LiteRT, neither Keras nor TensorFlow."""

import functools
import hashlib
import os
import pathlib
import threading

from keras_mdl_export import runners
from keras_mdl_export.classifier import Classifier
from keras_mdl_export.classifiers import Classifiers
from keras_mdl_export.manifest import FORMS, Manifest
from keras_mdl_export.reading import check_sha256, read_verified


def load(folder, form=None, threads=1, weight_cache=None, public_key=None):
    """Loads the classifiers of an export folder.

    Every byte that is used was compared with the manifest first. That finds
    damage; who can write the manifest can also write its hashes, so pass a
    `public_key`, or load exports only from where you would install a program
    from.

    Args:
        folder: The export folder.
        form: Which of its files to use:

            - `"models"`: one self-contained file per domain.
            - `"parts"`: prefix, trunk and labels, put together in memory.
            - `"bundle"`: one file, a signature per domain.
            - `"packs"`: differences from the base file (needs zstandard).

            By default the first of these whose files are all there.
        threads: How many threads a network computes with.
        weight_cache: A folder in which XNNPACK keeps the weights as it lays
            them out, so that the next start is faster and processes share
            the memory. Each model has a file of its own there, named by its
            content. Keep others from writing there: what the folder holds is
            not checked. Not for `"bundle"`.
        public_key: PEM (`bytes`) of the Ed25519 key that must have signed the
            manifest (needs `cryptography`); `None`: it need not be signed.

    Returns:
        `Classifiers`, a mapping from domain names to `Classifier` objects;
        its `route` says which domain an image is of. The files of each are
        read at its first image.

    Raises:
        FileNotFoundError: If there is no manifest or signature, or no form
            is complete.
        ValueError: If the manifest is not valid or not signed by that key,
            or for an unknown argument.
        OSError: If the folder of the weight cache cannot be made.
    """
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ValueError(
            "`threads` must be an integer of at least 1. "
            f"Received: threads={threads!r}"
        )
    folder = pathlib.Path(folder)
    manifest = Manifest.read(folder, public_key)
    form = _form(folder, manifest, form)
    if weight_cache is not None:
        if form == "bundle":
            raise ValueError(
                "`weight_cache` is for one model per file. Received: "
                f"form='bundle'. Known forms: {', '.join(FORMS)}"
            )
        weight_cache = pathlib.Path(weight_cache)
        weight_cache.mkdir(parents=True, exist_ok=True)
    opener = _Opener(folder, manifest, form, threads, weight_cache)
    scores = manifest.router["scores"] if manifest.router else ()
    return Classifiers(
        {
            name: Classifier(
                name,
                opener.classes(name),
                manifest.input_shape,
                manifest.input_dtype,
                functools.partial(opener.open, name),
                opener.lock if form == "bundle" else None,
            )
            for name in manifest.networks
        },
        scores,
    )


def _form(folder, manifest, form):
    listed = manifest.forms()
    if form is not None:
        if form not in listed:
            raise ValueError(
                f"`form` must be one that the export has: "
                f"{', '.join(map(repr, listed)) or 'none'} (of "
                f"{', '.join(map(repr, FORMS))}). Received: form={form!r}"
            )
        return form
    missing = {}
    for form in listed:
        paths = {p for n in manifest.networks for p in manifest.paths(form, n)}
        # (`Path.exists` raises where a folder may not be looked into.)
        absent = sorted(p for p in paths if not os.path.exists(folder / p))
        if not absent:
            return form
        missing[form] = absent[0]
    raise FileNotFoundError(
        f"The export in {folder} is complete in no form. Known forms: "
        f"{', '.join(FORMS)}. Missing in those it should have: {missing}"
    )


class _Opener:
    """Reads, checks and starts the network of a domain."""

    def __init__(self, folder, manifest, form, threads, weight_cache):
        self._folder, self._manifest = folder, manifest
        self._form, self._threads = form, threads
        self._weight_cache = weight_cache
        self._interpreter = None
        self.lock = threading.Lock()

    def classes(self, name):
        """The names that the scores of a network are of."""
        network = self._manifest.networks[name]
        if "scores" in network:
            return [score["name"] for score in network["scores"]]
        return network["classes"]

    def open(self, name):
        """A function from one image to the scores of network `name`."""
        manifest, bundle = self._manifest, self._form == "bundle"
        paths = manifest.paths(self._form, name)
        expected = runners.Expected(
            paths[0],
            list(manifest.networks) if bundle else [name],
            manifest.input_shape,
            manifest.input_dtype,
            len(self.classes(name)),
        )
        if bundle and self._interpreter is not None:
            interpreter = self._interpreter
        else:
            contents = [read_verified(self._folder, manifest, p) for p in paths]
            content = contents[0] if bundle else self._complete(name, contents)
            if self._weight_cache is not None:
                # A cache file gives wrong answers to any model but its own.
                sha256 = hashlib.sha256(content).hexdigest()
                cache = self._weight_cache / f"{sha256}.xnnpack"
                return runners.cached_runner(
                    content, self._threads, expected, cache
                )
            interpreter = runners.open_interpreter(
                content, self._threads, expected
            )
            if bundle:
                self._interpreter = interpreter
        return runners.signature_runner(interpreter, name, expected)

    def _complete(self, name, contents):
        if self._form == "models":  # read, and so checked, whole
            return contents[0]
        whole = self._manifest.networks[name]["complete"]
        if self._form == "packs" and len(contents) > 1:
            from keras_mdl_export.packs import apply_pack

            content = apply_pack(*contents, whole)
        else:
            content = b"".join(contents)
        check_sha256(content, whole["sha256"], f"The model of {name!r}")
        return content
