"""`DomainData`: the images and labels of one domain, from anywhere."""

from dataclasses import replace

from keras_mdl.data.epoch import checked_count
from keras_mdl.data.preprocess import Preprocess
from keras_mdl.data.render import Renderer


class DomainData:
    """The images of one domain in named splits.

    Make one with `from_arrays`, `from_folder`, `from_tfds` or
    `from_tfds_directory`, or from a string with `keras_mdl.data.load`.

    Attributes:
        domain: The `Domain`: name, class names, pixel statistics.
        flip: Whether training images may be mirrored left to right.
        splits: Names of the splits.
        skipped: Paths of bad image files that were left out.
        provenance: Where the images come from, or `""`.

    Args:
        domain: A `Domain`.
        splits: Mapping from split names to `(source, labels)`; a source is a
            sequence of uint8 RGB images, labels are an int32 array or
            `None` if hidden.
        flip: See above. `False` unless said otherwise: mirroring signs or
            letters does harm that nobody notices.
        skipped: See above.
        provenance: See above.
    """

    def __init__(self, domain, splits, flip=False, skipped=(), provenance=""):
        self.domain = domain
        self.flip = bool(flip)
        self.splits = tuple(splits)
        self.skipped = tuple(skipped)
        self.provenance = provenance
        self._splits = dict(splits)

    @classmethod
    def from_arrays(
        cls, name, splits, classes=None, flip=False, mean=None, std=None
    ):
        """Images at hand.

        Args:
            name: Name of the domain.
            splits: Mapping from split names to `(images, labels)`. Images:
                `(n, h, w)`, `(n, h, w, c)` with 1, 3 or 4 channels, or a list
                of images of any sizes; uint8, uint16, bool, or floats in
                `[0, 1]`. Labels: integers `(n,)`, or `None` if hidden.
            classes: Class names in label order, or their number; by default
                the largest label plus one.
            flip: Whether training images may be mirrored.
            mean: Per-channel mean in `[0, 1]`; computed from `train` (or the
                first split) by default.
            std: Per-channel standard deviation, likewise.

        Raises:
            ValueError: For wrong shapes, dtypes, values or labels.
        """
        from keras_mdl.data.arrays import read_arrays

        return read_arrays(name, splits, classes, flip, mean, std)

    @classmethod
    def from_folder(cls, path, name=None, **options):
        """Image files in class folders; see `folder.read_folder`."""
        from keras_mdl.data.folder import read_folder

        return read_folder(path, name, **options)

    @classmethod
    def from_tfds(cls, tfds_name, **options):
        """A data set of `tensorflow_datasets`; see `tfds_reader.read_name`."""
        from keras_mdl.data.tfds_reader import read_name

        return read_name(tfds_name, **options)

    @classmethod
    def from_tfds_directory(cls, path, **options):
        """A prepared TFDS folder; see `tfds_reader.read_directory`."""
        from keras_mdl.data.tfds_reader import read_directory

        return read_directory(path, **options)

    def size(self, split):
        """Number of images in a split."""
        return len(self._split(split)[0])

    def labels(self, split):
        """int32 labels `(n,)` of a split, or `None` if they are hidden."""
        source, labels = self._split(split)
        return getattr(source, "labels", labels)

    def images(self, split):
        """The split's images by index: a sequence of uint8 `(h, w, 3)`.

        Raises:
            ValueError: If the split is streamed.
        """
        source = self._split(split)[0]
        if not hasattr(source, "__getitem__"):
            raise ValueError(_no_random_access(self.domain.name, split))
        return source

    def renamed(self, name):
        """The same data under another domain name."""
        domain = replace(self.domain, name=name)
        return DomainData(
            domain, self._splits, self.flip, self.skipped, self.provenance
        )

    def batches(
        self,
        split,
        batch_size=64,
        preprocess=None,
        training=False,
        seed=0,
        dtype="float32",
        drop_remainder=None,
    ):
        """A `keras.utils.PyDataset` of `(images, labels)`, on any backend.

        In training, order and augmentation of an epoch are a pure function
        of `(seed, epoch, image index)`: give the result to `SetEpoch`, and a
        resumed `fit` sees the batches of an uninterrupted one. Otherwise all
        images come in the order of the data, without augmentation.

        Args:
            split: Name of a split.
            batch_size: Images in a batch.
            preprocess: A `Preprocess`; by default images are left as they
                are.
            training: Whether to shuffle and augment.
            seed: Integer `>= 0`.
            dtype: `"float32"` or `"uint8"`; in 0..255 units either way,
                unless the preprocessing normalises.
            drop_remainder: Leave out a last, smaller batch; by default in
                training, if there is more than one batch.

        Returns:
            Batches of images `(b, h, w, 3)` and int32 labels `(b,)`, or of
            images only where labels are hidden.
        """
        from keras_mdl.data.batches import Batches

        self.images(split)  # random access, or say so now
        renderer = self._renderer(split, preprocess, training, seed, dtype)
        return Batches(
            renderer,
            checked_count("batch_size", batch_size, low=1),
            training if drop_remainder is None else drop_remainder,
        )

    def tf_dataset(
        self,
        split,
        batch_size=64,
        preprocess=None,
        training=False,
        seed=0,
        dtype="float32",
        drop_remainder=None,
    ):
        """The same as a prefetching `tf.data.Dataset`; needs TensorFlow.

        Takes the arguments of `batches` and yields the same batches, bit
        for bit (streamed data have an order of their own). The dataset's
        `epoch_counter.epoch` is its epoch; `SetEpoch` sets it.
        """
        renderer = self._renderer(split, preprocess, training, seed, dtype)
        if hasattr(renderer.source, "__getitem__"):
            from keras_mdl.data.tf_pipeline import indexed_dataset as make
        else:
            from keras_mdl.data.streaming import streamed_dataset as make
        return make(
            renderer,
            checked_count("batch_size", batch_size, low=1),
            training if drop_remainder is None else drop_remainder,
        )

    def __repr__(self):
        sizes = ", ".join(f"{s} {self.size(s)}" for s in self.splits)
        source = self._splits[self.splits[0]][0]
        return (
            f"<DomainData {self.domain.name!r}: {self.domain.num_classes} "
            f"classes, images: {sizes};\n  {source.describe()}, "
            f"flip={self.flip}, mean={self.domain.mean}>"
        )

    def _renderer(self, split, preprocess, training, seed, dtype):
        if preprocess is None:
            preprocess = Preprocess()
        if not isinstance(preprocess, Preprocess):
            raise TypeError(
                "`preprocess` must be a `Preprocess`. "
                f"Received: preprocess={preprocess!r}"
            )
        return Renderer(
            self._split(split)[0],
            self.labels(split),
            preprocess,
            self.flip,
            self.domain,
            bool(training),
            checked_count("seed", seed),
            dtype,
        )

    def _split(self, split):
        if split not in self._splits:
            raise ValueError(
                f"Domain {self.domain.name!r} has splits "
                f"{', '.join(map(repr, self.splits))}. "
                f"Received: split={split!r}"
            )
        return self._splits[split]


def _no_random_access(name, split):
    return (
        f"Split {split!r} of domain {name!r} is streamed from disk and has "
        "no random access. Use `tf_dataset`, load with `in_memory=True`, or "
        "prepare the data set in a random-access format: "
        "`tfds.builder(..., file_format='array_record')`."
    )
