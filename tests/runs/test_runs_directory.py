"""A run's directory is complete or not there."""

import pytest

from keras_mdl.runs.directory import (
    check_run_name,
    refuse_existing,
    run_directory,
)


def _finished_run(path):
    with run_directory(path) as folder:
        (folder / "config.yaml").write_text("a: 1")
    return path


def _failing_run(path, error, **options):
    with run_directory(path, **options) as folder:
        (folder / "config.yaml").write_text("a: 2")
        raise error


def test_appears_at_the_end(tmp_path):
    path = tmp_path / "runs" / "x"
    with run_directory(path) as folder:
        (folder / "config.yaml").touch()
        assert not path.exists()
    assert [p.name for p in path.iterdir()] == ["config.yaml"]
    assert [p.name for p in path.parent.iterdir()] == ["x"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failed_run_leaves_nothing(tmp_path, error):
    with pytest.raises(error):
        _failing_run(tmp_path / "x", error)
    assert not list(tmp_path.iterdir())


def test_a_failed_run_keeps_the_old_one(tmp_path):
    path = _finished_run(tmp_path / "x")
    with pytest.raises(RuntimeError):
        _failing_run(path, RuntimeError, overwrite=True)
    assert (path / "config.yaml").read_text() == "a: 1"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_overwrite_replaces_all(tmp_path):
    path = _finished_run(tmp_path / "x")
    (path / "old").touch()
    with pytest.raises(FileExistsError, match="--overwrite"):
        _finished_run(path)
    with run_directory(path, overwrite=True) as folder:
        (folder / "config.yaml").touch()
    assert [p.name for p in path.iterdir()] == ["config.yaml"]
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_only_runs_are_overwritten(tmp_path):
    path = tmp_path / "documents"
    path.mkdir()
    (path / "thesis.tex").touch()
    with (
        pytest.raises(FileExistsError, match=r"has no config\.yaml"),
        run_directory(path, overwrite=True),
    ):
        pass
    assert (path / "thesis.tex").exists()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-x", ".x", "a b"])
def test_names(name):
    with pytest.raises(ValueError, match="name of a run"):
        check_run_name(name)


def test_refuse_existing(tmp_path):
    file = tmp_path / "f"
    file.touch()
    with pytest.raises(FileExistsError, match="--overwrite"):
        refuse_existing(file)
    refuse_existing(file, overwrite=True)
    with pytest.raises(IsADirectoryError, match="folder"):
        refuse_existing(tmp_path, overwrite=True)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        refuse_existing(tmp_path / "no" / "f")
