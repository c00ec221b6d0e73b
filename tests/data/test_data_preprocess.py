"""Preprocessing: sizes, recipes, and the pixels themselves."""

import numpy as np
import pytest

from keras_mdl.data import (
    Preprocess,
    decathlon,
    from_arrays,
    published_pipeline,
)
from keras_mdl.data.augment import crop
from keras_mdl.data.resize import resized

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 40, 60, 3), np.uint8)
LABELS = np.array([0, 1, 0, 1, 0, 1])


def batch(preprocess, training=False, flip=False, **options):
    data = from_arrays("d", {"train": (IMAGES, LABELS)}, flip=flip)
    loader = data.batches("train", 6, preprocess, training=training, **options)
    return loader[0][0]


def test_pixels_are_left_alone_by_default():
    assert batch(None).dtype == np.float32
    np.testing.assert_array_equal(batch(None), IMAGES)
    np.testing.assert_array_equal(batch(None, dtype="uint8"), IMAGES)


@pytest.mark.parametrize(
    ("size", "shape"),
    [(20, (20, 30)), (80, (80, 120)), ((10, 30), (10, 30)), (None, (40, 60))],
)
def test_resize(size, shape):
    assert resized(IMAGES[0], size).shape == (*shape, 3)


def test_resize_is_antialiased_bilinear_as_in_tensorflow():
    import tensorflow as tf

    for size in ((13, 17), (64, 80)):
        other = tf.image.resize(IMAGES[0], size, antialias=True)
        difference = np.abs(resized(IMAGES[0], size) - np.asarray(other))
        assert difference.max() < 1.5
        assert difference.mean() < 0.5


@pytest.mark.parametrize("size", [(13, 17), (39, 60), (7, 90), (64, 80)])
def test_plain_resize_is_bilinear_as_in_tensorflow(size):
    import tensorflow as tf

    found = resized(IMAGES[0], size, antialias=False)
    other = tf.image.resize(IMAGES[0], size, antialias=False)
    assert np.abs(found - np.asarray(other)).max() < 1.5
    shrinks = size != (64, 80)
    assert (found != resized(IMAGES[0], size)).any() == shrinks


def test_evaluation_with_either_resize():
    for antialias in (True, False):
        found = batch(Preprocess(resize=20, antialias=antialias))
        expected = [resized(x, 20, antialias) for x in IMAGES]
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "options", [{"resize": 20}, {"crop_area": (0.3, 1.0), "train_crop": 16}]
)
def test_training_shrinks_a_part_of_the_images_the_plain_way(options):
    def shown(**more):
        plan = Preprocess(**options, **more)
        data = from_arrays("d", {"train": (IMAGES, LABELS)})
        return data.batches("train", 6, plan, training=True, seed=3)[0][0]

    def same(a, b):
        return (a == b).all(axis=(1, 2, 3))

    smooth, plain = shown(), shown(antialias=False)
    assert not same(smooth, plain).any()
    np.testing.assert_array_equal(shown(plain=1.0), plain)
    half = shown(plain=0.5)
    assert (same(half, smooth) ^ same(half, plain)).all()
    assert 0 < same(half, plain).sum() < 6
    np.testing.assert_array_equal(half, shown(plain=0.5))


def test_photos_alone_are_shown_both_ways():
    assert Preprocess.photos(32).plain == 0.5
    for plan in (
        Preprocess.default(32),
        Preprocess.strong(32),
        Preprocess.decathlon("dtd"),
    ):
        assert plan.plain == 0
        assert plan.antialias


def test_centre_crop():
    found = batch(Preprocess(eval_crop=(20, 30)))
    np.testing.assert_array_equal(found, IMAGES[:, 10:30, 15:45])


@pytest.mark.parametrize(("crop", "top"), [(39, 0), (37, 2), (35, 2), (33, 4)])
def test_published_centre_crops_are_rounded_as_in_torchvision(crop, top):
    """`int(round((40 - crop) / 2))`, written out."""
    plan = Preprocess(eval_crop=crop, crop_rounding="even")
    left = {39: 10, 37: 12, 35: 12, 33: 14}[crop]
    np.testing.assert_array_equal(
        batch(plan), IMAGES[:, top : top + crop, left : left + crop]
    )
    assert Preprocess.decathlon("dtd").crop_rounding == "even"
    assert Preprocess.decathlon("svhn", "adapters").crop_rounding == "even"


def test_random_crops_reach_every_offset():
    ramp = np.arange(10, dtype=np.uint8) * np.ones((600, 10, 10), np.uint8)
    data = from_arrays("d", {"train": (ramp, [0, 1] * 300)})
    crops = data.batches("train", 600, Preprocess(train_crop=8), training=True)
    offsets = np.bincount(crops[0][0][:, 0, 0, 0].astype(int))
    assert len(offsets) == 3
    assert offsets.min() > 150


@pytest.mark.parametrize("mode", ["reflect", "zero"])
def test_padding(mode):
    padded = np.pad(
        IMAGES[0],
        ((5, 5), (5, 5), (0, 0)),
        mode={"reflect": "reflect", "zero": "constant"}[mode],
    )
    for where, top, left in (((0, 0), 0, 0), ((0.99, 0.99), 10, 10)):
        np.testing.assert_array_equal(
            crop(
                IMAGES[0],
                (40, 60),
                5,
                mode,
                {"row": where[0], "column": where[1]},
            ),
            padded[top : top + 40, left : left + 60],
        )


def mirrored(flip, rule):
    found = batch(Preprocess(flip=flip), training=True, flip=rule, seed=3)
    order = [
        next(
            i
            for i, image in enumerate(IMAGES)
            if (f == image).all() or (f == image[:, ::-1]).all()
        )
        for f in found
    ]
    return sum(
        (f != IMAGES[i]).any() for f, i in zip(found, order, strict=True)
    )


def test_flip_follows_the_data_unless_told_otherwise():
    assert mirrored(None, False) == 0
    assert 0 < mirrored(None, True) < 6
    assert mirrored(False, True) == 0
    assert mirrored(True, False) == mirrored(None, True)


def test_jitter_stays_in_range_and_is_off_in_evaluation():
    strong = Preprocess(brightness=0.8, contrast=1.0)
    np.testing.assert_array_equal(batch(strong), IMAGES)
    found = batch(strong, training=True)
    assert found.min() >= 0
    assert found.max() <= 255
    means = found.mean(axis=(1, 2, 3))
    assert means.std() > 5
    whole = batch(strong, training=True, dtype="uint8")
    np.testing.assert_allclose(whole, found, atol=0.51)


def test_normalised_for_foreign_networks():
    found = batch(Preprocess(normalize=True))
    np.testing.assert_allclose(found.mean(axis=(0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(found.std(axis=(0, 1, 2)), 1, atol=1e-4)
    with pytest.raises(ValueError, match="8-bit"):
        batch(Preprocess(normalize=True), dtype="uint8")


def test_image_smaller_than_the_crop():
    with pytest.raises(ValueError, match="smaller than the crop"):
        batch(Preprocess(eval_crop=64))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resize": 0}, "resize"),
        ({"resize": (1, 2, 3)}, "resize"),
        ({"train_crop": 2.5}, "train_crop"),
        ({"crop_padding": 2}, "needs a `train_crop`"),
        ({"padding_mode": "wrap"}, "padding_mode"),
        ({"brightness": -0.1}, "brightness"),
        ({"contrast": 2}, "contrast"),
        ({"crop_rounding": "up"}, "crop_rounding"),
        ({"saturation": -1}, "saturation"),
        ({"erase": 1.5}, "erase"),
        ({"mixup": -1}, "mixup"),
        ({"rand_augment": (9, 9)}, "rand_augment"),
        ({"rand_augment": (2, 11)}, "rand_augment"),
        ({"plain": 1.5, "resize": 8}, "plain"),
        ({"plain": 0.5}, "needs `antialias=True`, and a `resize`"),
        ({"plain": 0.5, "resize": 8, "antialias": False}, "needs `antialias"),
        ({"crop_area": (0.1, 1)}, "train_crop"),
        ({"crop_area": (0.5, 0.1), "train_crop": 8}, "smallest <= largest"),
    ],
)
def test_arguments_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        Preprocess(**arguments)


def test_default_recipe():
    found = Preprocess.default(32)
    assert batch(found).shape == (6, 32, 32, 3)
    assert batch(found, training=True).shape == (6, 32, 32, 3)
    assert found.crop_padding == 4
    assert Preprocess.default(32, brightness=0).brightness == 0


@pytest.mark.parametrize("name", decathlon.names())
def test_decathlon_recipes(name):
    """The published tables, written out once more."""
    guo = Preprocess.decathlon(name)
    adapters = Preprocess.decathlon(name, "adapters")
    assert guo.resize == adapters.resize == 72
    assert guo.flip is False
    if name in ("gtsrb", "omniglot", "svhn"):
        assert guo == adapters
        assert guo.train_crop == guo.eval_crop == (72, 72)
        assert not guo.random_crop
        return
    assert (adapters.train_crop, adapters.eval_crop) == ((64, 64), (64, 64))
    assert adapters.flip is True
    if name == "daimlerpedcls":
        assert guo.train_crop is guo.eval_crop is None
    else:
        assert (guo.train_crop, guo.eval_crop) == ((64, 64), (72, 72))
        assert guo.random_crop


def test_pedestrians_stay_upright():
    grey = np.zeros((4, 144, 72), np.uint8)
    data = from_arrays("p", {"train": (grey, [0, 1, 0, 1])})
    recipe = Preprocess.decathlon("daimlerpedcls")
    for training in (False, True):
        found = data.batches("train", 4, recipe, training=training)[0][0]
        assert found.shape == (4, 144, 72, 3)


def test_unknown_recipe():
    with pytest.raises(ValueError, match="adapters"):
        Preprocess.decathlon("dtd", "mine")
    with pytest.raises(ValueError, match="Known domains"):
        Preprocess.decathlon("mnist")


STRONG = {
    "by area": {"crop_area": (0.2, 0.9)},
    "RandAugment": {"rand_augment": (3, 9)},
    "saturation": {"saturation": 0.9},
    "erasing": {"erase": 1.0},
    "mixup": {"mixup": 0.4},
    "cutmix": {"cutmix": 1.0},
    "both": {"mixup": 0.4, "cutmix": 1.0},
}


@pytest.mark.parametrize("options", STRONG.values(), ids=STRONG)
def test_strong_augmentation_is_a_function_of_the_epoch(options):
    plan = Preprocess(resize=40, train_crop=32, eval_crop=32, **options)
    data = from_arrays("d", {"train": (IMAGES, LABELS)})

    def epoch(number, training=True, **more):
        loader = data.batches("train", 6, plan, training, seed=4, **more)
        loader.epoch = number
        return loader[0]

    first, again, later = epoch(1), epoch(1), epoch(2)
    assert first[0].shape == (6, 32, 32, 3)
    assert 0 <= first[0].min() <= first[0].max() <= 255
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert (first[0] != later[0]).any(axis=(1, 2, 3)).all()
    whole = epoch(1, dtype="uint8")[0]
    np.testing.assert_allclose(whole, first[0], atol=0.51)
    # Every image is changed, and none of them in evaluation.
    bare = Preprocess(resize=40, train_crop=32, eval_crop=32)
    plain = data.batches("train", 6, bare, True, seed=4)
    plain.epoch = 1
    assert (first[0] != plain[0][0]).any(axis=(1, 2, 3)).mean() > 0.8
    np.testing.assert_array_equal(epoch(1, False)[0], batch(bare))


@pytest.mark.parametrize("mixing", ["mixup", "cutmix", "both"])
def test_mixed_labels_say_how_much_of_which_image_is_shown(mixing):
    """Images of one grey level each: their mean tells the parts."""
    greys = np.arange(12, dtype=np.uint8) * 20
    images = np.broadcast_to(greys[:, None, None], (12, 30, 30))
    data = from_arrays("d", {"train": (images, np.arange(12))})
    plan = Preprocess(**STRONG[mixing])
    loader = data.tf_dataset("train", 12, plan, training=True)
    found, labels = map(np.asarray, next(iter(loader)))
    assert labels.dtype == "float32"
    np.testing.assert_allclose(np.sum(labels, axis=1), 1, atol=1e-6)
    shown = np.mean(found, axis=(1, 2, 3))
    np.testing.assert_allclose(labels @ np.float32(greys), shown, atol=0.01)
    mixed = np.sum(labels > 0, axis=1) == 2
    assert mixed.mean() > 0.5
    evaluated = data.batches("train", 12, plan)[0][1]
    np.testing.assert_array_equal(evaluated, np.eye(12))


def test_crops_by_area_show_the_parts_that_they_should():
    ramp = np.arange(200, dtype=np.uint8) * np.ones((400, 1), np.uint8)
    data = from_arrays("d", {"train": ([ramp] * 100, [0, 1] * 50)})
    plan = Preprocess(train_crop=50, crop_area=(0.1, 0.1))
    found = data.batches("train", 100, plan, training=True)[0][0]
    assert found.shape == (100, 50, 50, 3)
    # A tenth of 400 x 200 at aspects of 3:4 to 4:3 is 77 to 103 wide.
    width = (found[:, 25, -1, 0] - found[:, 25, 0, 0]) * 50 / 49
    assert 75 < width.min() < 82
    assert 98 < width.max() < 106


def test_strong_preset():
    plan = Preprocess.strong(32, mixup=0.2)
    assert batch(plan, training=True, flip=True).shape == (6, 32, 32, 3)
    assert plan.mixes
    assert not Preprocess.strong(32).mixes


@pytest.mark.parametrize("crops", ["guo", "adapters"])
@pytest.mark.parametrize("name", decathlon.names())
def test_published_pipelines_say_what_they_are(crops, name):
    pipeline = published_pipeline(crops, name)
    assert pipeline.preprocess == Preprocess.decathlon(name, crops)
    assert pipeline.pool
    assert not pipeline.drop_remainder
    assert str(pipeline.preprocess.resize) in pipeline.description
    assert "\n" not in pipeline.description
    plain = crops == "guo" or not decathlon.facts(name).flip
    assert ("no flip" in pipeline.description) == plain


def test_what_has_no_published_pipeline():
    assert published_pipeline(None, "dtd") is None
    assert published_pipeline("guo", "flowers-of-mine") is None
    with pytest.raises(ValueError, match="adapters"):
        published_pipeline("mine", "dtd")
