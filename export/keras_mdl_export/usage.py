"""`USAGE.md`: how an app uses this very export, file by file."""

import pathlib
import re

from keras_mdl_export import (
    usage_android,
    usage_facts,
    usage_ios,
    usage_updates,
    usage_web,
)
from keras_mdl_export.manifest import FORMS
from keras_mdl_export.manifest_rules import TRUNK

FILENAME = "USAGE.md"

_PYTHON = """\
## Python

```python
from keras_mdl_export import load

classifiers = load("path/to/this/folder")  # or with form="@FORM@"
scores = classifiers["@DOMAIN@"](images)  # (n, classes)
best = classifiers["@DOMAIN@"].top(images[0], k=3)  # [(class, score), ...]
```

It needs NumPy and `ai-edge-litert`@ZSTD@, neither Keras nor TensorFlow. Every
file is compared with manifest.json before it is used. Images must have the
network's size; nothing is resized.
"""


def write(folder, manifest):
    """Writes `USAGE.md` into an export folder.

    Args:
        folder: The folder; it must exist.
        manifest: Its `Manifest`. The same one gives the same bytes.
    """
    path = pathlib.Path(folder, FILENAME)
    path.write_text(usage_text(manifest), encoding="utf-8", newline="\n")


def usage_text(manifest):
    """The Markdown text for an export.

    It names the files that there are, and only these.

    Args:
        manifest: The `Manifest` of the export.
    """
    forms = [
        form
        for form in FORMS
        if any(manifest.paths(form, name) for name in manifest.domains)
    ]
    values = _values(manifest, forms)
    snippets = [
        _PYTHON,
        *_platform(usage_android, forms),
        *_platform(usage_ios, forms),
        *_platform(usage_web, forms),
    ]
    if "packs" in forms:
        snippets.append(usage_updates.PACKS)
    if "models" in forms and TRUNK in manifest.files:
        snippets.append(usage_updates.DCZ)
    return "\n".join(
        [
            usage_facts.heading(manifest),
            usage_facts.folder(manifest, forms),
            usage_facts.input_and_output(manifest),
            usage_facts.classes(manifest),
            *(_filled(text, values) for text in snippets),
            usage_facts.warnings(manifest, forms),
        ]
    )


def _platform(module, forms):
    """The texts of a platform for the forms that the export has."""
    texts = [module.START]
    if "models" in forms:
        texts.append(module.MEDIAPIPE)
    texts.append(module.LITERT)
    for form in forms:
        # Not every form has its own text: browsers read no external weights.
        texts += filter(None, [getattr(module, form.upper(), None)])
    return texts


def _filled(text, values):
    # In one pass: what has been filled in is not looked at again.
    return re.sub(r"@([A-Z0-9_]+)@", lambda match: values[match[1]], text)


def _values(manifest, forms):
    """What stands for each `@NAME@`; the first domain is the example."""
    domain = next(iter(manifest.domains))
    files = manifest.domains[domain]["files"]
    model = files.get("model", "")
    _, height, width, _ = manifest.input_shape
    integers = manifest.input_dtype == "uint8"
    return {
        "DOMAIN": domain,
        "MODEL": model,
        "EXTERNAL_NAME": files.get("external", "").rpartition("/")[2],
        "BUNDLE": manifest.bundle or "",
        "TRUNK": TRUNK,
        "URLS": "/" + model.rpartition("/")[0] + "/*",
        "FORM": forms[0] if forms else "",
        "ZSTD": " (and `zstandard` for packs)" if "packs" in forms else "",
        "PACKS": usage_facts.packs(manifest),
        "HEIGHT": str(height),
        "WIDTH": str(width),
        "RANGE": "0..255" if integers else "0.0..255.0",
        "KOTLIN_ARRAY": "ByteArray" if integers else "FloatArray",
        "KOTLIN_TO": "toByte" if integers else "toFloat",
        "KOTLIN_WRITE": "writeInt8" if integers else "writeFloat",
        "KOTLIN_MODELS": _models(manifest, usage_android.MODEL_ENTRY),
        "SWIFT_TYPE": "UInt8" if integers else "Float",
        "SWIFT_MODELS": _models(manifest, usage_ios.MODEL_ENTRY),
        "JS_ARRAY": "Uint8Array" if integers else "Float32Array",
        "JS_MODELS": _models(manifest, usage_web.MODEL_ENTRY),
    }


def _models(manifest, entry):
    """The parts of every domain as entries of a map in some language."""
    entries = []
    for name, domain in manifest.domains.items():
        parts = manifest.paths("parts", name)
        if parts:
            values = {
                "NAME": name,
                "SHA256": domain["complete"]["sha256"],
                "PARTS": ", ".join(f'"{path}"' for path in parts),
            }
            entries.append(_filled(entry, values))
    return "\n".join(entries)
