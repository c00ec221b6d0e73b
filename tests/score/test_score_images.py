"""Images together with their names: from files, and from TFDS."""

import warnings

import challenge
import pytest

from keras_mdl.score import (
    TFDS_NAME,
    ImageFiles,
    TfdsImages,
    build_results,
    read_annotations,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import tensorflow_datasets as tfds

KEY = "daimlerpedcls"
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Decathlon domain"),
]


@pytest.fixture(scope="module")
def devkit(tmp_path_factory):
    return challenge.write_annotations(tmp_path_factory.mktemp("devkit"))


@pytest.mark.parametrize("file_format", [None, "array_record"])
def test_tfds_images_bring_their_names(tmp_path, devkit, file_format):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = challenge.prepare_tfds(tmp_path, KEY, file_format)
    notes = read_annotations(devkit, KEY)
    for images in (
        TfdsImages.from_key("DPed", "test", folder),
        TfdsImages.from_folder(folder / TFDS_NAME / KEY, "test"),
    ):
        assert images.key == KEY
        assert len(images) == len(notes.images)
        found = {name: challenge.colour_of(pixels) for name, pixels in images}
        assert found == challenge.truth(KEY)
        build_results({KEY: found}, [notes])
    with pytest.raises(ValueError, match=r"has splits test\. Received"):
        TfdsImages.from_key(KEY, "validation", folder)


def test_tfds_data_that_are_not_there_or_others(tmp_path):
    with pytest.raises(FileNotFoundError, match="--data-dir"):
        TfdsImages.from_key(KEY, "test", tmp_path)
    with pytest.raises(FileNotFoundError, match="decathlon:KEY"):
        TfdsImages.from_folder(tmp_path, "test")
    with pytest.raises(ValueError, match=r"which names its images.*'mnist'"):
        TfdsImages(tfds.builder("mnist", data_dir=tmp_path), "test")


@pytest.mark.parametrize("below", ["", "data"])
def test_files(devkit, tmp_path, below):
    root = challenge.write_images(tmp_path, ["dtd"]) / below
    images = ImageFiles(read_annotations(devkit, "dtd"), root)
    assert len(images) == 4
    found = {name: challenge.colour_of(pixels) for name, pixels in images}
    assert found == challenge.truth("dtd")


def test_files_that_are_missing_or_broken(devkit, tmp_path):
    root = challenge.write_images(tmp_path, ["dtd"])
    notes = read_annotations(devkit, "dtd")
    bad = root / "data/dtd/test/000002.jpg"
    bad.write_text("no picture")
    with pytest.raises(ValueError, match=r"Cannot read.*000002.jpg"):
        list(ImageFiles(notes, root))
    bad.unlink()
    with pytest.raises(
        FileNotFoundError, match=r"4 images in.*: 1, the first.*000002.jpg"
    ):
        ImageFiles(notes, root)
