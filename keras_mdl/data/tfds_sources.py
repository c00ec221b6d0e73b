"""Splits of prepared TFDS data sets that are read from disk.

Both kinds take the same arguments; a split is any that TFDS understands, for
example `"train+validation"`.
"""

import io
from functools import cached_property

import numpy as np

from keras_mdl.data.labels import checked_labels
from keras_mdl.data.pixels import rgb_from_array, rgb_from_file
from keras_mdl.data.sources import ArraySource

# Images held for shuffling: at 72x72 RGB about 130 MB.
SHUFFLE_BUFFER = 8192


class RecordSource:
    """A split in the `array_record` format: any image, without TensorFlow.

    Args:
        builder: A `tfds.core.DatasetBuilder`, prepared.
        split: Name of the split.
        image_key: Key of the image in an example.
        label_key: Key of the label.
        num_classes: Labels lie below it.
    """

    uniform = False

    def __init__(self, builder, split, image_key, label_key, num_classes):
        self._arguments = builder, split, image_key, label_key, num_classes
        self._records = builder.as_data_source(
            split=split, decoders=_skip(image_key)
        )

    def __len__(self):
        return len(self._records)

    def __getitem__(self, index):
        image = self._records[index][self._arguments[2]]
        if isinstance(image, bytes):
            return rgb_from_file(io.BytesIO(image))
        return rgb_from_array(image)

    @cached_property
    def labels(self):
        """int32 labels in file order, or `None` if hidden."""
        _, split, _, key, num_classes = self._arguments
        labels = [self._records[i][key] for i in range(len(self))]
        return checked_labels(np.array(labels), len(self), split, num_classes)

    def first_images(self, count):
        """The first `count` images, as uint8 arrays."""
        return [self[i] for i in range(min(count, len(self)))]

    def in_memory(self):
        """`(source, labels)` with all images decoded."""
        return ArraySource([self[i] for i in range(len(self))]), self.labels

    def joined(self, other):
        """Both splits."""
        return _joined(self, other)

    def describe(self):
        """One phrase for `repr`."""
        return "decoded from array_record"


class StreamSource:
    """A split in another format: read in order, by TensorFlow.

    Shuffled by files and, within a buffer, by images: the order is a pure
    function of the seed here too, but not that of a random-access source.
    See `RecordSource` for the arguments.
    """

    uniform = False

    def __init__(self, builder, split, image_key, label_key, num_classes):
        self._arguments = builder, split, image_key, label_key, num_classes

    def __len__(self):
        builder, split, *_ = self._arguments
        return builder.info.splits[split].num_examples

    @cached_property
    def labels(self):
        """int32 labels in file order (images are skipped), or `None`."""
        _, split, image_key, key, num_classes = self._arguments
        labels = [e[key] for e in self._read(decoders=_skip(image_key))]
        return checked_labels(np.array(labels), len(self), split, num_classes)

    def first_images(self, count):
        """The first `count` images, as uint8 arrays."""
        images = self._read(most=count)
        return [rgb_from_array(e[self._arguments[2]]) for e in images]

    def in_memory(self):
        """`(source, labels)` with all images decoded, in one pass."""
        images, labels = zip(*self.examples(), strict=True)
        _, split, *_, num_classes = self._arguments
        labels = checked_labels(np.array(labels), len(self), split, num_classes)
        return ArraySource(list(images)), labels

    def examples(self, seed=None):
        """Yields `(image, label)`; shuffled if seeded."""
        import tensorflow as tf
        import tensorflow_datasets as tfds

        options = tf.data.Options()
        options.deterministic = True
        config = tfds.ReadConfig(
            options=options,
            shuffle_seed=seed,
            shuffle_reshuffle_each_iteration=False,
            try_autocache=False,
        )
        _, _, image_key, label_key, _ = self._arguments
        for example in self._read(
            seed, shuffle_files=seed is not None, read_config=config
        ):
            yield rgb_from_array(example[image_key]), example[label_key]

    def joined(self, other):
        """Both splits."""
        return _joined(self, other)

    def describe(self):
        """One phrase for `repr`."""
        return "streamed from TFDS"

    def _read(self, seed=None, most=-1, **options):
        import tensorflow_datasets as tfds

        builder, split, *_ = self._arguments
        dataset = builder.as_dataset(split=split, **options).take(most)
        if seed is not None:
            dataset = dataset.shuffle(
                SHUFFLE_BUFFER, seed, reshuffle_each_iteration=False
            )
        return tfds.as_numpy(dataset)


def _joined(first, second):
    builder, split, *rest = first._arguments
    both = f"{split}+{second._arguments[1]}"
    return type(first)(builder, both, *rest)


def _skip(image_key):
    import tensorflow_datasets as tfds

    return {image_key: tfds.decode.SkipDecoding()}
