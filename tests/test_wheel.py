"""What is installed has all that the source has, templates included."""

import pathlib
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGES = (ROOT / "keras_mdl", ROOT / "export" / "keras_mdl_export")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Names in the wheel and in the source archive, made from a copy."""
    folder = tmp_path_factory.mktemp("source")
    for package in PACKAGES:
        shutil.copytree(
            package,
            folder / package.relative_to(ROOT),
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    code = (
        "from setuptools.build_meta import build_sdist, build_wheel; "
        "build_wheel('.'); build_sdist('.')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    (source,) = folder.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = [n.partition("/")[2] for n in archive.getnames()]
    return zipfile.ZipFile(wheel).namelist(), names


def test_every_file_of_the_packages_is_installed(built):
    wheel, source = built
    wanted = [
        path
        for package in PACKAGES
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    assert any(p.suffix == ".html" for p in wanted)
    for path in wanted:
        assert path.relative_to(ROOT).as_posix() in source
        name = path.relative_to(ROOT).as_posix().removeprefix("export/")
        assert name in wheel
