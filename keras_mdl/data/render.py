"""Applies a `Preprocess` to images, in Pillow and NumPy."""

import numpy as np

from keras_mdl.data import augment
from keras_mdl.data.randomness import uniforms
from keras_mdl.data.resize import resized


class Renderer:
    """Turns images into batches.

    The result depends on nothing but the arguments, so that batches can be
    made in any order, in parallel, and again after an interruption.

    Args:
        source: Sequence of uint8 images `(h, w, 3)`.
        labels: int32 array `(n,)` or `None`.
        preprocess: A `Preprocess`.
        flip: The data's own flip rule.
        domain: `Domain` whose statistics `normalize` uses.
        training: Whether to augment.
        seed: Integer `>= 0`.
        dtype: `"float32"` or `"uint8"`.
    """

    def __init__(
        self, source, labels, preprocess, flip, domain, training, seed, dtype
    ):
        if dtype not in ("float32", "uint8"):
            raise ValueError(
                "`dtype` must be 'float32' or 'uint8'. "
                f"Received: dtype={dtype!r}"
            )
        if dtype == "uint8" and preprocess.normalize:
            raise ValueError(
                "Normalised pixels are no 8-bit integers: use "
                "dtype='float32', or Preprocess(normalize=False). "
                f"Received: dtype={dtype!r}"
            )
        self.source = source
        self.labels = labels
        self.training = training
        self.seed = seed
        self.dtype = dtype
        self._preprocess = preprocess
        self._flip = flip if preprocess.flip is None else preprocess.flip
        self._domain = domain

    def batch(self, images, labels, epoch, start):
        """Renders images of any sizes into one batch.

        Args:
            images: Sequence of uint8 arrays `(h, w, 3)`.
            labels: Their labels, or `None`.
            epoch: Epoch, which chooses the augmentation.
            start: Position of the first image in the epoch, likewise.

        Returns:
            Images `(b, h, w, 3)` in 0..255 units, unless normalised, and
            labels as `signature` says; images only if labels are hidden.

        Raises:
            ValueError: If the results differ in size.
        """
        draws = [{}] * len(images)
        if self.training:
            draws = uniforms(
                self.seed, epoch, start, len(images), len(augment.DRAWS)
            )
            draws = [dict(zip(augment.DRAWS, d, strict=True)) for d in draws]
        images = [
            self._geometry(image, draw)
            for image, draw in zip(images, draws, strict=True)
        ]
        sizes = sorted({image.shape[:2] for image in images})
        if len(sizes) > 1:
            raise ValueError(
                "Images of one batch must have one size: give `resize` "
                "and crops, for example `Preprocess.default(64)`. "
                f"Received: {sizes[0]} and {sizes[1]} (height, width)"
            )
        images = np.stack(images)
        if self._preprocess.mixes and labels is not None:
            labels = np.eye(self._domain.num_classes, dtype="f4")[labels]
        if self.training:
            images, labels = augment.values(
                images, labels, draws, self._preprocess
            )
        images = self._finished(images)
        return images if labels is None else (images, labels)

    def signature(self):
        """Shape and dtype of images and labels; `None` where it may vary."""
        p = self._preprocess
        size = p.train_crop if self.training else p.eval_crop
        if size is None and isinstance(p.resize, tuple):
            size = p.resize
        if size is None and getattr(self.source, "uniform", False):
            size = resized(self.source[0], p.resize).shape[:2]
        images = ((None, *(size or (None, None)), 3), self.dtype)
        if self.labels is None:
            return (images,)
        if p.mixes:
            return images, ((None, self._domain.num_classes), "float32")
        return images, ((None,), "int32")

    def _geometry(self, image, draw):
        """Resize, crop, flip and what else stays uint8."""
        p = self._preprocess
        if not self.training:
            image = resized(image, p.resize, p.antialias)
            return centre(image, p.eval_crop, p.crop_rounding)
        antialias = p.antialias and draw["plain"] >= p.plain
        if p.crop_area is not None:
            box = augment.area_box(image, p.crop_area, draw)
            image = resized(image, p.train_crop, antialias, box)
        else:
            image = resized(image, p.resize, antialias)
            if p.random_crop:
                image = augment.crop(
                    image, p.train_crop, p.crop_padding, p.padding_mode, draw
                )
            else:
                image = centre(image, p.train_crop, p.crop_rounding)
        if self._flip and draw["flip"] < 0.5:
            image = image[:, ::-1]
        if p.rand_augment is not None:
            image = augment.rand_augment(image, *p.rand_augment, draw)
        return image

    def _finished(self, batch):
        if self._preprocess.normalize:
            mean, std = np.float32(self._domain.mean), self._domain.std
            return (np.float32(batch) / 255 - mean) / np.float32(std)
        if self.dtype == "uint8" and batch.dtype != np.uint8:
            batch = np.rint(batch)
        return batch.astype(self.dtype, copy=False)


def centre(image, size, rounding="down"):
    """The centre of an image; half a pixel goes down, or to the even one."""
    if size is None:
        return image
    room = augment.room(image, size)
    top, left = (r // 2 if rounding == "down" else round(r / 2) for r in room)
    return image[top : top + size[0], left : left + size[1]]
