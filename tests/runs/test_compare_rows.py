"""`rows.csv` holds whole rows, whatever happens to its writers."""

import subprocess

import numpy as np
import pytest
from comparing import worker_command
from fake_worker import row

from keras_mdl.data import from_arrays
from keras_mdl.runs.compare.rows import (
    COLUMNS,
    FILE,
    append_row,
    key_of,
    read_rows,
    require_same_images,
)


def test_rows_come_back_with_their_types(tmp_path):
    assert read_rows(tmp_path) == []
    rows = [row(0, "a", "base"), {**row(1, "a", "x", 2), "macs": ""}]
    for one in rows:
        assert append_row(tmp_path, one)
    found = read_rows(tmp_path)
    assert list(map(key_of, found)) == [(0, "a", "base"), (1, "a", "x")]
    assert found[1]["accuracy"] == pytest.approx(0.62)
    assert found[0]["others_bit_identical"] is True
    assert found[1]["macs"] == ""
    assert found[0]["cpu"] == "a, b"


def test_a_row_is_added_once(tmp_path):
    assert append_row(tmp_path, row(0, "a", "x"))
    assert not append_row(tmp_path, row(0, "a", "x", 3))
    assert len(read_rows(tmp_path)) == 1


@pytest.mark.parametrize("kept", [1, 30, -1])
@pytest.mark.parametrize("whole", [0, 1, 2])
def test_half_a_last_line_is_not_read_and_is_cut_off(tmp_path, whole, kept):
    for i in range(3):
        append_row(tmp_path, row(i, "a", "x"))
    path = tmp_path / FILE
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:whole]) + lines[whole][:kept])
    before = max(whole - 1, 0)
    assert len(read_rows(tmp_path)) == before
    assert append_row(tmp_path, row(9, "a", "x"))
    found = read_rows(tmp_path)
    assert [r["seed"] for r in found] == [*range(before), 9]
    assert path.read_bytes().endswith(b"\n")


def test_a_value_cannot_break_a_line(tmp_path):
    append_row(tmp_path, {**row(0, "a", "x"), "cpu": 'fast\nand "new",\r wow'})
    append_row(tmp_path, row(1, "a", "x"))
    assert read_rows(tmp_path)[0]["cpu"] == 'fast and "new", wow'
    assert len((tmp_path / FILE).read_text().splitlines()) == 3


def test_other_columns_are_refused(tmp_path):
    with pytest.raises(ValueError, match="Expected a row with the columns"):
        append_row(tmp_path, {"seed": 0})
    (tmp_path / FILE).write_text("seed,domain\n0,a\n")
    with pytest.raises(ValueError, match="another version"):
        append_row(tmp_path, row(0, "a", "x"))
    with pytest.raises(ValueError, match="another version"):
        read_rows(tmp_path)


def test_writers_side_by_side_lose_nothing(tmp_path):
    code = worker_command("fake_worker")[-1].rpartition("; ")[0]
    code += (
        "\nfor i in range(25):"
        "\n    row = fake_worker.row(int(sys.argv[2]), 'a', f'm{i}')"
        "\n    fake_worker.load_rows().append_row(sys.argv[1], row)"
    )
    python = worker_command("fake_worker")[0]
    writers = [
        subprocess.Popen([python, "-c", code, str(tmp_path), str(seed)])
        for seed in range(3)
    ]
    assert [w.wait(60) for w in writers] == [0, 0, 0]
    found = read_rows(tmp_path)
    assert len(found) == len(set(map(key_of, found))) == 75
    assert set(found[0]) == set(COLUMNS)


def test_other_images_than_those_of_the_rows_are_refused():
    def data(n):
        labels = np.arange(n) % 2
        images = np.zeros((n, 4, 4), "uint8")
        splits = {"train": (images, labels), "validation": (images, labels)}
        return from_arrays("a", splits)

    rows = [row(0, "a", "x"), row(0, "b", "x")]
    rows[0].update(classes=2, train_images=4, validation_images=4)
    require_same_images(rows, data(4))
    require_same_images([], data(6))
    with pytest.raises(ValueError, match=r"'train_images': 4.*received.*6"):
        require_same_images(rows, data(6))
