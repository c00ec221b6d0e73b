"""One string that names data, for command lines and configurations."""

import re
from pathlib import Path

from keras_mdl.data import embedded
from keras_mdl.data.domain_data import DomainData
from keras_mdl.data.folder import from_folder
from keras_mdl.data.tfds_reader import (
    find_directory,
    from_decathlon,
    from_tfds,
    from_tfds_directory,
)

_NAMED = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.\-]{0,63})=(.+)", re.DOTALL)
_FORMS = (
    "'tfds:NAME', 'decathlon:KEY', 'folder:PATH', 'embedded:NAME' or the "
    "path of a TFDS or class folder, each optionally as 'domain-name=...'"
)


def load(spec: str, **options) -> DomainData:
    """Loads the data that a string names.

    Args:
        spec: One of

            * `"embedded:digits"`: a domain that needs no files;
            * `"decathlon:dtd"`: a domain of the Visual Decathlon, by TFDS;
            * `"tfds:mnist"`: any TFDS data set of image classification;
            * `"folder:PATH"`: class folders;
            * `"PATH"`: a prepared TFDS folder if it is one, else class
              folders;

            each optionally as `"name=spec"`, which names the domain.
        **options: Passed to the function that does the work:
            `embedded.load`, `from_decathlon`, `from_tfds`,
            `from_tfds_directory` or `from_folder`.

    Returns:
        `DomainData`.

    Raises:
        ValueError: If `spec` has none of these forms.

    Example:

    ```python
    data = load("signs=folder:photos/signs", validation_fraction=0.1)
    ```
    """
    name, kind, rest = _parsed(spec)
    data = _KINDS[kind](rest, **options)
    return data.renamed(name) if name else data


def options_of(spec: str) -> tuple:
    """Which options of reading images `load` takes for a specification.

    Of those that command lines and settings offer: not all of these suit
    every kind of data.

    Raises:
        ValueError: As `load`.
    """
    return _OPTIONS[_parsed(spec)[1]]


def reads_tfds(spec: str) -> bool:
    """Whether `load` reads a specification with `tensorflow_datasets`."""
    return _parsed(spec)[1] in ("tfds", "decathlon", "directory")


def _parsed(spec):
    """`(name or "", kind, the rest)`."""
    if not isinstance(spec, str) or not spec.strip():
        raise ValueError(
            f"A data specification must be {_FORMS}. Received: spec={spec!r}"
        )
    named = _NAMED.fullmatch(spec)
    if named and not Path(spec).exists():
        return named[1], *_parsed(named[2])[1:]
    kind, _, rest = spec.partition(":")
    if kind in _KINDS and rest:
        return "", kind, rest
    if Path(spec).is_dir():
        return "", "directory" if find_directory(spec) else "folder", spec
    raise ValueError(
        f"A data specification must be {_FORMS}; no folder of this name "
        f"exists. Received: spec={spec!r}"
    )


_KINDS = {
    "tfds": from_tfds,
    "decathlon": from_decathlon,
    "folder": from_folder,
    "embedded": embedded.load,
    "directory": from_tfds_directory,  # found, not written
}
_OPTIONS = {
    "tfds": ("flip", "data_dir", "download"),
    "decathlon": ("flip", "pool", "data_dir", "download"),
    "folder": ("flip", "on_bad_image", "validation_fraction"),
    "embedded": ("flip",),
    "directory": ("flip",),
}
