"""TFDS: the real reading path, on data prepared here without network."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image

from keras_mdl.data import (
    Preprocess,
    SetEpoch,
    decathlon,
    from_decathlon,
    from_tfds,
    from_tfds_directory,
    load,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import tensorflow_datasets as tfds

SIZES = {"train": 24, "validation": 12, "test": 6}
NAME = "visual_domain_decathlon/daimlerpedcls"


def jpeg(index):
    colour = (index * 9 % 256, 90, 90)
    stream = io.BytesIO()
    Image.new("RGB", (72, 144), colour).save(stream, "jpeg", quality=95)
    stream.seek(0)
    return stream


def prepare(folder, file_format=None):
    """The packaged builder of TFDS, fed with examples of ours."""
    builder = tfds.builder(NAME, data_dir=folder, file_format=file_format)

    def examples(split):
        for i in range(SIZES[split]):
            label = -1 if split == "test" else i % 2
            yield i, {"name": f"{i}", "image": jpeg(i), "label": label}

    builder._split_generators = lambda manager: {
        split: examples(split) for split in SIZES
    }
    builder.download_and_prepare()
    return folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return prepare(tmp_path_factory.mktemp("tfds"))


@pytest.fixture(scope="module")
def prepared_records(tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return prepare(tmp_path_factory.mktemp("records"), "array_record")


SUBSET = pytest.mark.filterwarnings("ignore:Decathlon domain")
pytestmark = [
    SUBSET,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def test_decathlon_domain(prepared):
    data = from_decathlon("daimlerpedcls", data_dir=prepared)
    assert data.domain.name == "daimlerpedcls"
    assert data.domain.num_classes == 2
    assert data.domain.mean == decathlon.facts("daimlerpedcls").mean
    assert data.flip
    assert {s: data.size(s) for s in data.splits} == SIZES
    assert sorted(data.labels("train")) == [0] * 12 + [1] * 12
    assert data.labels("test") is None
    recipe = Preprocess.decathlon("daimlerpedcls")
    assert data.batches("test", 6, recipe)[0].shape == (6, 144, 72, 3)
    images, labels = data.batches("train", 6, recipe, training=True)[0]
    assert images.shape == (6, 144, 72, 3)
    assert labels.dtype == np.int32


def test_other_sizes_than_published_warn(prepared):
    with pytest.warns(UserWarning, match=r"23520.*'train': 24"):
        from_decathlon("daimlerpedcls", data_dir=prepared)


def test_other_classes_than_published_are_an_error():
    with pytest.raises(ValueError, match=r"47 classes.*10"):
        decathlon.check("dtd", 10, {})


def test_every_way_to_name_it(prepared):
    folder = f"{prepared}/{NAME}"
    for data in (
        from_tfds(NAME, data_dir=prepared),
        from_tfds_directory(folder),
        from_tfds_directory(f"{folder}/1.2.0"),
        load(f"tfds:{NAME}", data_dir=prepared),
        load("decathlon:daimlerpedcls", data_dir=prepared),
        load(folder),
    ):
        assert data.domain.name == "daimlerpedcls"
        assert data.size("train") == 24
    assert load(f"people={folder}").domain.name == "people"


def test_data_that_are_not_prepared(tmp_path):
    with pytest.raises(FileNotFoundError, match="download=True"):
        from_decathlon("dtd", data_dir=tmp_path)
    with pytest.raises(FileNotFoundError, match="dataset_info"):
        from_tfds_directory(tmp_path)


def trace(dataset):
    return [
        (images.numpy().sum(), tuple(labels.numpy()))
        for images, labels in dataset
    ]


def test_streaming(prepared):
    kept = from_tfds(NAME, data_dir=prepared)
    data = from_tfds(NAME, data_dir=prepared, in_memory=False)
    assert "streamed" in repr(data)
    assert sorted(data.labels("train")) == sorted(kept.labels("train"))
    with pytest.raises(ValueError, match="in_memory=True"):
        data.images("train")
    assert trace(data.tf_dataset("train", 8)) == trace(
        kept.tf_dataset("train", 8)
    )
    assert next(iter(data.tf_dataset("test", 6))).shape == (6, 144, 72, 3)
    options = {"training": True, "preprocess": Preprocess.default(16)}
    source = data.tf_dataset("train", 7, **options)
    assert len(source) == 3
    epochs = [trace(source) for _ in range(3)]
    assert epochs[0] != epochs[1]
    resumed = data.tf_dataset("train", 7, **options)
    SetEpoch(resumed).on_epoch_begin(2)
    assert trace(resumed) == epochs[2]
    # The same without tf.data between, as other backends read it.
    plain = data.batches("train", 7, **options)
    plain.epoch = 2
    for found in (list(plain), [plain[0], plain[1], plain[2]]):
        assert [(i.sum(), tuple(n)) for i, n in found] == epochs[2]


@pytest.mark.parametrize("in_memory", [True, False])
def test_published_pooling(prepared, prepared_records, in_memory):
    for folder in (prepared, prepared_records):
        options = {"data_dir": folder, "in_memory": in_memory}
        data = from_decathlon("daimlerpedcls", pool=True, **options)
        assert data.splits == ("train", "test")
        assert data.size("train") == len(data.labels("train")) == 36
        apart = from_decathlon("daimlerpedcls", **options)
        expected = [
            (image.sum(), label)
            for split in ("train", "validation")
            for batch in apart.batches(split)
            for image, label in zip(*batch, strict=True)
        ]
        images, labels = next(iter(data.batches("train", 50)))
        found = [(i.sum(), n) for i, n in zip(images, labels, strict=True)]
        # TFDS reads the two splits of a stream in turn.
        assert sorted(found) == sorted(expected)
        assert data.labels("train").tolist() == labels.tolist()


def test_large_data_are_streamed_with_a_warning(prepared):
    with pytest.warns(UserWarning, match="memory_limit"):
        data = from_tfds(NAME, data_dir=prepared, memory_limit=1)
    assert "streamed" in repr(data)


def test_array_record_has_random_access(prepared_records):
    kept = from_tfds_directory(f"{prepared_records}/{NAME}")
    data = from_tfds_directory(f"{prepared_records}/{NAME}", in_memory=False)
    assert "array_record" in repr(data)
    options = {"training": True, "preprocess": Preprocess.default(16)}
    for a, b in zip(
        data.batches("train", 8, **options),
        data.tf_dataset("train", 8, **options),
        strict=True,
    ):
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[1], b[1])
    # Two decoders of JPEG round differently.
    first = data.images("train")[5].astype(int), kept.images("train")[5]
    assert data.labels("train")[5] == kept.labels("train")[5]
    assert np.abs(first[0] - first[1]).max() <= 4
    assert data.labels("test") is None


def test_table():
    """Sums and relations of the published facts."""
    table = [decathlon.facts(name) for name in decathlon.names()]
    assert [f.challenge_id for f in table] == list(range(1, 11))
    assert [f.key for f in table] == sorted(f.key for f in table)
    assert sum(f.num_classes for f in table) == 3128
    assert {f.key for f in table if not f.flip} == {"gtsrb", "omniglot", "svhn"}
    # Steps per epoch at batch 128 of train and validation together, from
    # the released training logs of Guo et al.
    steps = {f.key: -(-sum(f.sizes[:2]) // 128) for f in table}
    del steps["imagenet12"]
    assert list(steps.values()) == [53, 391, 230, 30, 307, 191, 573, 75, 16]
    configs = {
        c.name: c for c in tfds.builder_cls(decathlon.TFDS_NAME).BUILDER_CONFIGS
    }
    assert {f.key: f.num_classes for f in table} == {
        name: config.num_classes for name, config in configs.items()
    }
    with pytest.raises(AttributeError):
        table[0].flip = False


def test_specifications(tmp_path):
    for spec in ("", None, "nowhere", "ftp:thing", "decathlon:"):
        with pytest.raises(ValueError, match="embedded:NAME"):
            load(spec)
    with pytest.raises(ValueError, match="Known domains"):
        load("embedded:zebras")
    for name in ("a", "b"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        Image.new("RGB", (5, 5)).save(tmp_path / "pets" / name / "0.png")
    for spec in (str(tmp_path / "pets"), f"folder:{tmp_path / 'pets'}"):
        assert load(spec).domain.name == "pets"
    assert load(f"my={tmp_path / 'pets'}").domain.name == "my"
