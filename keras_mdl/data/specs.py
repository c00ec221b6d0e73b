"""One string that names data, for command lines and configurations."""

import re
from pathlib import Path

from keras_mdl.data import decathlon, embedded
from keras_mdl.data.domain_data import DomainData
from keras_mdl.data.tfds_reader import find_directory

_NAMED = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.\-]{0,63})=(.+)", re.DOTALL)
_FORMS = (
    "'tfds:NAME', 'decathlon:KEY', 'folder:PATH', 'embedded:NAME' or the "
    "path of a TFDS or class folder, each optionally as 'domain-name=...'"
)


def load(spec, **options):
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
            `embedded.load`, `DomainData.from_tfds`,
            `DomainData.from_tfds_directory` or `DomainData.from_folder`.

    Returns:
        `DomainData`.

    Raises:
        ValueError: If `spec` has none of these forms.

    Example:

    ```python
    data = load("signs=folder:photos/signs", validation_fraction=0.1)
    ```
    """
    if not isinstance(spec, str) or not spec.strip():
        raise ValueError(
            f"A data specification must be {_FORMS}. Received: spec={spec!r}"
        )
    named = _NAMED.fullmatch(spec)
    if named and not Path(spec).exists():
        return load(named[2], **options).renamed(named[1])
    kind, _, rest = spec.partition(":")
    if kind in _KINDS and rest:
        return _KINDS[kind](rest, **options)
    if Path(spec).is_dir():
        if find_directory(spec):
            return DomainData.from_tfds_directory(spec, **options)
        return DomainData.from_folder(spec, **options)
    raise ValueError(
        f"A data specification must be {_FORMS}; no folder of this name "
        f"exists. Received: spec={spec!r}"
    )


_KINDS = {
    "tfds": DomainData.from_tfds,
    "decathlon": decathlon.load,
    "folder": DomainData.from_folder,
    "embedded": embedded.load,
}
