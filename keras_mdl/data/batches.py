"""The NumPy loader: a `keras.utils.PyDataset`, for every Keras backend."""

import random
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np

from keras_mdl.data.epoch import EpochCounter
from keras_mdl.data.randomness import epoch_order

_DECODERS = 4


class Batches(keras.utils.PyDataset):
    """Batches of one split; made by `DomainData.batches`.

    Batch `i` of epoch `e` is a pure function of `(seed, e, i)`. In training
    every epoch has its own order and augmentation; otherwise all images come
    in the order of the data.

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
        self._length = batch_count(self._size, batch_size, drop_remainder)
        self._counter = EpochCounter()
        self._order = (None, None)
        self._random_state = None
        self._threads = None

    @property
    def epoch(self):
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
        self._restore_random()
        epoch = self._counter.epoch
        low = index * self._batch_size
        indices = self._epoch_order(epoch)[low : low + self._batch_size]
        if not self._renderer.source.lazy:
            return self._renderer.batch(indices, epoch)
        return self._decode_in_threads(indices, epoch)

    def __iter__(self):
        self._counter.begin_pass()
        for index in range(self._length):
            yield self[index]

    def on_epoch_begin(self):
        """Called by Keras when a pass begins."""
        epoch = self._counter.begin_pass()
        if self._renderer.training and self._random_state is None:
            # `fit(shuffle=True)`, the default, shuffles the order of our
            # batches once more, with Python's global generator, whose state
            # depends on history. Seeding it for the one call that follows
            # keeps an epoch a pure function of its number.
            self._random_state = random.getstate()
            random.seed(f"{self._renderer.seed}/{epoch}")

    def on_epoch_end(self):
        """Called by Keras when a pass ends."""
        self._restore_random()

    def _restore_random(self):
        if self._random_state is not None:
            random.setstate(self._random_state)
            self._random_state = None

    def _epoch_order(self, epoch):
        if not self._renderer.training:
            return np.arange(self._size)
        known, order = self._order
        if known != epoch:
            order = epoch_order(self._renderer.seed, epoch, self._size)
            self._order = (epoch, order)
        return order

    def _decode_in_threads(self, indices, epoch):
        # Pillow decodes outside Python's global lock.
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_DECODERS)
        images = self._threads.map(
            self._renderer.source.__getitem__, map(int, indices)
        )
        return self._renderer.finish(list(images), indices, epoch)


def batch_count(size, batch_size, drop_remainder):
    """Number of batches that `size` images make."""
    whole, rest = divmod(size, batch_size)
    return whole + bool(rest and not (drop_remainder and whole))
