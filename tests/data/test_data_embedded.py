"""The embedded domains: real borders between splits, same images always."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import keras_mdl.data
from keras_mdl.data import embedded
from keras_mdl.data.embedded import glyphs, patches

EACH = pytest.mark.parametrize("name", embedded.names())
_LOADED = {}


def loaded(name):
    if name not in _LOADED:
        _LOADED[name] = embedded.load(name, size=16)
    return _LOADED[name]


def digest(data):
    content = hashlib.sha256()
    for split in data.splits:
        content.update(np.stack(list(data.images(split))).tobytes())
        content.update(data.labels(split).tobytes())
    return content.hexdigest()


def test_names():
    assert embedded.names()[0] == "shapes"
    assert len(embedded.names()) >= 5
    with pytest.raises(ValueError, match="'shapes'"):
        embedded.load("cats")
    with pytest.raises(ValueError, match="size"):
        embedded.load("digits", size=8)


@EACH
def test_sizes_labels_and_balance(name):
    data = loaded(name)
    assert data.splits == ("train", "validation")
    assert data.provenance
    assert data.size("train") >= (6000 if name == "shapes" else 500)
    assert 200 <= data.size("validation") <= 1100
    for split in data.splits:
        assert data.images(split)[0].shape == (16, 16, 3)
        counts = np.bincount(data.labels(split))
        assert len(counts) == data.domain.num_classes
        assert counts.min() >= 0.7 * counts.max()


@EACH
def test_no_image_is_flat_or_in_both_splits(name):
    data = loaded(name)
    train, validation = (np.stack(list(data.images(s))) for s in data.splits)
    assert train.reshape(len(train), -1).std(axis=1).min() > 0.5
    assert not {i.tobytes() for i in train} & {i.tobytes() for i in validation}


def test_other_seeds_make_other_images():
    other = embedded.load("digits", size=16, seed=1)
    assert digest(other) != digest(loaded("digits"))


def test_the_same_in_another_process():
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_data_embedded import digest, embedded\n"
        "for name in embedded.names():\n"
        "    print(digest(embedded.load(name, size=16)))"
    )
    root = Path(keras_mdl.data.__file__).parents[2]
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": str(root),
        "PYTHONHASHSEED": "7",
    }
    done = subprocess.run(
        [sys.executable, "-c", script, str(Path(__file__).parent)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    here = [digest(loaded(name)) for name in embedded.names()]
    assert done.stdout.split() == here


@pytest.mark.parametrize("file", patches.PHOTOS + patches.TEXTURES)
def test_areas_of_the_splits_lie_apart(file):
    photo = patches._photograph(file)
    covered = {}
    for split in ("train", "validation"):
        covered[split] = np.zeros((photo.height, photo.width), bool)
        rng = np.random.default_rng(0)
        areas = patches.areas_of(photo, split, 150, rng)
        for top, left, side in areas:
            assert top >= 0
            assert left >= 0
            assert top + side <= photo.height
            assert left + side <= photo.width
            covered[split][top : top + side, left : left + side] = True
    from scipy.ndimage import binary_dilation

    wide = binary_dilation(
        covered["validation"], np.ones((3, 3)), 2 * patches.MARGIN
    )
    assert not (wide & covered["train"]).any()
    assert covered["validation"].any()


def test_fonts_of_the_splits_are_different():
    train, validation = glyphs.FONTS["train"], glyphs.FONTS["validation"]
    assert not set(train) & set(validation)
    assert len(set(train)) == len(train)
