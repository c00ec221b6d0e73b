"""Files are either complete or untouched."""

import errno
import os
import stat

import pytest

from keras_mdl.files import (
    atomic_folder,
    atomic_path,
    locked,
    refuse_folder,
    remove_leftovers,
    write_text,
)


def test_success_replaces_the_file(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")
    write_text(path, "new ä")
    assert path.read_text(encoding="utf-8") == "new ä"
    assert os.listdir(tmp_path) == ["x.txt"]


def test_until_the_end_the_old_file_stays(tmp_path):
    path = tmp_path / "x.keras"
    path.write_text("old")
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.suffix == ".keras"
        assert temporary.parent == tmp_path
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, ValueError])
def test_an_exception_leaves_the_old_file_and_no_other(tmp_path, error):
    path = tmp_path / "x.txt"
    path.write_text("old")

    def write_half():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["x.txt"]


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_no_other(
    tmp_path, monkeypatch, broken
):
    path = tmp_path / "x.txt"
    path.write_text("old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, broken, full)
    with pytest.raises(OSError, match="No space left"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["x.txt"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_the_file_is_as_readable_as_any_other(tmp_path):
    (tmp_path / "plain").touch()
    write_text(tmp_path / "ours", "x")
    plain, ours = ((tmp_path / n).stat().st_mode for n in ("plain", "ours"))
    assert stat.S_IMODE(ours) == stat.S_IMODE(plain)


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write_text(tmp_path / "nowhere" / "x.txt", "x")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "name", ["x" * 240 + ".txt", "a." + "b" * 200 + ".keras", ".hidden", "none"]
)
def test_every_name_that_the_system_takes_can_be_written(tmp_path, name):
    write_text(tmp_path / name, "x")
    assert os.listdir(tmp_path) == [name]


def write_folder(path, text="new", **options):
    with atomic_folder(path, "marker", **options) as folder:
        (folder / "marker").write_text(text)


def test_a_folder_behind_a_link_is_replaced_and_the_link_stays(tmp_path):
    (tmp_path / "deep").mkdir()
    target, link = tmp_path / "deep" / "real", tmp_path / "link"
    write_folder(target, "old")
    link.symlink_to(target)
    write_folder(link, overwrite=True)
    assert link.is_symlink()
    assert (target / "marker").read_text() == "new"
    assert [p.name for p in target.parent.iterdir()] == ["real"]


def test_an_old_folder_comes_back_if_the_new_one_cannot_take_its_place(
    tmp_path, monkeypatch
):
    path = tmp_path / "x"
    write_folder(path, "old")
    replace, calls = os.replace, []

    def second_fails(source, target):
        calls.append(source)
        if len(calls) == 2:
            raise OSError(errno.EIO, "broken disk")
        replace(source, target)

    monkeypatch.setattr(os, "replace", second_fails)
    with pytest.raises(OSError, match="broken disk"):
        write_folder(path, overwrite=True)
    assert (path / "marker").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_folder_below_a_file_is_refused_at_once(tmp_path):
    file = tmp_path / "f"
    file.touch()
    with pytest.raises(NotADirectoryError, match=str(file)):
        refuse_folder(file / "x", "marker")


def test_leftovers_of_one_file_are_removed_and_no_others(tmp_path):
    names = [".x.json.abc.json", ".x-2.json.abc.json", "x.json", ".x.json"]
    for name in names:
        (tmp_path / name).touch()
    remove_leftovers(tmp_path / "x.json")
    assert sorted(os.listdir(tmp_path)) == sorted(names[1:])


def test_a_lock_has_one_holder_and_ends_with_it(tmp_path):
    path = tmp_path / "lock"
    with locked(path), pytest.raises(BlockingIOError):
        with locked(path, wait=False):
            pass
    with locked(path, wait=False):
        pass
