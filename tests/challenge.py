"""A tiny decathlon in the challenge's format: annotations and image files."""

import io
import json

import numpy as np
from PIL import Image

from keras_mdl.score import KEYS, category_id, first_id

COUNTS = {"train": 2, "val": 3, "test": 4}
CLASSES = 3
PIXELS = ((220, 30, 30), (30, 200, 30), (30, 30, 220))


def classes_of(key):
    return 2 if key == "daimlerpedcls" else CLASSES


def label(key, split, place):
    """The true class of an image; not the same in all domains."""
    return (place * place + KEYS.index(key)) % classes_of(key)


def images(key, split):
    """The entries `images` of one file; ids run on over the splits."""
    before = {"train": 0, "val": COUNTS["train"]}
    start = before.get(split, COUNTS["train"] + COUNTS["val"])
    return [
        {
            "id": first_id(key) + 200_000 + start + place,
            "width": 20,
            "height": 16,
            "file_name": f"data/{key}/{split}/{place:06}.jpg",
        }
        for place in range(1, COUNTS[split] + 1)
    ]


def content(key, split, labelled=True):
    """One annotation file as a dict."""
    pictures = images(key, split)
    result = {
        "images": pictures,
        "categories": [
            {"id": category_id(key, k), "name": f"{key}-{k}"}
            for k in range(classes_of(key))
        ],
    }
    if labelled:
        result["annotations"] = [
            {
                "id": picture["id"],
                "image_id": picture["id"],
                "category_id": category_id(key, label(key, split, place)),
            }
            for place, picture in enumerate(pictures, start=1)
        ]
    return result


def write_annotations(folder, keys=KEYS):
    """All files of the devkit, and the labelled test files."""
    folder.mkdir(parents=True, exist_ok=True)
    for key in keys:
        for name, split, labelled in (
            ("train", "train", True),
            ("val", "val", True),
            ("test", "test", True),
            ("test_stripped", "test", False),
        ):
            text = json.dumps(content(key, split, labelled))
            (folder / f"{key}_{name}.json").write_text(text)
    return folder


def write_images(folder, keys=KEYS, splits=("val", "test")):
    """Image files whose colour is their class."""
    for key in keys:
        for split in splits:
            for place, picture in enumerate(images(key, split), start=1):
                path = folder / picture["file_name"]
                path.parent.mkdir(parents=True, exist_ok=True)
                pixels = np.full((16, 20, 3), PIXELS[label(key, split, place)])
                Image.fromarray(pixels.astype(np.uint8)).save(path, quality=95)
    return folder


def truth(key, split="test"):
    """`{image name: class}` of one split."""
    return {
        picture["file_name"].removeprefix("data/"): label(key, split, place)
        for place, picture in enumerate(images(key, split), start=1)
    }


def prepare_tfds(folder, key, file_format=None):
    """The test split, prepared by TFDS's own builder from images of ours."""
    import tensorflow_datasets as tfds

    builder = tfds.builder(
        f"visual_domain_decathlon/{key}",
        data_dir=folder,
        file_format=file_format,
    )

    def examples():
        for name, k in truth(key).items():
            stream = io.BytesIO()
            picture = Image.new("RGB", (72, 144), PIXELS[k])
            picture.save(stream, "jpeg", quality=95)
            stream.seek(0)
            yield name, {"name": name, "image": stream, "label": -1}

    builder._split_generators = lambda manager: {"test": examples()}
    builder.download_and_prepare()
    return folder


def colour_of(pixels):
    """The class that the colour of an image says."""
    return np.abs(np.array(PIXELS) - pixels.mean((0, 1))).sum(1).argmin()
