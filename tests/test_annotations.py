"""What a package names in `__all__` says what it takes and gives."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGES = sorted((ROOT / "keras_mdl").rglob("__init__.py"))
PACKAGES.append(ROOT / "export" / "keras_mdl_export" / "__init__.py")
# Keras calls these; their arguments are Keras'.
KERAS = {"build", "call", "compute_output_shape", "from_config", "get_config"}

# Still to be annotated.
LATER = {
    "export/keras_mdl_export/loading.py",
    "export/keras_mdl_export/packs.py",
    "export/keras_mdl_export/updating.py",
    "keras_mdl/data/domain_data.py",
    "keras_mdl/data/tfds_reader.py",
    "keras_mdl/runs/search/search_settings.py",
    "keras_mdl/search/rewards.py",
    "keras_mdl/search/searching.py",
    "keras_mdl/search/space.py",
    "keras_mdl/search/supernetwork.py",
}


def public_names(init):
    """The strings in `__all__`, or in the table that it is made of."""
    return {
        constant.value
        for node in ast.parse(init.read_text()).body
        if isinstance(node, ast.Assign)
        and node.targets[0].id in ("__all__", "_HOMES")
        for constant in ast.walk(node.value)
        if isinstance(constant, ast.Constant)
    }


def functions(node, prefix=""):
    """`(name, definition)` of the public functions and methods in a node."""
    for inner in node.body:
        if isinstance(inner, ast.ClassDef):
            yield from functions(inner, f"{prefix}{inner.name}.")
        elif isinstance(inner, ast.FunctionDef):
            if inner.name[0] != "_" or inner.name == "__init__":
                yield prefix + inner.name, inner


def without_annotations(definition):
    arguments = definition.args
    missing = [
        a.arg
        for a in arguments.args + arguments.kwonlyargs
        if a.annotation is None and a.arg not in ("self", "cls")
    ]
    if definition.returns is None and definition.name != "__init__":
        missing.append("->")
    return missing


@pytest.mark.parametrize("init", PACKAGES, ids=lambda p: p.parent.name)
def test_public_signatures_are_annotated(init):
    public, found = public_names(init), {}
    for path in sorted(init.parent.rglob("*.py")):
        if str(path.relative_to(ROOT)) in LATER:
            continue
        for name, definition in functions(ast.parse(path.read_text())):
            owner, _, method = name.partition(".")
            if owner in public and method not in KERAS:
                missing = without_annotations(definition)
                if missing:
                    found[f"{path.relative_to(ROOT)}: {name}"] = missing
    assert not found
