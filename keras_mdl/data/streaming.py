"""TFDS splits that are too large for memory: read from disk in order."""

from functools import cached_property

import numpy as np

from keras_mdl.data.batches import batch_count
from keras_mdl.data.epoch import EpochCounter
from keras_mdl.data.labels import checked_labels
from keras_mdl.data.pixels import rgb_from_array
from keras_mdl.data.randomness import uniforms
from keras_mdl.data.tf_pipeline import finished

# Images held for shuffling: at 72x72 RGB about 130 MB.
SHUFFLE_BUFFER = 8192


class StreamSource:
    """One split of a prepared TFDS data set, read sequentially.

    Args:
        builder: A `tfds.core.DatasetBuilder`, prepared.
        split: Split name.
        image_key: Key of the image in an example.
        label_key: Key of the label.
        num_classes: Labels lie below it.
    """

    lazy = True
    uniform = False

    def __init__(self, builder, split, image_key, label_key, num_classes):
        self._builder = builder
        self._split = split
        self._keys = (image_key, label_key)
        self._num_classes = num_classes

    def __len__(self):
        return self._builder.info.splits[self._split].num_examples

    @cached_property
    def labels(self):
        """int32 labels in file order (images are skipped), or `None`."""
        import tensorflow_datasets as tfds

        image_key, label_key = self._keys
        examples = self._builder.as_dataset(
            split=self._split,
            decoders={image_key: tfds.decode.SkipDecoding()},
        )
        labels = [e[label_key] for e in tfds.as_numpy(examples)]
        return checked_labels(
            np.array(labels), len(self), self._split, self._num_classes
        )

    def first_images(self, count):
        """The first `count` images, as uint8 arrays."""
        import tensorflow_datasets as tfds

        examples = self._builder.as_dataset(split=self._split).take(count)
        return [
            rgb_from_array(e[self._keys[0]]) for e in tfds.as_numpy(examples)
        ]

    def examples(self, shuffle_seed=None):
        """A `tf.data.Dataset` of `(image, label)`; shuffled if seeded."""
        import tensorflow as tf
        import tensorflow_datasets as tfds

        options = tf.data.Options()
        options.deterministic = True
        config = tfds.ReadConfig(
            options=options,
            shuffle_seed=shuffle_seed,
            shuffle_reshuffle_each_iteration=False,
            try_autocache=False,
        )
        image_key, label_key = self._keys
        dataset = self._builder.as_dataset(
            split=self._split,
            shuffle_files=shuffle_seed is not None,
            read_config=config,
        ).map(lambda e: (e[image_key], tf.cast(e[label_key], tf.int32)))
        if shuffle_seed is not None:
            dataset = dataset.shuffle(
                SHUFFLE_BUFFER, shuffle_seed, reshuffle_each_iteration=False
            )
        return dataset

    def read_all(self):
        """All images and labels, in file order."""
        import tensorflow_datasets as tfds

        images, labels = [], []
        for image, label in tfds.as_numpy(self.examples()):
            images.append(rgb_from_array(image))
            labels.append(label)
        labels = checked_labels(
            np.array(labels), len(images), self._split, self._num_classes
        )
        return images, labels

    def describe(self):
        """One phrase for `repr`."""
        return "streamed from TFDS"


def streamed_dataset(renderer, batch_size, drop_remainder):
    """Batches of a `StreamSource`; see `indexed_dataset` for the terms.

    Shuffles files and, within a buffer, images: the order is a pure function
    of `(seed, epoch)` here too, but not the order of a random-access source.
    """
    import tensorflow as tf

    source = renderer.source
    length = batch_count(len(source), batch_size, drop_remainder)
    has_labels = source.labels is not None
    shape = (*renderer.static_shape(), 3)
    counter = EpochCounter()

    def one_pass(epoch):
        def render(position, image):
            image = rgb_from_array(image)
            return renderer.images([image], [int(position)], epoch)[0]

        def to_tensors(position, example):
            image = tf.numpy_function(
                render, [position, example[0]], renderer.dtype
            )
            image = tf.ensure_shape(image, shape)
            return (image, example[1]) if has_labels else image

        seed = None
        if renderer.training:
            draw = uniforms(renderer.seed, epoch, [0], 1)[0, 0]
            seed = int(draw * 2**31)
        return (
            source.examples(seed)
            .enumerate()
            .map(to_tensors, tf.data.AUTOTUNE, deterministic=True)
            .batch(batch_size)
            .take(length)
            .prefetch(tf.data.AUTOTUNE)
        )

    def passes():
        yield from one_pass(counter.begin_pass())

    images = tf.TensorSpec((None, *shape), renderer.dtype)
    labels = tf.TensorSpec((None,), tf.int32)
    dataset = tf.data.Dataset.from_generator(
        passes, output_signature=(images, labels) if has_labels else images
    )
    return finished(dataset, length, counter)
