"""Arrays: which are accepted, what they become, what is said of others."""

import numpy as np
import pytest

from keras_mdl import Domain
from keras_mdl.data import from_arrays
from keras_mdl.data.pixels import rgb_from_array

IMAGES = np.arange(4 * 6 * 5 * 3, dtype=np.uint8).reshape(4, 6, 5, 3)
LABELS = np.array([0, 1, 2, 1])


def make(images=IMAGES, labels=LABELS, **options):
    return from_arrays("d", {"train": (images, labels)}, **options)


def test_domain_follows_from_the_arrays():
    data = make()
    assert data.domain.classes == ("0", "1", "2")
    pixels = IMAGES.reshape(-1, 3) / 255
    np.testing.assert_allclose(data.domain.mean, pixels.mean(0), atol=1e-6)
    np.testing.assert_allclose(data.domain.std, pixels.std(0), atol=1e-6)
    assert data.splits == ("train",)
    assert data.size("train") == 4
    assert data.labels("train").dtype == np.int32
    assert not data.flip
    assert repr(data).count("\n") == 1


def test_constant_images_get_a_usable_deviation():
    data = make(np.zeros((4, 6, 5), np.uint8))
    assert data.domain.std == pytest.approx((1 / 255,) * 3, abs=1e-6)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (np.uint8([[7]]), (7, 7, 7)),
        (np.uint8([[[7]]]), (7, 7, 7)),
        (np.uint8([[[1, 2, 3]]]), (1, 2, 3)),
        (np.uint8([[[9, 9, 9, 0]]]), (255, 255, 255)),
        (np.uint8([[[10, 20, 30, 255]]]), (10, 20, 30)),
        (np.uint8([[[0, 128]]]), (127, 127, 127)),
        (np.float32([[0.5]]), (128, 128, 128)),
        (np.uint16([[65535]]), (255, 255, 255)),
        (np.uint16([[257]]), (1, 1, 1)),
        (np.array([[True]]), (255, 255, 255)),
        (np.int64([[200]]), (200, 200, 200)),
    ],
)
def test_pixels_become_rgb(image, expected):
    result = rgb_from_array(image)
    assert result.dtype == np.uint8
    assert result.shape == (1, 1, 3)
    assert tuple(result[0, 0]) == expected


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((4, 3, 6, 5), np.uint8), "channels last"),
        (np.zeros((4, 6), np.uint8), "shape"),
        (np.zeros((0, 6, 5, 3), np.uint8), "empty"),
        (np.full((4, 6, 5), 255.0), r"\[0, 1\]"),
        (np.full((4, 6, 5), np.nan), r"\[0, 1\]"),
        (np.full((4, 6, 5), -1), r"\[0, 255\]"),
        (np.full((4, 6, 5), "a"), "numbers"),
        ([], "0 images"),
        ([np.zeros((3, 4, 5, 6))], "Image 0"),
    ],
)
def test_images_that_are_none(images, message):
    with pytest.raises(ValueError, match=message):
        make(images)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2], "3 labels"),
        ([0.0, 1.0, 2.0, 1.0], "integers"),
        (np.eye(4), "argmax"),
        ([0, 1, -1, 1], "-1 at index 2"),
        ([True, False, True, True], "integers"),
    ],
)
def test_labels_that_are_none(labels, message):
    with pytest.raises(ValueError, match=message):
        make(labels=labels)


def test_labels_beyond_the_classes():
    with pytest.raises(ValueError, match=r"0\.\.1.*2 at index 2"):
        make(classes=["a", "b"])


@pytest.mark.parametrize("hidden", [None, [-1, -1, -1, -1]])
def test_hidden_labels(hidden):
    splits = {"train": (IMAGES, LABELS), "test": (IMAGES, hidden)}
    data = from_arrays("d", splits)
    assert data.labels("test") is None
    batch = data.batches("test")[0]
    assert batch.shape == (4, 6, 5, 3)
    assert next(iter(data.tf_dataset("test"))).shape == (4, 6, 5, 3)


def test_without_labels_classes_must_be_named():
    with pytest.raises(ValueError, match="classes"):
        make(labels=None)


def test_images_of_many_sizes():
    images = [IMAGES[0], IMAGES[1][:4], IMAGES[2], IMAGES[3][..., 0]]
    data = make(images)
    with pytest.raises(ValueError, match="one size"):
        data.batches("train")[0]
    assert data.images("train")[1].shape == (4, 5, 3)


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="'train'"):
        make().size("validation")
    with pytest.raises(ValueError, match="map split names"):
        from_arrays("d", [IMAGES, LABELS])
    with pytest.raises(ValueError, match="tuple"):
        from_arrays("d", {"train": IMAGES})
    with pytest.raises(ValueError, match="seed"):
        make().batches("train", seed=-1)
    with pytest.raises(ValueError, match="batch_size"):
        make().batches("train", batch_size=0)
    with pytest.raises(TypeError, match="Preprocess"):
        make().batches("train", preprocess=32)


def test_renaming():
    assert make().renamed("other").domain.name == "other"


def test_train_and_validation_can_be_pooled():
    more = IMAGES[:2, ::-1]
    splits = {
        "train": (IMAGES, LABELS),
        "validation": (more, [2, 0]),
        "test": (more, None),
    }
    data = from_arrays("d", splits).pooled()
    assert data.splits == ("train", "test")
    assert data.labels("train").tolist() == [0, 1, 2, 1, 2, 0]
    images = data.batches("train", 6)[0][0]
    np.testing.assert_array_equal(images, np.concatenate([IMAGES, more]))
    assert data.domain == from_arrays("d", splits).domain
    with pytest.raises(ValueError, match="'validation'"):
        make().pooled()
    splits["validation"] = (more, None)
    with pytest.raises(ValueError, match="hidden"):
        from_arrays("d", splits).pooled()


def test_a_domain_may_be_given_instead_of_a_name():
    domain = Domain("signs", ["stop", "go"], (0.1,) * 3, (0.2,) * 3)
    data = from_arrays(domain, {"images": (IMAGES, None)})
    assert data.domain == domain
    with pytest.raises(ValueError, match="2 at index 2"):
        from_arrays(domain, {"train": (IMAGES, LABELS)})
