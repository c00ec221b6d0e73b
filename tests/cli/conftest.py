"""A tiny network under the command line, and small folders of images."""

import os
import pathlib

import pytest
import tiny

from keras_mdl.cli import main
from keras_mdl.runs import networks
from keras_mdl.runs.compare import plan

TESTS = os.fspath(pathlib.Path(__file__).parent.parent)
SIZE = 16
PIXELS = {
    "colours": {
        "blue": (30, 40, 220),
        "green": (20, 200, 40),
        "red": (210, 30, 30),
    },
    "shades": {"dark": (40, 40, 40), "light": (210, 210, 210)},
}


@pytest.fixture(scope="session", autouse=True)
def tiny_networks():
    """`resnet26` is the tiny network here: its graph compiles in a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "NETWORKS", {"resnet26": tiny.tiny_network})
        # The demo's other processes have to know the network too.
        patch.syspath_prepend(os.path.join(TESTS, "runs"))
        patch.setattr(plan, "TRIAL", "tiny_trial")
        yield


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """`{domain: class folder}`, of pictures of another size than asked."""
    folder = tmp_path_factory.mktemp("images")
    for name, colours in PIXELS.items():
        tiny.write_images(folder / name, colours, 12, (20, 24))
    return {name: folder / name for name in PIXELS}


@pytest.fixture(scope="session")
def base(images, tmp_path_factory):
    """A model of one domain, trained by the command."""
    path = tmp_path_factory.mktemp("models") / "base.keras"
    status = main(
        ["train", "--data", images["colours"], "--out", path, "--size", SIZE,
         "--epochs", 2, "--batch-size", 8, "--learning-rate", 0.01]
    )  # fmt: skip
    assert status == 0
    return path


@pytest.fixture(scope="session")
def two(base, images, tmp_path_factory):
    """A model of two domains."""
    path = tmp_path_factory.mktemp("models") / "two.keras"
    status = main(
        ["add-domain", "--model", base, "--data", images["shades"], "--out",
         path, "--epochs", 1, "--batch-size", 8]
    )  # fmt: skip
    assert status == 0
    return path


@pytest.fixture
def run(capsys):
    """Runs a command: `(status, stdout, stderr)`."""

    def run(*argv):
        capsys.readouterr()
        status = main([str(a) for a in argv])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run
