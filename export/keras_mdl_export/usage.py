"""`USAGE.md`: how an app uses this very export, file by file.

The text is `templates/USAGE.md.jinja`. The names of the APIs in it are from
the sources and declarations of LiteRT (litert/kotlin, tflite/swift),
MediaPipe (tasks/java, tasks/ios), their npm packages, zstd-jni and RFC 9842,
in the versions that the text gives.
"""

import pathlib
import re

import jinja2

from keras_mdl_export.manifest import FORMS
from keras_mdl_export.manifest_schema import TRUNK
from keras_mdl_export.modes import MODES

FILENAME = "USAGE.md"
_LONGEST = 40  # characters of a class name in the table
_WHAT_IT_IS = {
    "models": "a complete file per domain: what most apps want",
    "parts": "the trunk once; a prefix and labels per domain. "
    "Prefix + trunk + labels is the complete file",
    "bundle": "all domains in one file, a signature each",
    "packs": "a domain's complete file as the difference from one that the "
    "device has: updates over the air",
}
_SCORES = {
    "probabilities": "probabilities, which add up to 1",
    "logits": "logits; a softmax makes probabilities of them",
}


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
    values, files = manifest.values, manifest.files
    forms = {}
    for form in FORMS:
        if paths := {
            p for n in manifest.networks for p in manifest.paths(form, n)
        }:
            forms[form] = paths
    # The first domain is the example.
    domain, entry = next(iter(values["domains"].items()))
    model = entry["files"].get("model", "")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("keras_mdl_export"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown and code
    )
    environment.filters |= {
        "code": lambda name: f"`{name}`",
        "number": lambda n: f"{n:,}",
        "plain": _plain,
        "size": lambda path: files[path]["bytes"],
    }
    text = environment.get_template(f"{FILENAME}.jinja").render(
        values=values,
        files=files,
        forms=forms,
        what=_WHAT_IT_IS,
        note=MODES[values["mode"]].note if values["mode"] in MODES else "",
        scores=_SCORES[values["output"]],
        dtype=manifest.input_dtype,
        integers=manifest.input_dtype == "uint8",
        range="0..255" if manifest.input_dtype == "uint8" else "0.0..255.0",
        height=manifest.input_shape[1],
        width=manifest.input_shape[2],
        domain=domain,
        model=model,
        urls=f"/{model.rpartition('/')[0]}/*",
        trunk=TRUNK,
        router=manifest.router,
        bundle=manifest.bundle or "",
        rebuilt=[
            (
                name,
                d["complete"]["sha256"],
                ", ".join(f'"{p}"' for p in manifest.paths("parts", name)),
            )
            for name, d in manifest.networks.items()
        ],
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def _plain(name):
    """A class name with nothing in it that Markdown would read."""
    name = " ".join(name.split())
    if len(name) > _LONGEST:
        name = name[: _LONGEST - 3] + "..."
    return re.sub(r"([\\`*_\[\]<>|~&#])", r"\\\1", name)
