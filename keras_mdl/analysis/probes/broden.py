"""`Broden`: the broadly and densely labelled data set, as it is on disk."""

import csv
import os
import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from keras_mdl.analysis.probes.probe import Concept, Labels

_TABLES = ("index.csv", "label.csv", "category.csv")
_SIZES = ("ih", "iw", "sh", "sw")
_NAMED = 5  # files that an error names


class Broden:
    """A folder of Broden, in any of its builds (224, 227, 384).

    Its layout: `index.csv` has a row for each image with the sizes of image
    and label maps and, for each category, `;`-separated entries that are
    labels of the whole image (integers) or label maps (PNG files in
    `images/`, `label = R + 256 G`). `label.csv` names the labels,
    `category.csv` lists the categories, `c_<category>.csv` says how many
    pixels each label covers in a category. Images and maps are read when they
    are asked for.

    A label that occurs in several categories belongs to the one where it
    covers most, and counts there alone: so no unit can overlap with it where
    its category is not annotated. Label 0 is nothing. Where several maps of a
    category name a label at the same pixel it counts once.

    Args:
        folder: The folder.
        categories: Those to use; default all of `category.csv`.
        split: `"train"` or `"val"`; default both.

    Raises:
        FileNotFoundError: If tables, images or label maps are missing; named.
        ValueError: If a table lacks columns, a label or category is unknown,
            or a label map has another size than the index says. All of it is
            checked before anything is computed: a minute for the whole set.

    Reference: Bau, Zhou, Khosla, Oliva, Torralba, "Network Dissection", CVPR
    2017; the layout from the released code.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        categories: Sequence[str] | None = None,
        split: str | None = None,
    ) -> None:
        self.folder = pathlib.Path(folder)
        self.name = self.folder.name
        missing = [n for n in _TABLES if not (self.folder / n).is_file()]
        if missing:
            raise FileNotFoundError(
                f"{folder} is no Broden data set: expected {', '.join(_TABLES)}"
                f" and a folder `images`. Missing: {', '.join(missing)}"
            )
        known = [row["name"] for row in self._table("category.csv", "name")]
        if unknown := set(categories or ()) - set(known):
            raise ValueError(
                f"Unknown categories: {', '.join(sorted(unknown))}. Categories "
                f"of {folder}: {', '.join(known)}"
            )
        self.categories = tuple(c for c in known if c in (categories or known))
        self.concepts, self._number = self._read_concepts()
        self._rows = [
            row
            for row in self._table("index.csv", "image", "split", *_SIZES)
            if split in (None, row["split"])
        ]
        if not self._rows:
            raise ValueError(
                f"index.csv of {folder} has no images of {split!r}"
            )
        self._check()

    def __len__(self):
        return len(self._rows)

    def image(self, index: int) -> np.ndarray:
        """uint8 `(ih, iw, 3)`."""
        with Image.open(self._path(self._rows[index]["image"])) as file:
            return np.asarray(file.convert("RGB"))

    def labels(self, index: int) -> Labels:
        """`Labels`; see `keras_mdl.analysis.probes`."""
        row, maps = self._rows[index], {}
        for category in self.categories:
            found = []
            for entry in _entries(row, category):
                if entry.isdecimal():
                    label = int(self._number[category][int(entry)])
                else:
                    label = self._number[category][self._map(entry)]
                    for other in found:
                        label = np.where(label == other, 0, label)
                found.append(label)
            if found:
                maps[category] = found
        return Labels((int(row["sh"]), int(row["sw"])), maps)

    def _map(self, entry):
        with Image.open(self._path(entry)) as file:
            pixels = np.asarray(file.convert("RGB"), np.int32)
        label = pixels[..., 0] + 256 * pixels[..., 1]
        if label.max() >= self._size:
            raise ValueError(
                f"The label map {entry} has the label {label.max()}, which "
                "label.csv does not name"
            )
        return label

    def _path(self, name):
        path = self.folder / "images" / name
        if ".." in path.parts:
            raise ValueError(f"index.csv names a file outside: {name}")
        return path

    def _table(self, name, *columns):
        with open(self.folder / name, newline="", encoding="utf-8") as f:
            rows = csv.DictReader(f)
            lacking = set(columns) - set(rows.fieldnames or ())
            if lacking:
                raise ValueError(
                    f"{self.folder / name} lacks the columns "
                    f"{', '.join(sorted(lacking))}. It has "
                    f"{', '.join(rows.fieldnames or ['none'])}"
                )
            return list(rows)

    def _read_concepts(self):
        """The concepts, and `{category: array from label to number}`."""
        names = {
            int(row["number"]): row["name"]
            for row in self._table("label.csv", "number", "name")
        }
        covered = {}  # {label: {category: coverage}}
        for category in self.categories:
            table = f"c_{category}.csv"
            if not (self.folder / table).is_file():
                raise FileNotFoundError(
                    f"{self.folder} lacks {table}, of the category "
                    f"{category!r} in category.csv"
                )
            for row in self._table(table, "number", "coverage"):
                label = int(row["number"])
                if label:
                    found = covered.setdefault(label, {})
                    found[category] = float(row["coverage"])
        if unknown := sorted(set(covered) - set(names)):
            raise ValueError(
                f"Labels without a name in label.csv of {self.folder}: "
                f"{unknown[:_NAMED]}"
            )
        concepts, self._size = [], max(names, default=0) + 1
        number = {c: np.zeros(self._size, np.int32) for c in self.categories}
        for label in sorted(covered):
            home = max(covered[label], key=covered[label].get)
            concepts.append(Concept(names[label], home))
            number[home][label] = len(concepts)
        return tuple(concepts), number

    def _check(self):
        absent = []
        for row in self._rows:
            if not self._path(row["image"]).is_file():
                absent.append(row["image"])
            for category in self.categories:
                for entry in _entries(row, category):
                    if entry.isdecimal():
                        if int(entry) >= self._size:
                            raise ValueError(
                                f"index.csv: {row['image']} has the label "
                                f"{entry}, which label.csv does not name"
                            )
                    elif not self._path(entry).is_file():
                        absent.append(entry)
                    else:
                        self._check_size(row, entry)
        if absent:
            raise FileNotFoundError(
                f"{len(absent)} files of index.csv are missing in "
                f"{self.folder / 'images'}: {', '.join(absent[:_NAMED])}"
                + (", ..." if len(absent) > _NAMED else "")
            )

    def _check_size(self, row, entry):
        with Image.open(self._path(entry)) as file:
            width, height = file.size
        if (height, width) != (int(row["sh"]), int(row["sw"])):
            raise ValueError(
                f"The label map {entry} of {row['image']} has {height}x{width} "
                f"pixels; index.csv says {row['sh']}x{row['sw']}"
            )


def _entries(row, category):
    return [e for e in (row.get(category) or "").split(";") if e]
