"""What a manifest may say. It is read as if an enemy had written it."""

import math

from keras_mdl_export.strict_json import (
    choice,
    integer,
    list_of,
    nullable,
    number,
    record,
    refuse,
    table,
    text,
)

FORMAT = "keras_mdl.export/2"
TRUNK = "parts/trunk.bin"
ROUTER = "router"  # the name of its network: of no domain beside it
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
MAX_FILE = 2**30
MAX_VERSION = 2**53 - 1  # what every JSON reader can hold
_MAX_SIDE = 4096
_MAX_ITEMS = 100_000
_UNLISTED = (MANIFEST, SIGNATURE, "usage.md")
_BITS = {
    "int4": 4,
    "int8": 8,
    "uint8": 8,
    "int16": 16,
    "int32": 32,
    "float16": 16,
    "float32": 32,
}

# The rule of `keras_mdl.Domain`.
_name = text(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")
# No name begins with a dot, so neither `.` nor `..` is one; backslash, colon,
# NUL and the empty name (of `/x` and `a//b`) are no part of any.
_path = text(
    r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}(/[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}){0,7}"
)
_sha256 = text(r"[0-9a-f]{64}")
_size = integer(0, MAX_FILE)
_digest = {"sha256": _sha256, "bytes": _size}
digest_schema = record(_digest)
_classes = list_of(text(), 2, _MAX_ITEMS)
_kernel = record(
    {
        "layer": text(),
        "shape": list_of(integer(1, MAX_FILE), 1, 8),
        "dtype": choice(*_BITS),
        "offset": _size,
        "bytes": integer(1, MAX_FILE),
    }
)
_domain = record(
    {
        "classes": _classes,
        "mean": list_of(number(), 3, 3),
        "std": list_of(number(above=0.0), 3, 3),
        "files": record(
            {},
            dict.fromkeys(("model", "prefix", "labels", "pack"), _path),
        ),
        "complete": digest_schema,
    },
    {
        "pack_base": _path,
        "sharing": record(
            {},
            {
                "shared_bytes": _size,
                "trunk_bytes": _size,
                "fraction": number(),
                "unshared": table(text(), text(longest=4096)),
            },
        ),
        "private_bits": record(
            {
                "name": text(),
                "kernels": integer(1, 127),
                "depthwise": nullable(integer(1, 127)),
                "mantissa": integer(1, 23),
                "images": _size,
                "lost": number(),
            }
        ),
        "verification": table(text(), nullable(number())),
    },
)
_router = record(
    {
        "layer": text(),
        "rejected": number(above=0.0),
        "scores": list_of(
            record({"name": _name, "threshold": number()}), 1, _MAX_ITEMS
        ),
        "files": record({}, dict.fromkeys(("model", "prefix", "pack"), _path)),
        "complete": digest_schema,
    },
    {"pack_base": _path, "verification": table(text(), nullable(number()))},
)
_manifest = record(
    {
        "format": choice(FORMAT),
        "version": integer(1, MAX_VERSION),
        "created_with": table(text(), text()),
        "mode": text(),
        "runtime": text(r"\d{1,4}\.\d{1,4}\.\d{1,4}"),
        "input": record(
            {
                "shape": list_of(integer(1, _MAX_SIDE), 4, 4),
                "dtype": choice("uint8", "float32"),
            }
        ),
        "output": choice("probabilities", "logits"),
        "trunk": record(
            {**_digest, "kernels": list_of(_kernel, 0, _MAX_ITEMS)}
        ),
        "files": table(_path, digest_schema),
        "domains": table(_name, _domain, least=1),
        "bundle": nullable(_path),
    },
    {"router": _router},
)


def check_manifest(values):
    """Checks the plain values of a manifest.

    Raises:
        ValueError: For the first thing that is wrong, with its place.
    """
    try:
        _manifest(values, "")
        shape = values["input"]["shape"]
        if (shape[0], shape[3]) != (1, 3):
            refuse("input.shape", "[1, height, width, 3]", shape)
        files, trunk = values["files"], values["trunk"]
        _distinct(files, "files")
        for path in files:
            if path.lower() in _UNLISTED:
                refuse("files", "the others, which it lists", path)
        alone = {key: trunk[key] for key in _digest}
        _same(files.get(TRUNK, alone), alone, f"files.{TRUNK}", "trunk")
        for i, kernel in enumerate(trunk["kernels"]):
            _check_kernel(kernel, trunk["bytes"], f"trunk.kernels[{i}]")
        _distinct(values["domains"], "domains")
        used = set()
        for name, domain in values["domains"].items():
            _check_domain(domain, f"domains.{name}", files, trunk, used)
        if "router" in values:
            _check_router(values, files, trunk, used)
        if values["bundle"] is not None:
            _listed(values["bundle"], "bundle", files, used)
    except ValueError as error:
        raise ValueError(f"The manifest is not valid: {error}") from None


def check_classes(classes, where):
    """Checks the names of a domain's classes.

    Args:
        classes: List of names.
        where: Its place, for messages.
    """
    _classes(classes, where)
    if len(set(classes)) < len(classes):
        refuse(where, "names that differ", classes)


def _check_kernel(kernel, room, where):
    bits = math.prod(kernel["shape"]) * _BITS[kernel["dtype"]]
    if kernel["bytes"] != -(-bits // 8):
        refuse(f"{where}.bytes", f"{-(-bits // 8)}, of its shape", kernel)
    if kernel["offset"] + kernel["bytes"] > room:
        refuse(where, f"within the {room} bytes of the trunk", kernel)


def _check_domain(domain, where, files, trunk, used):
    check_classes(domain["classes"], f"{where}.classes")
    roles, complete = domain["files"], domain["complete"]
    _check_files(domain, where, files, trunk, used)
    if "model" in roles:
        model = files[roles["model"]]
        _same(model, complete, f"files.{roles['model']}", f"{where}.complete")


def _check_router(values, files, trunk, used):
    if ROUTER in map(str.lower, values["domains"]):
        refuse("domains", f"others than the router's name, {ROUTER!r}", ROUTER)
    scored = [score["name"] for score in values["router"]["scores"]]
    if missing := [n for n in values["domains"] if n not in scored]:
        refuse("router.scores", "a score of each domain", missing)
    if len(set(scored)) < len(scored):
        refuse("router.scores", "names that differ", scored)
    # (A `model` of the router ends in the part of the trunk that it uses.)
    _check_files(values["router"], "router", files, trunk, used)


def _check_files(network, where, files, trunk, used):
    roles, complete = network["files"], network["complete"]
    for role, path in roles.items():
        _listed(path, f"{where}.files.{role}", files, used)
    if "prefix" in roles:
        parts = [roles[k] for k in ("prefix", "labels") if k in roles]
        size = sum(files[p]["bytes"] for p in parts) + trunk["bytes"]
        if size != complete["bytes"]:
            expected = f"{size}, as prefix, trunk and labels together"
            refuse(f"{where}.complete.bytes", expected, complete["bytes"])
    if "pack" in roles:
        _listed(network.get("pack_base"), f"{where}.pack_base", files, None)


def _listed(path, where, files, used):
    if path not in files:
        refuse(where, "one of `files`", path)
    if used is None:
        return
    if path in used or path == TRUNK:
        refuse(where, "a file that nothing else uses", path)
    used.add(path)


def _same(first, second, where, other):
    if first != second:
        refuse(where, f"the hash and size of `{other}`", first)


def _distinct(names, where):
    # Folders that ignore case would have one file for two names.
    if len({n.lower() for n in names}) < len(names):
        refuse(where, "names that differ (ignoring case)", list(names))
