"""A tiny network under the command line, and small folders of images."""

import os
import pathlib
import sys

import numpy as np
import pytest
import tiny
from PIL import Image

from keras_mdl.cli import main
from keras_mdl.models import MultiDomainModel
from keras_mdl.runs import comparison, networks

TESTS = os.fspath(pathlib.Path(__file__).parent.parent)
SIZE = 16
CLASSES = {"colours": ("blue", "green", "red"), "shades": ("dark", "light")}
PIXELS = {
    "blue": (30, 40, 220),
    "green": (20, 200, 40),
    "red": (210, 30, 30),
    "dark": (40, 40, 40),
    "light": (210, 210, 210),
}


def tiny_network(domains, input_shape, width, dropout, depthwise):
    return MultiDomainModel(
        domains,
        backbone=tiny.tiny,
        input_shape=input_shape,
        size_multiple=8,
        dropout=dropout,
        depthwise=depthwise,
        name="tiny",
    )


def write_images(folder, name, count=12):
    """A class folder of noisy plain pictures of another size than asked."""
    rng = np.random.default_rng(0)
    for class_name in CLASSES[name]:
        (folder / name / class_name).mkdir(parents=True)
        for i in range(count):
            pixels = rng.normal(PIXELS[class_name], 20, (20, 24, 3))
            picture = Image.fromarray(np.uint8(np.clip(pixels, 0, 255)))
            picture.save(folder / name / class_name / f"{i}.png")
    return folder / name


@pytest.fixture(scope="session", autouse=True)
def tiny_networks():
    """`resnet26` is the tiny network here: its graph compiles in a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "NETWORKS", {"resnet26": tiny_network})
        # The demo's second process has to know the network too.
        patch.setattr(
            comparison,
            "COMMAND",
            (
                sys.executable,
                "-c",
                f"import sys; sys.path.insert(0, {TESTS!r}); import tiny; "
                "from keras_mdl.runs.comparison import main; "
                "main(*sys.argv[1:])",
            ),
        )
        yield


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """`{domain: class folder}`."""
    folder = tmp_path_factory.mktemp("images")
    return {name: write_images(folder, name) for name in CLASSES}


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
