"""The tf.data loader: the same batches as a `tf.data.Dataset`."""

import numpy as np

from keras_mdl.data.batches import batch_count
from keras_mdl.data.epoch import EpochCounter
from keras_mdl.data.randomness import epoch_order


def indexed_dataset(renderer, batch_size, drop_remainder):
    """Batches of a random-access source, rendered in parallel.

    The order comes from a Python generator, which tf.data starts anew with
    every pass: that is when the epoch is read, so no batch of the next epoch
    can be made before the present one ends. The pixels come from the same
    NumPy code as in `Batches`, bit for bit.

    Args:
        renderer: A `Renderer`.
        batch_size: Images in a batch.
        drop_remainder: Whether to leave out a last, smaller batch.

    Returns:
        A `tf.data.Dataset` of `(images, labels)`, or of `images` where
        labels are hidden, with an attribute `epoch_counter`.
    """
    import tensorflow as tf

    size = len(renderer.source)
    length = batch_count(size, batch_size, drop_remainder)
    counter = EpochCounter()

    def index_batches():
        epoch = counter.begin_pass()
        order = (
            epoch_order(renderer.seed, epoch, size)
            if renderer.training
            else np.arange(size)
        )
        for low in range(0, length * batch_size, batch_size):
            yield epoch, order[low : low + batch_size]

    def render(epoch, indices):
        return renderer.batch(indices, int(epoch))

    has_labels = renderer.labels is not None
    shape = (None, *renderer.static_shape(), 3)

    def to_tensors(epoch, indices):
        if not has_labels:
            images = tf.numpy_function(render, [epoch, indices], renderer.dtype)
            return tf.ensure_shape(images, shape)
        images, labels = tf.numpy_function(
            render, [epoch, indices], (renderer.dtype, "int32")
        )
        return tf.ensure_shape(images, shape), tf.ensure_shape(labels, (None,))

    signature = (
        tf.TensorSpec((), tf.int64),
        tf.TensorSpec((None,), tf.int64),
    )
    dataset = tf.data.Dataset.from_generator(
        index_batches, output_signature=signature
    ).map(to_tensors, tf.data.AUTOTUNE, deterministic=True)
    return finished(dataset, length, counter)


def finished(dataset, length, counter):
    """Adds the known length, prefetching and the epoch counter."""
    import tensorflow as tf

    dataset = dataset.apply(
        tf.data.experimental.assert_cardinality(length)
    ).prefetch(tf.data.AUTOTUNE)
    dataset.epoch_counter = counter
    return dataset
