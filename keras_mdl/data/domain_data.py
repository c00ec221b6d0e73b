"""`DomainData`: the images and labels of one domain, from anywhere."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from keras_mdl.data.epoch import checked_count
from keras_mdl.data.preprocess import Preprocess
from keras_mdl.data.render import Renderer
from keras_mdl.data.resize import resized
from keras_mdl.data.sources import ArraySource
from keras_mdl.domains import Domain

if TYPE_CHECKING:
    from keras_mdl.data.batches import Batches


@dataclass(frozen=True, repr=False, eq=False)
class DomainData:
    """The images of one domain in named splits.

    Made by `from_arrays`, `from_folder`, `from_tfds`, `from_tfds_directory`,
    `from_decathlon` and `embedded.load` of `keras_mdl.data`, or from a string
    by `keras_mdl.data.load`.

    Args:
        domain: The `Domain`: name, class names, pixel statistics.
        parts: Mapping from split names to `(source, labels)`; a source is a
            sequence of uint8 RGB images, labels are an int32 array or
            `None` if hidden.
        flip: Whether training images may be mirrored left to right. `False`
            unless said otherwise: mirroring signs or letters does harm that
            nobody notices.
        skipped: Paths of bad image files that were left out.
        ignored: `{extension: count}` of files that are no images.
        provenance: Where the images come from, or `""`.
    """

    domain: Domain
    parts: dict
    flip: bool = False
    skipped: tuple = ()
    ignored: dict = field(default_factory=dict)
    provenance: str = ""

    @property
    def splits(self) -> tuple:
        """Names of the splits."""
        return tuple(self.parts)

    def size(self, split: str) -> int:
        """Number of images in a split."""
        return len(self._part(split)[0])

    def labels(self, split: str) -> np.ndarray | None:
        """int32 labels `(n,)` of a split, or `None` if they are hidden."""
        source, labels = self._part(split)
        return getattr(source, "labels", labels)

    def images(self, split: str):
        """The split's images by index: a sequence of uint8 `(h, w, 3)`.

        Raises:
            ValueError: If the split is streamed.
        """
        source = self._part(split)[0]
        if not hasattr(source, "__getitem__"):
            raise ValueError(
                f"Split {split!r} of domain {self.domain.name!r} is streamed "
                "from disk and has no random access. Use `batches`, load with "
                "`in_memory=True`, or prepare the data set in a random-access "
                "format: `tfds.builder(..., file_format='array_record')`."
            )
        return source

    def renamed(self, name: str) -> DomainData:
        """The same data under another domain name."""
        return replace(self, domain=replace(self.domain, name=name))

    def resized(self, size: int) -> DomainData:
        """The same data, with images of `size` pixels at the shorter side.

        What `Preprocess(resize=size)` does to an image each time, done once:
        batches are the same, bit for bit, and made faster. The images are in
        memory afterwards; pixel statistics stay those of the originals.
        """
        parts = {}
        for split in self.parts:
            images = [resized(image, size) for image in self.images(split)]
            parts[split] = ArraySource(images), self.labels(split)
        return replace(self, parts=parts)

    def pooled(self) -> DomainData:
        """The same data with `train` and `validation` as one `train`.

        So the trainings published with the Visual Decathlon learn. Nothing
        is left to validate on; the pixel statistics stay those of `train`.

        Raises:
            ValueError: If one of the splits is missing or has no labels.
        """
        sources, labels = [], []
        for split in ("train", "validation"):
            sources.append(self._part(split)[0])
            labels.append(self.labels(split))
            if labels[-1] is None:
                raise ValueError(
                    f"Pooling needs labels. Received: split {split!r} of "
                    f"domain {self.domain.name!r}, whose labels are hidden"
                )
        train = sources[0].joined(sources[1]), np.concatenate(labels)
        rest = {s: p for s, p in self.parts.items() if s != "validation"}
        return replace(self, parts={**rest, "train": train})

    def batches(
        self,
        split: str,
        batch_size: int = 64,
        preprocess: Preprocess | None = None,
        training: bool = False,
        seed: int = 0,
        dtype: str = "float32",
        drop_remainder: bool | None = None,
    ) -> Batches:
        """A `keras.utils.PyDataset` of `(images, labels)`, on any backend.

        In training, order and augmentation of an epoch are a pure function
        of `(seed, epoch, position)`: give the result to `SetEpoch`, and a
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
                training, if there is more than one batch. The released
                loaders of the Visual Decathlon keep it.

        Returns:
            Batches of images `(b, h, w, 3)` and int32 labels `(b,)` (with
            `mixup` or `cutmix` float32 `(b, classes)`), or of images only
            where labels are hidden.
        """
        from keras_mdl.data.batches import Batches  # loads Keras

        if preprocess is None:
            preprocess = Preprocess()
        if not isinstance(preprocess, Preprocess):
            raise TypeError(
                "`preprocess` must be a `Preprocess`. "
                f"Received: preprocess={preprocess!r}"
            )
        renderer = Renderer(
            self._part(split)[0],
            self.labels(split),
            preprocess,
            self.flip,
            self.domain,
            bool(training),
            checked_count("seed", seed),
            dtype,
        )
        return Batches(
            renderer,
            checked_count("batch_size", batch_size, low=1),
            training if drop_remainder is None else drop_remainder,
        )

    def tf_dataset(self, *arguments, **options):
        """The same as a prefetching `tf.data.Dataset`; needs TensorFlow.

        Takes the arguments of `batches` and yields the same batches, bit
        for bit. The dataset's `epoch_counter.epoch` is its epoch; `SetEpoch`
        sets it.
        """
        from keras_mdl.data.batches import tf_dataset

        return tf_dataset(self.batches(*arguments, **options))

    def __repr__(self):
        sizes = ", ".join(f"{s} {self.size(s)}" for s in self.splits)
        source = self.parts[self.splits[0]][0]
        return (
            f"<DomainData {self.domain.name!r}: {self.domain.num_classes} "
            f"classes, images: {sizes};\n  {source.describe()}, "
            f"flip={self.flip}, mean={self.domain.mean}>"
        )

    def _part(self, split):
        if split not in self.parts:
            raise ValueError(
                f"Domain {self.domain.name!r} has splits "
                f"{', '.join(map(repr, self.splits))}. "
                f"Received: split={split!r}"
            )
        return self.parts[split]
