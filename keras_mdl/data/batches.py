"""The loader: a `keras.utils.PyDataset`, and the same as a tf.data.Dataset."""

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import keras
import numpy as np

from keras_mdl.data.epoch import EpochCounter
from keras_mdl.data.randomness import epoch_order, uniforms

_THREADS = 8


class Batches(keras.utils.PyDataset):
    """Batches of one split; made by `DomainData.batches`.

    Batch `i` of epoch `e` is a pure function of `(seed, e, i)`. In training
    every epoch has its own order and augmentation; otherwise all images come
    in the order of the data. Batches are made ahead in threads (Pillow and
    NumPy work outside of Python's global lock).

    `fit(shuffle=True)`, the default, would shuffle the batches once more
    with Python's global generator, whose state depends on history. Within a
    pass of `fit` this loader therefore gives batch after batch, whatever
    index Keras asks for. With several workers (`workers`,
    `use_multiprocessing`) an index means what it says: give
    `fit(shuffle=False)` there for one order.

    Args:
        renderer: A `Renderer`.
        batch_size: Images in a batch.
        drop_remainder: Whether to leave out a last, smaller batch.
    """

    def __init__(self, renderer, batch_size, drop_remainder):
        super().__init__()
        self._renderer = renderer
        self._batch_size = batch_size
        self._size = len(renderer.source)
        whole, rest = divmod(self._size, batch_size)
        # What has less than one batch gives that.
        self._length = whole + bool(rest and not (drop_remainder and whole))
        self._counter = EpochCounter()
        self._order = (None, None)
        self._pass = None
        # Images that are read in an order of their own have no index.
        self._streamed = hasattr(renderer.source, "examples")

    @property
    def epoch(self) -> int:
        """Epoch of the running pass, or of the first one; settable."""
        return self._counter.epoch

    @epoch.setter
    def epoch(self, value):
        self._counter.epoch = value

    def __len__(self):
        return self._length

    def __getitem__(self, index):
        if not 0 <= index < self._length:
            raise IndexError(
                f"Batch index must lie in 0..{self._length - 1}. "
                f"Received: {index}"
            )
        if self._pass is not None:
            batch = next(self._pass, None)
            if batch is not None:
                return batch
        epoch = self._counter.epoch
        if self._streamed:
            return next(islice(self._one_pass(epoch), index, None))
        return self._batch(epoch, index, self._epoch_order(epoch))

    def __iter__(self):
        return self._one_pass(self._counter.begin_pass())

    def on_epoch_begin(self):
        """Called by Keras when a pass begins."""
        epoch = self._counter.begin_pass()
        if self._one_worker():
            self._pass = self._one_pass(epoch)

    def on_epoch_end(self):
        """Called by Keras when a pass ends."""
        self._pass = None
        if not self._one_worker():
            self._counter.end_pass()

    def __getstate__(self):
        # A running pass has threads, which stay where they are.
        return {**self.__dict__, "_pass": None}

    def _one_worker(self):
        return self.workers <= 1 and not self.use_multiprocessing

    def _one_pass(self, epoch):
        """Yields the batches of an epoch, a few of which are in the making."""
        threads = min(_THREADS, os.cpu_count() or 1)
        calls = self._stream(epoch) if self._streamed else self._calls(epoch)
        with ThreadPoolExecutor(threads) as pool:
            running = deque(
                pool.submit(*call) for call in islice(calls, threads + 1)
            )
            try:
                while running:
                    result = running.popleft().result()
                    running.extend(
                        pool.submit(*call) for call in islice(calls, 1)
                    )
                    yield result
            finally:
                for future in running:
                    future.cancel()

    def _calls(self, epoch):
        order = self._epoch_order(epoch)
        for index in range(self._length):
            yield self._batch, epoch, index, order

    def _batch(self, epoch, index, order):
        start = index * self._batch_size
        indices = order[start : start + self._batch_size]
        images = [self._renderer.source[int(i)] for i in indices]
        labels = self._renderer.labels
        return self._renderer.batch(
            images, None if labels is None else labels[indices], epoch, start
        )

    def _epoch_order(self, epoch):
        if not self._renderer.training:
            return np.arange(self._size)
        known, order = self._order
        if known != epoch:
            order = epoch_order(self._renderer.seed, epoch, self._size)
            self._order = (epoch, order)
        return order

    def _stream(self, epoch):
        renderer = self._renderer
        seed = None
        if renderer.training:
            draw = uniforms(renderer.seed, epoch, 0, 1, 1)[0, 0]
            seed = int(draw * 2**31)
        examples = iter(renderer.source.examples(seed))
        for index in range(self._length):
            some = islice(examples, self._batch_size)
            images, labels = zip(*some, strict=True)
            labels = None if renderer.labels is None else np.int32(labels)
            start = index * self._batch_size
            yield renderer.batch, images, labels, epoch, start


def tf_dataset(batches):
    """`Batches` as a `tf.data.Dataset` of the same batches, bit for bit.

    A Python generator makes them, which tf.data starts anew with every pass:
    that is when the epoch is read, so no batch of the next epoch can be made
    before the present one ends.

    Returns:
        The dataset, with an attribute `epoch_counter`.
    """
    import tensorflow as tf

    signature = tuple(
        tf.TensorSpec(shape, dtype)
        for shape, dtype in batches._renderer.signature()
    )
    dataset = tf.data.Dataset.from_generator(
        lambda: iter(batches),
        output_signature=signature if len(signature) > 1 else signature[0],
    )
    dataset = dataset.apply(
        tf.data.experimental.assert_cardinality(len(batches))
    ).prefetch(2)
    # The threads above are the parallel part. tf.data's tuning has nothing to
    # tune and takes up to half a second at the end of every pass.
    options = tf.data.Options()
    options.autotune.enabled = False
    dataset = dataset.with_options(options)
    dataset.epoch_counter = batches._counter
    return dataset
