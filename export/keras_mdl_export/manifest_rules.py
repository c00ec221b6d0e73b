"""What a manifest may say. It is read as if an enemy had written it."""

import math
import re

FORMAT = "keras_mdl.export/1"
TRUNK = "parts/trunk.bin"
ROLES = ("model", "head", "labels", "external", "pack")
MAX_FILE = 2**30
_MAX_SIDE = 4096
_MAX_ITEMS = 100_000
_UNLISTED = ("manifest.json", "usage.md")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# The rule of `keras_mdl.Domain`.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")
# No name begins with a dot, so neither `.` nor `..` is one; backslash, colon,
# NUL and the empty name (of `/x` and `a//b`) are no part of any.
_PATH = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}(/[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}){0,7}"
)
_BITS = {
    "int4": 4,
    "int8": 8,
    "uint8": 8,
    "int16": 16,
    "int32": 32,
    "float16": 16,
    "float32": 32,
}


def check_manifest(values):
    """Checks the plain values of a manifest.

    Keys that this version does not know are left alone.

    Raises:
        ValueError: For the first thing that is wrong, with its place.
    """
    _choice(values.get("format"), (FORMAT,), "format")
    for key, text in _object(values, "created_with", "").items():
        _text(text, f"created_with.{key}")
    _text(values.get("mode"), "mode")
    _choice(values.get("output"), ("probabilities", "logits"), "output")
    _input(_object(values, "input", ""))
    files = _files(_object(values, "files", ""))
    _trunk(_object(values, "trunk", ""), files)
    domains = _object(values, "domains", "")
    _distinct(domains, "domains")
    used = set()
    for name, domain in domains.items():
        _matches(name, _NAME, "domains")
        _domain(domain, f"domains.{name}", files, values["trunk"], used)
    if not domains:
        _refuse("domains", "at least one domain", domains)
    if values.get("bundle") is not None:
        _listed(values["bundle"], "bundle", files, used)


def check_digest(value, where, only=False):
    """Checks a `{"sha256": 64 hex digits, "bytes": n}`.

    Args:
        value: The plain value.
        where: Its place, for messages.
        only: Whether other keys are refused.
    """
    if not isinstance(value, dict) or (
        only and set(value) != {"sha256", "bytes"}
    ):
        _refuse(where, "an object with the keys `sha256` and `bytes`", value)
    _matches(value.get("sha256"), _SHA256, f"{where}.sha256")
    _integer(value.get("bytes"), 0, MAX_FILE, f"{where}.bytes")


def _input(value):
    _choice(value.get("dtype"), ("uint8", "float32"), "input.dtype")
    shape = value.get("shape")
    if not isinstance(shape, list) or len(shape) != 4:
        _refuse("input.shape", "[1, height, width, 3]", shape)
    for size, (low, high) in zip(
        shape, [(1, 1), (1, _MAX_SIDE), (1, _MAX_SIDE), (3, 3)], strict=True
    ):
        _integer(size, low, high, "input.shape")


def _files(files):
    _distinct(files, "files")
    for path, digest in files.items():
        _matches(path, _PATH, "files")
        if path.lower() in _UNLISTED:
            _refuse("files", f"no {path}: it lists the others", path)
        check_digest(digest, f"files[{path!r}]")
    return files


def _trunk(trunk, files):
    check_digest(trunk, "trunk")
    _same(files.get(TRUNK, trunk), trunk, f"files[{TRUNK!r}]", "trunk")
    kernels = trunk.get("kernels")
    if not isinstance(kernels, list) or len(kernels) > _MAX_ITEMS:
        _refuse("trunk.kernels", f"a list of at most {_MAX_ITEMS}", kernels)
    for i, kernel in enumerate(kernels):
        where = f"trunk.kernels[{i}]"
        if not isinstance(kernel, dict):
            _refuse(where, "an object", kernel)
        _text(kernel.get("layer"), f"{where}.layer")
        _choice(kernel.get("dtype"), tuple(_BITS), f"{where}.dtype")
        shape = kernel.get("shape")
        if not isinstance(shape, list) or not 1 <= len(shape) <= 8:
            _refuse(f"{where}.shape", "a list of 1 to 8 sizes", shape)
        for size in shape:
            _integer(size, 1, MAX_FILE, f"{where}.shape")
        _integer(kernel.get("offset"), 0, trunk["bytes"], f"{where}.offset")
        room = trunk["bytes"] - kernel["offset"]
        _integer(kernel.get("bytes"), 1, room, f"{where}.bytes")
        needed = -(-math.prod(shape) * _BITS[kernel["dtype"]] // 8)
        if kernel["bytes"] != needed:
            _refuse(f"{where}.bytes", f"{needed} (of its shape)", kernel)


def _domain(domain, where, files, trunk, used):
    if not isinstance(domain, dict):
        _refuse(where, "an object", domain)
    check_classes(domain.get("classes"), f"{where}.classes")
    _three_numbers(domain.get("mean"), -math.inf, f"{where}.mean")
    _three_numbers(domain.get("std"), 0.0, f"{where}.std")
    for key in ("sharing", "verification"):
        if key in domain:
            _object(domain, key, f"{where}.")
    complete = domain.get("complete")
    check_digest(complete, f"{where}.complete")
    roles = _object(domain, "files", f"{where}.")
    for role, path in roles.items():
        _choice(role, ROLES, f"{where}.files")
        _listed(path, f"{where}.files.{role}", files, used)
    if "model" in roles:
        model = files[roles["model"]]
        _same(model, complete, roles["model"], f"{where}.complete")
    if "head" in roles:
        parts = [roles[k] for k in ("head", "labels") if k in roles]
        size = sum(files[p]["bytes"] for p in parts) + trunk["bytes"]
        if size != complete["bytes"]:
            expected = f"{size}, as head, trunk and labels together"
            _refuse(f"{where}.complete.bytes", expected, complete["bytes"])
    if "pack" in roles:
        _listed(domain.get("pack_base"), f"{where}.pack_base", files, None)


def check_classes(classes, where):
    """Checks the names of a domain's classes.

    Args:
        classes: List of names.
        where: Its place, for messages.
    """
    if not isinstance(classes, list) or not 2 <= len(classes) <= _MAX_ITEMS:
        _refuse(where, f"a list of 2 to {_MAX_ITEMS} names", classes)
    for name in classes:
        _text(name, where)
    if len(set(classes)) < len(classes):
        _refuse(where, "names that differ", classes)


def _three_numbers(values, above, where):
    if not isinstance(values, list) or not (
        len(values) == 3
        and all(isinstance(v, int | float) for v in values)
        and not any(isinstance(v, bool) for v in values)
        and all(above < v < math.inf for v in values)
    ):
        _refuse(where, f"three finite numbers above {above}", values)


def _listed(path, where, files, used):
    if not isinstance(path, str) or path not in files:
        _refuse(where, f"one of `files`: {', '.join(files)}", path)
    if used is None:
        return
    if path in used or path == TRUNK:
        _refuse(where, "a file that nothing else uses", path)
    used.add(path)


def _same(first, second, where, other):
    if any(first[k] != second[k] for k in ("sha256", "bytes")):
        _refuse(where, f"the hash and size of `{other}`", first)


def _object(parent, key, above):
    if not isinstance(parent.get(key), dict):
        _refuse(f"{above}{key}", "an object", parent.get(key))
    return parent[key]


def _distinct(names, where):
    # Folders that ignore case would have one file for two names.
    if len({n.lower() for n in names}) < len(names):
        _refuse(where, "names that differ (ignoring case)", list(names))


def _text(value, where):
    if not isinstance(value, str) or not (value.strip() and len(value) <= 1024):
        _refuse(where, "a text of 1 to 1024 characters", value)


def _integer(value, low, high, where):
    if type(value) is not int or not low <= value <= high:
        _refuse(where, f"an integer from {low} to {high}", value)


def _matches(value, pattern, where):
    if not isinstance(value, str) or not pattern.fullmatch(value):
        _refuse(where, f"text that matches {pattern.pattern}", value)


def _choice(value, known, where):
    if not isinstance(value, str) or value not in known:
        _refuse(where, f"one of {', '.join(map(repr, known))}", value)


def _refuse(where, expected, received):
    text = repr(received)
    if len(text) > 200:
        text = text[:200] + "..."
    raise ValueError(
        f"The manifest is not valid: `{where}` should be {expected}. "
        f"Received: {text}"
    )
