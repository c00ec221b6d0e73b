"""The parts of `USAGE.md` that describe the files of one export: tables."""

import re

from keras_mdl_export.manifest_rules import TRUNK
from keras_mdl_export.modes import MODES

_FIRST = 5  # class names in a row of the table
_LONGEST = 40  # characters of a class name there

_WHAT_IT_IS = {
    "models": "a complete file per domain: what most apps want",
    "parts": "the trunk once; a head and labels per domain. "
    "Head + trunk + labels is the complete file",
    "external": "LiteRT's external weights: a file per domain that reads the "
    "trunk from beside it",
    "bundle": "all domains in one file, a signature each",
    "packs": "a domain's complete file as the difference from one that the "
    "device has: updates over the air",
}


def heading(manifest):
    """What the page is about."""
    names = ", ".join(f"`{name}`" for name in manifest.domains)
    mode = manifest.values["mode"]
    note = MODES[mode].note if mode in MODES else ""
    return _lines(
        "# How to use this export",
        "",
        f"Image classifiers, one per visual domain: {names}.",
        "",
        f"Mode `{mode}`. {note}".rstrip(),
        "",
        "This page was made from `manifest.json`, which says the same to "
        "programs.",
    )


def folder(manifest, forms):
    """Every file, its size and its hash."""
    rows = []
    for form in forms:
        paths = {p for n in manifest.domains for p in manifest.paths(form, n)}
        size = sum(manifest.files[path]["bytes"] for path in paths)
        rows.append([f"`{form}`", _WHAT_IT_IS[form], len(paths), f"{size:,}"])
    text = [
        "## What is in the folder",
        "",
        *_table(["Form", "What it is", "Files", "Bytes"], rows),
        "",
        *_table(
            ["File", "Bytes", "SHA-256"],
            [[f"`{p}`", *_size_and_hash(d)] for p, d in manifest.files.items()],
        ),
    ]
    if "models" not in forms:
        rows = [
            [f"`{name}`", *_size_and_hash(domain["complete"])]
            for name, domain in manifest.domains.items()
        ]
        text += ["", *_table(["Complete file of", "Bytes", "SHA-256"], rows)]
    return _lines(*text)


def input_and_output(manifest):
    """What goes into a network and what comes out."""
    _, height, width, _ = manifest.input_shape
    scores = {
        "probabilities": "probabilities, which add up to 1",
        "logits": "logits; a softmax makes probabilities of them",
    }[manifest.values["output"]]
    return _lines(
        "## Input and output",
        "",
        f"- Input: one RGB image, `{manifest.input_dtype}` of shape "
        f"(1, {height}, {width}, 3), pixels **0 to 255**. Each domain's "
        "normalisation is inside its network: subtract no mean and do not "
        "divide by 255.",
        "- Resizing is not inside. Do it as in training; `keras-mdl` (its "
        "`Preprocess.default`) takes the largest centre piece with the "
        f"proportions {width}:{height} and scales it, bilinear and "
        "antialiased. A photo that is stretched instead gives other answers. "
        "The functions `pixels` below crop so; MediaPipe does not: hand it "
        "the centre piece.",
        f"- Output: `float32` of shape (1, classes), {scores}. The order is "
        "that of `classes` in manifest.json.",
    )


def classes(manifest):
    """The classes of each domain."""
    rows = []
    for name, domain in manifest.domains.items():
        names = [_plain(c) for c in domain["classes"][:_FIRST]]
        more = ["..."] if len(domain["classes"]) > _FIRST else []
        rows.append(
            [f"`{name}`", len(domain["classes"]), ", ".join(names + more)]
        )
    return _lines(
        "## Classes",
        "",
        *_table(["Domain", "Classes", "First names"], rows),
    )


def packs(manifest):
    """The table of packs: base and result of each."""
    rows = []
    for domain in manifest.domains.values():
        pack = domain["files"].get("pack")
        if pack is not None:
            size = f"{manifest.files[pack]['bytes']:,}"
            base = f"`{domain['pack_base']}`"
            result = _size_and_hash(domain["complete"])
            rows.append([f"`{pack}`", size, base, *result])
    header = ["Pack", "Bytes", "Base", "Result's bytes", "Result's SHA-256"]
    return "\n".join(_table(header, rows))


def warnings(manifest, forms):
    """What goes wrong without an error message."""
    notes = [
        "Compare the SHA-256 of whatever was downloaded or copied before you "
        "load it, and take the expected one from where nobody else can write.",
        "Files of different exports go together only where both manifests "
        "have the same SHA-256 for the trunk: then a later export's head, "
        "labels and pack fit the trunk that a device has.",
    ]
    if "external" in forms:
        notes.append(
            "External weights are for LiteRT's `CompiledModel` alone; the "
            "interpreter, LiteRT.js and MediaPipe do not read them. **A "
            f"damaged `{TRUNK}` loads without an error and answers wrongly**: "
            "compare its hash first, and keep it where only your app can write."
        )
    notes.append(
        "XNNPACK's weight cache (an option of `CompiledModel`) does not look "
        "at the weights it is asked for: name each cache file by the SHA-256 "
        "of its model. One cache file for two models gives wrong answers."
    )
    if "bundle" in forms:
        notes += [
            f"Never use a weight cache with `{manifest.bundle}`: its domains "
            "share buffers, and the answers become wrong.",
            f"`{manifest.bundle}` takes the memory of all domains at the first "
            "use of any. Prefer one file per domain.",
        ]
    if not manifest.trunk["bytes"]:
        notes.append("In this mode the domains' files share no bytes.")
    return _lines("## Before you ship", "", *(f"- {note}" for note in notes))


def _size_and_hash(digest):
    return [f"{digest['bytes']:,}", f"`{digest['sha256']}`"]


def _lines(*lines):
    return "\n".join([*lines, ""])


def _table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(map(str, cells)) + " |" for cells in lines]


def _plain(name):
    """A class name with nothing in it that Markdown would read."""
    name = " ".join(name.split())
    if len(name) > _LONGEST:
        name = name[: _LONGEST - 3] + "..."
    return re.sub(r"([\\`*_\[\]<>|~&#])", r"\\\1", name)
