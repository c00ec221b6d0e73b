"""A small comparison for tests: class folders, settings, workers."""

import os
import pathlib
import sys

import numpy as np
import tiny
import yaml
from PIL import Image

from keras_mdl.models import MultiDomainModel

HERE = pathlib.Path(__file__).parent
PIXELS = {
    "colours": ((30, 40, 220), (20, 200, 40), (210, 30, 30)),
    "shades": ((40, 40, 40), (210, 210, 210)),
    "tones": ((90, 60, 40), (40, 60, 120)),
}
METHODS = ("pointwise_sharing", "classifier_only", "individual")


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


def write_images(folder, count=10):
    """Class folders of noisy plain pictures."""
    rng = np.random.default_rng(0)
    for name, classes in PIXELS.items():
        for k, colour in enumerate(classes):
            place = folder / name / f"class{k}"
            place.mkdir(parents=True)
            for i in range(count):
                pixels = rng.normal(colour, 20, (16, 16, 3))
                picture = Image.fromarray(np.uint8(np.clip(pixels, 0, 255)))
                picture.save(place / f"{i}.png")


def write_settings(path, **changes):
    """A YAML file; paths in it are relative to it."""
    values = {
        "name": "tiny",
        "base": {"data": "folder:images/colours", "epochs": 1},
        "domains": ["images/shades", "warm=folder:images/tones"],
        "methods": list(METHODS),
        "seeds": [0],
        "size": 16,
        "epochs": 1,
        "batch_size": 8,
        **changes,
    }
    values = {k: v for k, v in values.items() if v is not None}
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path


def worker_command(name):
    """The command of a worker of the module `name` in this folder."""
    places = [os.fspath(HERE), os.fspath(HERE.parent)]
    code = (
        f"import sys; sys.path[:0] = {places}; import {name}; "
        f"{name}.main(sys.argv[1])"
    )
    return (sys.executable, "-c", code)
