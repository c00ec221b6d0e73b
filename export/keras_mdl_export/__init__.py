"""Exports one TFLite classifier per visual domain; all share one trunk.

- `export(model, folder, ...)` writes the files (needs Keras and TensorFlow).
- `load(folder)` runs them (needs NumPy and LiteRT, nothing else).
- `update(root, incoming)` installs a later export, whole or not at all.
- `Manifest` describes what is in such a folder.
- `make_pack`, `apply_pack`: a domain's file as its difference from a file
  that the other side has already.
"""

import importlib

# Each name is imported when it is asked for: a device that only runs the
# models has no TensorFlow, and `import keras_mdl_export` needs nothing.
_HOMES = {
    "Manifest": "manifest",
    "apply_pack": "packs",
    "export": "exporting",
    "installed": "updating",
    "load": "loading",
    "make_pack": "packs",
    "roll_back": "updating",
    "update": "updating",
}

_EXTRA = ("ai_edge_litert", "cryptography", "flatbuffers", "jinja2",
          "zstandard")  # fmt: skip

__all__ = sorted(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}. "
            f"Its names are: {', '.join(__all__)}"
        )
    try:
        module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _EXTRA:
            raise
        raise ModuleNotFoundError(
            f"`keras_mdl_export.{name}` needs {error.name}: "
            "pip install 'keras-mdl[export]'",
            name=error.name,
        ) from error
    return getattr(module, name)


def __dir__():
    return sorted({*globals(), *__all__})
