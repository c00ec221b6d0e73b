"""A small complete export folder, in all forms, made without TensorFlow."""

import hashlib
import io
import json
import zipfile

import numpy as np
import tiny_tflite
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from keras_mdl_export import Manifest, make_pack
from tiny_tflite import SIZE, answer, kernels, tflite

DOMAINS = {"dtd": ["woven", "dotted", "zigzag"], "svhn": ["0", "1"]}
FORMS = ("models", "parts", "bundle", "packs")


def images(dtype="uint8", n=2, seed=0):
    """Random images that the networks take."""
    pixels = np.random.default_rng(seed).integers(0, 256, (n, SIZE, SIZE, 3))
    return pixels.astype(dtype)


def expected(name, pixels):
    """The scores a domain's network gives, computed in NumPy."""
    return answer(pixels, *_kernels(name))


def make_export(folder, dtype="float32", forms=FORMS, **changes):
    """Writes an export with the domains of `DOMAINS`.

    Args:
        folder: Where to; must exist.
        dtype: Of the input.
        forms: Which of `FORMS`. Packs are based on the trunk if there are
            parts, else on the model of "dtd", which then needs no pack.
        **changes: Of the manifest; `signing_key` signs it; `sharper` scales
            the domains' own kernels, for an export that answers otherwise.

    Returns:
        The `Manifest`, which is also written.
    """
    contents, domains = {}, {}
    key, sharper = changes.pop("signing_key", None), changes.pop("sharper", 1)
    trunk = _kernels("dtd")[0].tobytes()
    for name, classes in DOMAINS.items():
        flat = tflite({name: sharper * _kernels(name)[1]}, dtype)
        labels = _labels(classes)
        model = flat + labels
        base = "parts/trunk.bin" if "parts" in forms else "models/dtd.tflite"
        files = {}
        if "models" in forms:
            files["model"] = f"models/{name}.tflite"
            contents[files["model"]] = model
        if "parts" in forms:
            files["prefix"] = f"parts/{name}.prefix"
            files["labels"] = f"parts/{name}.labels.zip"
            contents[files["prefix"]] = flat[: -len(trunk)]
            contents[files["labels"]] = labels
            contents["parts/trunk.bin"] = trunk
        packed = "packs" in forms and base != files.get("model")
        if packed:
            files["pack"] = f"packs/{name}.pack"
            contents[files["pack"]] = make_pack(contents[base], model)
        domains[name] = {
            "classes": classes,
            "mean": [0.5, 0.4, 0.3],
            "std": [0.2, 0.2, 0.2],
            "files": files,
            "complete": digest(model),
            "sharing": {"shared_bytes": len(trunk)},
            "verification": {"largest_difference": 0.0},
        }
        if packed:
            domains[name]["pack_base"] = base
    if "bundle" in forms:
        own = {name: sharper * _kernels(name)[1] for name in DOMAINS}
        contents["bundle.tflite"] = tflite(own, dtype)
    values = {
        "format": "keras_mdl.export/2",
        "version": 1,
        "created_with": {"keras_mdl": "0.1.0"},
        "mode": "float32",
        "runtime": "1.6.0",
        "input": {"shape": [1, SIZE, SIZE, 3], "dtype": dtype},
        "output": "probabilities",
        "trunk": {
            **digest(trunk),
            "kernels": [
                {
                    "layer": "conv1",
                    "shape": [tiny_tflite.FEATURES, 3],
                    "dtype": "float32",
                    "offset": 0,
                    "bytes": len(trunk),
                }
            ],
        },
        "files": {path: digest(c) for path, c in contents.items()},
        "domains": domains,
        "bundle": "bundle.tflite" if "bundle" in forms else None,
        **changes,
    }
    for path, content in contents.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)
    manifest = Manifest(values)
    manifest.write(folder, key)
    return manifest


def key_pair(kind=ed25519.Ed25519PrivateKey.generate):
    """PEM of a private and of its public key."""
    key = kind()
    private = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    public = key.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    return private, public


def replace_file(folder, path, content):
    """Exchanges a file and all its hashes in the manifest."""
    (folder / path).write_bytes(content)
    values = json.loads((folder / "manifest.json").read_text())
    values["files"][path] = digest(content)
    for domain in values["domains"].values():
        if domain["files"].get("model") == path:
            domain["complete"] = digest(content)
    (folder / "manifest.json").write_text(json.dumps(values))


def digest(content):
    """SHA-256 and size, as the manifest writes them."""
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }


def _kernels(name):
    seed = 1 + list(DOMAINS).index(name)
    shared, own = kernels(seed, len(DOMAINS[name]))
    # Pixels to 255 would drive the softmax to 0 and 1.
    return shared, own / 100


def _labels(classes):
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w") as file:
        info = zipfile.ZipInfo("labels.txt", (1980, 1, 1, 0, 0, 0))
        file.writestr(info, "\n".join(classes))
    return result.getvalue()
