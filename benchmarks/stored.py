"""The rows that the benchmarks have stored."""

import csv
import pathlib

RESULTS = pathlib.Path(__file__).parent / "results"


def rows(name):
    """All rows of a file in `results/`, as dicts of strings."""
    with open(RESULTS / name, newline="") as f:
        return list(csv.DictReader(f))
