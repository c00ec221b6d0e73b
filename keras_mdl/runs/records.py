"""What is written beside results: settings, versions, tables."""

import csv
import pathlib

from keras_mdl.files import atomic_path, write_text
from keras_mdl.runs.environment import describe_environment

# Columns of every table of results.
ENVIRONMENT = (
    "keras_mdl", "python", "keras", "backend", "tensorflow", "jax",
    "platform", "cpu", "cpu_cores", "accelerators",
)  # fmt: skip


def record_path(output):
    """Where the record of an output file lies: `FILE.run.yaml`."""
    output = pathlib.Path(output)
    return output.with_name(output.name + ".run.yaml")


def write_record(path, command, settings, **results):
    """Writes settings, versions, hardware and results as YAML.

    The file can be given back to the command with `--config`.

    Args:
        path: File to write.
        command: Name of the command.
        settings: `{flag name: value}`.
        **results: Further sections of plain values.
    """
    import yaml

    content = {
        "command": command,
        "settings": settings,
        "environment": describe_environment(),
        **results,
    }
    write_text(
        path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    )


def write_csv(path, rows):
    """Writes dicts as CSV; the columns are those of all rows, in order."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with atomic_path(path) as temporary:
        with open(temporary, "w", newline="", encoding="utf-8") as f:
            writer = csv.DictWriter(f, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
