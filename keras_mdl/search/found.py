"""`FoundPaths`: what a search found, as a value, a file and a model."""

import json
import os
import pathlib
from dataclasses import dataclass, field

from keras_mdl.files import write_text
from keras_mdl.models.backbones.multi_path import build_multi_path
from keras_mdl.search.encoding import positions
from keras_mdl.search.similarity import similarity
from keras_mdl.search.space import SearchSpace

FORMAT = "keras_mdl.paths/1"


@dataclass(frozen=True)
class FoundPaths:
    """A path for each domain.

    Attributes:
        space: The `SearchSpace`.
        choices: `{domain: an index for each decision}`.
        history: Rows of the search, dicts; see `Search.history`.

    Raises:
        ValueError: For paths of another space.
    """

    space: SearchSpace
    choices: dict
    history: list = field(default_factory=list, repr=False, compare=False)

    def __post_init__(self):
        for choices in self.choices.values():
            self.space.values(choices)
        found = {d: tuple(map(int, c)) for d, c in self.choices.items()}
        object.__setattr__(self, "choices", found)

    @property
    def paths(self) -> dict[str, list]:
        """`{domain: PathBlock objects}`."""
        return {d: self.space.blocks(c) for d, c in self.choices.items()}

    def describe(self) -> dict:
        """Plain values for reports: `positions`, `blocks` by domain as
        `(position, name)`, and `jaccard` similarities, without and with
        layers that are left out (`jaccard_zeros`)."""
        return {
            "positions": [p.name for p in positions(self.space)],
            "blocks": {
                d: [(b.position, b.name) for b in blocks]
                for d, blocks in self.paths.items()
            },
            "jaccard": similarity(self.space, self.choices),
            "jaccard_zeros": similarity(self.space, self.choices, zeros=True),
        }

    def build(self, domains, **options):
        """The untrained union as a `MultiDomainModel`.

        Args:
            domains: `Domain` objects, or `{name: classes}`.
            **options: As `build_multi_path`.
        """
        shape = (self.space.size, self.space.size, 3)
        return build_multi_path(domains, self.paths, shape, **options)

    def write(self, path: str | os.PathLike) -> None:
        """Writes space and paths as JSON, atomically."""
        content = {
            "format": FORMAT,
            "space": self.space.to_dict(),
            "paths": {d: list(c) for d, c in self.choices.items()},
        }
        write_text(pathlib.Path(path), json.dumps(content, indent=1))

    @classmethod
    def read(
        cls, path: str | os.PathLike, space: SearchSpace | None = None
    ) -> "FoundPaths":
        """Reads what `write` has written.

        Args:
            path: The file.
            space: The space that it must be of, or `None` for any.

        Raises:
            ValueError: If it is not such a file, or of another space.
        """
        try:
            content = json.loads(pathlib.Path(path).read_text("utf-8"))
            if content["format"] != FORMAT:
                raise ValueError(f"its format is {content['format']!r}")
            found = cls(SearchSpace(**content["space"]), content["paths"])
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(
                f"{path} is not a file of paths ({FORMAT}): {error}"
            ) from error
        if space is not None and space != found.space:
            raise ValueError(
                f"The paths in {path} are of another search space. Expected "
                f"the {space}\nReceived the {found.space}"
            )
        return found
