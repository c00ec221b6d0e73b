"""TFDS splits in the `array_record` format: any image by its index."""

import io
from functools import cached_property

import numpy as np

from keras_mdl.data.labels import checked_labels
from keras_mdl.data.pixels import rgb_from_array, rgb_from_file


class RecordSource:
    """One split of a prepared TFDS data set, read by index.

    Needs no TensorFlow. Takes the arguments of `StreamSource`.
    """

    lazy = True
    uniform = False

    def __init__(self, builder, split, image_key, label_key, num_classes):
        import tensorflow_datasets as tfds

        self._records = builder.as_data_source(
            split=split, decoders={image_key: tfds.decode.SkipDecoding()}
        )
        self._split = split
        self._keys = (image_key, label_key)
        self._num_classes = num_classes

    def __len__(self):
        return len(self._records)

    def __getitem__(self, index):
        image = self._records[index][self._keys[0]]
        if isinstance(image, bytes):
            return rgb_from_file(io.BytesIO(image))
        return rgb_from_array(image)

    @cached_property
    def labels(self):
        """int32 labels in file order, or `None` if hidden."""
        key = self._keys[1]
        labels = [self._records[i][key] for i in range(len(self))]
        return checked_labels(
            np.array(labels), len(self), self._split, self._num_classes
        )

    def first_images(self, count):
        """The first `count` images, as uint8 arrays."""
        return [self[i] for i in range(min(count, len(self)))]

    def read_all(self):
        """All images and labels."""
        return self.first_images(len(self)), self.labels

    def describe(self):
        """One phrase for `repr`."""
        return "decoded from array_record"
