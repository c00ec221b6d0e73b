"""The map of the package, enforced: who may import whom, and how much."""

import ast
import graphlib
import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "keras_mdl"
MODULES = sorted(PACKAGE.rglob("*.py"))
EXPORT = sorted((ROOT / "export" / "keras_mdl_export").glob("*.py"))
BELOW = {"devices", "domains", "files", "processes", "tables"}
ALL = {"layers", "models", "training", "data", "score"} | BELOW
ALL |= {"report", "runs", "analysis", "compression", "routing", "search"}
# Part of the package: the parts it may import (itself included).
MAY_IMPORT = {
    "devices": set(),
    "files": set(),
    "processes": set(),
    "tables": set(),
    "domains": {"files"},
    "layers": {"layers"} | BELOW,
    "models": {"models", "layers"} | BELOW,
    "training": {"training", "models", "layers"} | BELOW,
    "analysis": {"analysis", "models", "layers"} | BELOW,
    "routing": {"routing", "models", "layers"} | BELOW,
    "search": {"search", "training", "models", "layers"} | BELOW,
    "compression": {"compression", "models", "layers"} | BELOW,
    "data": {"data"} | BELOW,
    "score": {"score", "data"} | BELOW,
    "report": {"report", "score", "files", "tables"},
    "runs": ALL,
    "cli": ALL | {"cli"},
    "__main__": {"cli"},
    "__init__": ALL,
}
NO_TENSORFLOW = {
    "devices",
    "files",
    "processes",
    "tables",
    "domains",
    "layers",
    "models",
    "training",
    "analysis",
    "routing",
    "search",
    "compression",
}


def part_of(path):
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "cli" if first.startswith("cli") else first


def imports(tree, package):
    """Dotted names that a syntax tree imports, relative ones resolved."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = package[: len(package) - node.level + 1]
                base = ".".join([*up, *filter(None, [base])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def own_parts(path):
    """The parts of keras_mdl that a module imports, anywhere in it."""
    package = ["keras_mdl"]
    if PACKAGE in path.parents:
        package += path.relative_to(PACKAGE).parts[:-1]
    found = set()
    for name in imports(ast.parse(path.read_text()), package):
        parts = name.split(".")
        if parts[0] == "keras_mdl" and len(parts) > 1:
            target = "cli" if parts[1].startswith("cli") else parts[1]
            if target in MAY_IMPORT:
                found.add(target)
    return found


def top_level_imports(path):
    """What importing the module imports at once: nothing inside functions."""
    tree = ast.parse(path.read_text())

    def without_functions(node):
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, (ast.FunctionDef, ast.Lambda)):
                yield child
                yield from without_functions(child)

    flat = ast.Module(
        [
            n
            for n in without_functions(tree)
            if isinstance(n, (ast.Import, ast.ImportFrom))
        ],
        [],
    )
    return {name.split(".")[0] for name in imports(flat, ["keras_mdl"])}


def name_of(path):
    return str(path.relative_to(PACKAGE))


def all_modules():
    """`{dotted name: file}` of both packages."""
    found = {}
    for base in (ROOT, ROOT / "export"):
        for path in base.glob("keras_mdl*/**/*.py"):
            parts = path.relative_to(base).with_suffix("").parts
            name = ".".join(p for p in parts if p != "__init__")
            found[name] = path
    return found


def test_there_are_no_circles_anywhere():
    """Imports inside functions count: they too say who knows whom."""
    modules, graph = all_modules(), {}
    for name, path in modules.items():
        graph[name] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    target = inner if inner in modules else node.module
                    if target in modules and target != name:
                        graph[name].add(target)
    assert sum(map(len, graph.values())) > 300  # it sees the imports
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def test_every_file_name_occurs_once():
    """A verb of the command line is called like what it is about."""
    names = [
        path.name
        for path in MODULES
        if path.name[0] != "_" and "verbs" not in path.parts
    ]
    assert sorted(names) == sorted(set(names))


every_module = pytest.mark.parametrize("path", MODULES, ids=name_of)


def test_every_part_says_what_it_may_import():
    assert {part_of(p) for p in MODULES} <= set(MAY_IMPORT)


@every_module
def test_imports_go_one_way(path):
    assert own_parts(path) <= MAY_IMPORT[part_of(path)]


@every_module
def test_tensorflow_is_not_imported_with_the_package(path):
    if part_of(path) in NO_TENSORFLOW:
        assert not {"tensorflow", "jax"} & top_level_imports(path)


@every_module
def test_the_exporter_is_imported_only_where_it_is_used(path):
    # It is an extra: without it everything else must work.
    assert "keras_mdl_export" not in top_level_imports(path)
    if part_of(path) not in ("cli", "runs"):
        named = imports(ast.parse(path.read_text()), ["keras_mdl"])
        assert not any(n.startswith("keras_mdl_export") for n in named)


@every_module
def test_files_stay_readable(path):
    limit = 250 if part_of(path) == "layers" else 450
    assert len(path.read_text().splitlines()) <= limit


@pytest.mark.parametrize("path", EXPORT, ids=lambda p: p.name)
def test_the_exporter_knows_models_and_below(path):
    assert own_parts(path) <= {"models", "layers", "routing"} | BELOW
    assert len(path.read_text().splitlines()) <= 250


def test_the_checks_see_what_they_should(tmp_path):
    package = ["keras_mdl", "layers"]
    tree = ast.parse("from ..models import views\nimport keras_mdl.data.x")
    assert set(imports(tree, package)) == {
        "keras_mdl.models",
        "keras_mdl.models.views",
        "keras_mdl.data.x",
    }
    module = tmp_path / "m.py"
    module.write_text(
        "import a\nif 1:\n    import b\nclass C:\n    import c\n"
        "    def f(self):\n        import d\n"
    )
    assert top_level_imports(module) == {"a", "b", "c"}


@pytest.mark.skipif(
    importlib.util.find_spec("jax") is None,
    reason="needs the extra `jax`",
)
@pytest.mark.parametrize(
    "code",
    [
        "import keras_mdl\nfor n in keras_mdl.__all__: getattr(keras_mdl, n)",
        "import keras_mdl.training, keras_mdl.data",
        "import keras_mdl\nkeras_mdl.build_resnet26({'a': 2}, (8, 8, 3), 0.1)",
    ],
    ids=["names", "training_and_data", "a_network"],
)
def test_with_the_jax_backend_tensorflow_stays_out(code):
    code += "\nimport sys; sys.exit('tensorflow' in sys.modules)"
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": str(PACKAGE.parent),
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment)
    assert done.returncode == 0
