"""`check`: each thing that spoils a training is said, and nothing else is."""

import io

import numpy as np
import pytest
import tiny
from PIL import Image

from keras_mdl.data import check, from_arrays, from_folder
from keras_mdl.data.arrays import ArraySource
from keras_mdl.data.near_copies import near_copies


def kinds(data):
    return [finding.kind for finding in check(data)]


def text(data, kind):
    (found,) = [f.text for f in check(data) if f.kind == kind]
    return found


def arrays(train, validation, classes=2, seed=0):
    """Two splits of noise with so many images of each class."""
    rng = np.random.default_rng(seed)
    splits = {}
    for split, counts in (("train", train), ("validation", validation)):
        labels = np.repeat(np.arange(classes), counts)
        images = rng.integers(0, 256, (len(labels), 8, 8, 3), np.uint8)
        splits[split] = (images, labels)
    return splits


def test_good_data_get_no_word():
    assert check(from_arrays("d", arrays((60, 50), (60, 50)))) == []


def test_numbers_of_images():
    data = from_arrays("d", arrays((120, 9), (5, 0)), classes=["cat", "dog"])
    assert kinds(data) == [
        "few_images", "unequal_classes", "small_validation", "not_validated",
    ]  # fmt: skip
    assert "fewer than 10 training images, 1 of 2: dog 9" in text(
        data, "few_images"
    )
    unequal = text(data, "unequal_classes")
    assert "120 training images of 'cat', 9 of 'dog'" in unequal
    assert "right 93 % of the time" in unequal  # 120 of 129
    assert "±44 points" in text(data, "small_validation")
    splits = arrays((60, 50), (60, 50))
    del splits["validation"]
    assert kinds(from_arrays("d", splits)) == ["no_validation"]


def test_copies_are_named_by_what_they_spoil(tmp_path):
    tiny.write_images(
        tmp_path / "train", {"a": (200, 0, 0), "b": (0, 0, 200)}, 30, (8, 8)
    )
    tiny.write_images(
        tmp_path / "val", {"a": (190, 0, 0), "b": (0, 0, 190)}, 60, (9, 9)
    )

    def copy(old, new):
        (tmp_path / new).write_bytes((tmp_path / old).read_bytes())

    for limit in (0, 1 << 30):  # decoded as needed, and in memory
        assert check(from_folder(tmp_path, memory_limit=limit)) == []
    copy("train/a/0.png", "val/a/copy.png")
    copy("train/a/1.png", "train/b/copy.png")
    copy("train/b/2.png", "train/b/again.png")
    for limit in (0, 1 << 30):
        data = from_folder(tmp_path, memory_limit=limit)
        assert kinds(data) == [
            "copies_across_classes", "copies_across_splits", "copies",
        ]  # fmt: skip
        across = text(data, "copies_across_splits")
        assert "(1 of 121 in validation)" in across
        assert str(tmp_path / "val/a/copy.png") in across
        assert "a/1.png" in text(data, "copies_across_classes")
        assert "twice in their class: 1 (" in text(data, "copies")


def changed(picture):
    """Smaller, brighter, and saved as JPEG."""
    small = Image.fromarray(picture).resize((40, 32))
    small = Image.fromarray(np.uint8(np.asarray(small) // 2 + 90))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=90)
    return np.asarray(Image.open(file))


def test_pictures_that_are_nearly_the_same():
    rng = np.random.default_rng(0)
    rough = rng.integers(0, 256, (220, 4, 4, 3), np.uint8)
    rough = rough // 4 + rough[..., :1] // 4 * 3  # hardly coloured
    rough[100:110] = 128  # show nothing
    pictures = [np.asarray(Image.fromarray(p).resize((64, 64))) for p in rough]
    labels = np.arange(220) % 2
    for new, old in ((200, 1), (202, 3), (5, 7)):
        pictures[new] = changed(pictures[old])
    found = near_copies(pictures)
    assert found == [(1, 200), (3, 202), (5, 7)]
    data = from_arrays(
        "d", {"train": (pictures[:110], labels[:110]),
              "validation": (pictures[110:], labels[110:])},
    )  # fmt: skip
    near = [f for f in check(data) if f.kind.startswith("near")]
    assert [f.kind for f in near] == [
        "near_copies_across_classes", "near_copies_across_splits",
        "near_copies",
    ]  # fmt: skip
    assert "(2 of 110 in validation)" in near[1].text
    assert "image 3 ~ image 92" in near[1].text


def test_unreadable_files_are_counted(tmp_path):
    tiny.write_images(tmp_path, {"a": (200, 0, 0), "b": (0, 0, 200)}, 2, (8, 8))
    (tmp_path / "a" / "broken.png").write_text("no image")
    data = from_folder(tmp_path, on_bad_image="skip")
    assert "broken.png" in text(data, "unreadable")


class _Streamed:
    """A split that is read in an order of its own."""

    def __init__(self, size):
        self._size = size

    def __len__(self):
        return self._size


def test_streamed_images_are_counted_and_not_compared():
    data = from_arrays("d", arrays((60, 50), (60, 50)))
    for split, (_, labels) in data.parts.items():
        data.parts[split] = (_Streamed(110), labels)
    assert kinds(data) == ["not_compared"]


def coloured(exchanged=(), classes=4, count=12):
    """Classes of different colours; those exchanged in validation."""
    rng = np.random.default_rng(1)
    splits = {}
    for split in ("train", "validation"):
        labels = np.repeat(np.arange(classes), count)
        images = rng.normal(128, 25, (len(labels), 8, 8, 3))
        images[..., 0] += (labels * 40)[:, None, None]
        names = np.arange(classes)
        if split == "validation" and exchanged:
            names[list(exchanged)] = exchanged[::-1]
        splits[split] = (np.uint8(np.clip(images, 0, 255)), names[labels])
    return from_arrays("d", splits, classes=["a", "b", "c", "d"][:classes])


@pytest.mark.parametrize("pair", [(), (1, 3)])
def test_swapped_classes_are_found_and_others_are_not(pair):
    data = coloured(pair)
    swapped = [f for f in check(data) if f.kind == "swapped_classes"]
    assert ["'b' and 'd'" in f.text for f in swapped] == [True] * bool(pair)


def test_sources_name_their_images():
    pictures = list(np.zeros((2, 4, 4, 3), np.uint8))
    assert ArraySource(pictures).name(1) == "image 1"
    assert ArraySource(pictures, ["x.png", "y.png"]).name(1) == "y.png"
