"""`rows.csv` of a comparison: one line a result."""

import csv
import pathlib

FILE = "rows.csv"
BASE = "base"  # the method's name in the rows of the base domain
_WHOLE = (
    "seed", "classes", "train_images", "validation_images", "epochs",
    "images_seen",
    # Private: numbers and bytes as stored; see `keras_mdl.models.cost`.
    "numbers", "numbers_with_head", "bytes", "bytes_with_head",
    "statistics_bytes", "stored_bytes", "shared", "macs", "macs_folded",
)  # fmt: skip
_TYPES = {
    **dict.fromkeys(_WHOLE, int),
    **dict.fromkeys(
        ("accuracy", "accuracy_hard", "accuracy_folded", "variation",
         "learning_rate", "seconds"),
        float,
    ),
    "others_bit_identical": lambda text: text == "True",
}  # fmt: skip


def row_of(found):
    """The row of a stored result: all but the course of its training."""
    return {k: v for k, v in found["result"].items() if k != "history"}


def read_rows(folder):
    """The rows of a comparison, as dicts with typed values.

    Args:
        folder: The comparison's folder; without a file there are no rows.
    """
    path = pathlib.Path(folder) / FILE
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as f:
        return [
            {
                k: _TYPES[k](v) if k in _TYPES and v != "" else v
                for k, v in row.items()
            }
            for row in csv.DictReader(f)
        ]
