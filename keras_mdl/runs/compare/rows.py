"""`rows.csv` of a comparison: one line a result, whole lines only.

Workers append to it side by side, and may be killed at any moment. A line is
written at once, under a lock, and counts when it ends in a newline: half a
last line is cut off before the next one is written, and not read before.
"""

import contextlib
import csv
import io
import os
import pathlib

FILE = "rows.csv"
BASE = "base"  # the method's name in the rows of the base domain
COLUMNS = (
    "seed", "domain", "method", "accuracy", "classes", "train_images",
    "validation_images", "epochs", "images_seen", "seconds",
    # Private: numbers and bytes as stored; see `keras_mdl.models.cost`.
    "numbers", "numbers_with_head", "bytes", "bytes_with_head",
    "statistics_bytes", "stored_bytes", "shared", "macs", "macs_folded",
    "others_bit_identical", "base_sha256",
    "keras_mdl", "python", "keras", "backend", "tensorflow", "jax",
    "platform", "cpu", "cpu_cores", "accelerators",
)  # fmt: skip
_TYPES = {
    "accuracy": float,
    "seconds": float,
    **dict.fromkeys(
        (
            "seed", "classes", "train_images", "validation_images", "epochs",
            "images_seen", "numbers", "numbers_with_head", "bytes",
            "bytes_with_head", "statistics_bytes", "stored_bytes", "shared",
            "macs", "macs_folded",
        ),
        int,
    ),
    "others_bit_identical": lambda text: text == "True",
}  # fmt: skip


def require_same_images(rows, data):
    """Refuses images that are not those of the rows of their domain.

    Only numbers are compared, of images and of classes: enough to see that a
    folder has grown, or that a path leads elsewhere now.

    Args:
        rows: Those that exist.
        data: `DomainData` of a domain, with `train` and `validation`.

    Raises:
        ValueError: With the numbers of both.
    """
    found = {
        "classes": data.domain.num_classes,
        "train_images": data.size("train"),
        "validation_images": data.size("validation"),
    }
    for row in rows:
        expected = {key: row[key] for key in found}
        if row["domain"] == data.domain.name and expected != found:
            raise ValueError(
                f"The images of {data.domain.name!r} are not those of the "
                f"rows that exist. Expected: {expected}, received: {found}. "
                "Choose a new folder for the comparison"
            )


def key_of(row):
    """`(seed, domain, method)`: what a row is the result of."""
    return row["seed"], row["domain"], row["method"]


def read_rows(folder):
    """The complete rows of a comparison, as dicts with typed values.

    Args:
        folder: The comparison's folder; without a file there are no rows.

    Raises:
        ValueError: If the file has other columns.
    """
    path = pathlib.Path(folder) / FILE
    if not path.exists():
        return []
    return _parsed(path.read_bytes(), path)


def append_row(folder, row):
    """Adds one row, unless its key is there already.

    Args:
        folder: The comparison's folder.
        row: `{column: value}` of all `COLUMNS`.

    Returns:
        Whether the row was added.

    Raises:
        ValueError: For missing or unknown columns, here or in the file.
    """
    if set(row) != set(COLUMNS):
        raise ValueError(
            f"Expected a row with the columns {list(COLUMNS)}. "
            f"Received: {list(row)}"
        )
    path = pathlib.Path(folder) / FILE
    with open(path, "a+b") as f, _locked(f):
        f.seek(0)
        content = f.read()
        whole = _whole_lines(content)
        if len(whole) < len(content):
            f.truncate(len(whole))
        if key_of(row) in map(key_of, _parsed(whole, path)):
            return False
        text = _line(row[c] for c in COLUMNS)
        f.write(text if whole else _line(COLUMNS) + text)
        f.flush()
        os.fsync(f.fileno())
    return True


def _whole_lines(content):
    return content[: content.rfind(b"\n") + 1]


def _parsed(content, path):
    lines = _whole_lines(content).decode("utf-8").split("\n")[:-1]
    if not lines:
        return []
    header, *records = csv.reader(lines)
    if tuple(header) != COLUMNS:
        raise ValueError(
            f"{path} was written by another version: expected the columns "
            f"{list(COLUMNS)}, received {header}"
        )
    rows = [dict(zip(COLUMNS, r, strict=True)) for r in records]
    return [
        {
            k: _TYPES[k](v) if k in _TYPES and v != "" else v
            for k, v in r.items()
        }
        for r in rows
    ]


def _line(values):
    text = io.StringIO()
    # One record is one line, whatever a value holds.
    clean = [" ".join(v.split()) if isinstance(v, str) else v for v in values]
    csv.writer(text, lineterminator="\n").writerow(clean)
    return text.getvalue().encode("utf-8")


@contextlib.contextmanager
def _locked(file):
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
