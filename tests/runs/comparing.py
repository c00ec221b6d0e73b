"""A small comparison for tests: class folders and settings."""

import tiny
import yaml

PIXELS = {
    "colours": ((30, 40, 220), (20, 200, 40), (210, 30, 30)),
    "shades": ((40, 40, 40), (210, 210, 210)),
    "tones": ((90, 60, 40), (40, 60, 120)),
}
METHODS = ("pointwise_sharing", "classifier_only", "individual")


def write_images(folder, count=10):
    """The class folder of each domain."""
    for name, classes in PIXELS.items():
        colours = {f"class{k}": colour for k, colour in enumerate(classes)}
        tiny.write_images(folder / name, colours, count, (16, 16))


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
