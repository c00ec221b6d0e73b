"""Applies a `Preprocess` to images; both loaders produce batches with it."""

import numpy as np

from keras_mdl.data.randomness import uniforms

_DRAWS = 5  # crop row, crop column, flip, contrast, brightness


class Renderer:
    """Turns image indices into batches, in NumPy.

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
        self._mean = np.float32(domain.mean)
        self._std = np.float32(domain.std)

    def batch(self, indices, epoch):
        """Images `(b, h, w, 3)` and labels `(b,)`; images only if hidden."""
        images = [self.source[int(i)] for i in indices]
        return self.finish(images, indices, epoch)

    def finish(self, images, indices, epoch):
        """The rest of `batch`, for images that are at hand already."""
        images = self.images(images, indices, epoch)
        return images if self.labels is None else (images, self.labels[indices])

    def images(self, images, indices, epoch):
        """Renders images of any sizes into one batch.

        Args:
            images: Sequence of uint8 arrays `(h, w, 3)`.
            indices: Their indices, which choose the augmentation.
            epoch: Epoch, likewise.

        Returns:
            Array `(b, h, w, 3)` in 0..255 units, unless normalised.

        Raises:
            ValueError: If the results differ in size.
        """
        draws = uniforms(self.seed, epoch, indices, _DRAWS)
        batch = None
        for row, image in enumerate(images):
            image = self._geometry(image, draws[row])
            if batch is None:
                batch = np.empty((len(images), *image.shape), np.uint8)
            if image.shape != batch.shape[1:]:
                raise ValueError(
                    "Images of one batch must have one size: give `resize` "
                    "and crops, for example `Preprocess.default(64)`. "
                    f"Received: {batch.shape[1:3]} and {image.shape[:2]} "
                    "(height, width)"
                )
            batch[row] = image
        return self._values(batch, draws)

    def static_shape(self):
        """`(height, width)` of the batches; `None` where it may vary."""
        p = self._preprocess
        crop = p.train_crop if self.training else p.eval_crop
        if crop is not None:
            return crop
        if isinstance(p.resize, tuple):
            return p.resize
        if not getattr(self.source, "uniform", False):
            return (None, None)
        return resize(self.source[0], p.resize).shape[:2]

    def _geometry(self, image, draw):
        """Resize, crop and flip; stays uint8."""
        p = self._preprocess
        image = resize(image, p.resize)
        if not self.training:
            return _crop(image, p.eval_crop)
        where = draw[:2] if p.random_crop else None
        image = _crop(
            image, p.train_crop, where, p.crop_padding, p.padding_mode
        )
        return image[:, ::-1] if self._flip and draw[2] < 0.5 else image

    def _values(self, batch, draws):
        p = self._preprocess
        jitter = self.training and (p.contrast or p.brightness)
        if not jitter and not p.normalize:
            return batch.astype(self.dtype, copy=False)
        batch = batch.astype(np.float32)
        if jitter:
            signed = (2.0 * draws[:, 3:, None, None, None] - 1.0).astype("f4")
            mean = batch.mean(axis=(1, 2, 3), keepdims=True)
            batch = mean + (batch - mean) * (1.0 + p.contrast * signed[:, 0])
            batch += 255.0 * p.brightness * signed[:, 1]
            batch = np.clip(batch, 0.0, 255.0)
        if p.normalize:
            return (batch / np.float32(255.0) - self._mean) / self._std
        if self.dtype == "uint8":
            batch = np.rint(batch)
        return batch.astype(self.dtype, copy=False)


def resize(image, size):
    """Antialiased bilinear resize with Pillow.

    Args:
        image: uint8 array `(h, w, 3)`.
        size: `(height, width)`, or the length of the shorter side; the
            longer side is then rounded down as in torchvision, which the
            published decathlon pipelines use. `None` does nothing.

    Returns:
        uint8 array.
    """
    height, width = image.shape[:2]
    if size is None:
        return image
    if not isinstance(size, tuple):
        short = min(height, width)
        size = (int(size * height / short), int(size * width / short))
    if size == (height, width):
        return image
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(image))
    size = (size[1], size[0])
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR))


def _crop(image, size, where=None, padding=0, mode="reflect"):
    """Cuts `size` out of `image`, at `where` in `[0, 1)` of the free room.

    Without `where`, the centre (rounded down).
    """
    if size is None:
        return image
    room = [
        n + 2 * padding - s for n, s in zip(image.shape, size, strict=False)
    ]
    if min(room) < 0:
        raise ValueError(
            "An image is smaller than the crop: give a `resize` of at least "
            f"{max(size)}. Received: image of {image.shape[:2]}, "
            f"crop={tuple(size)} (height, width)"
        )
    if where is None:
        top, left = room[0] // 2, room[1] // 2
    else:
        top, left = (int(w * (r + 1)) for w, r in zip(where, room, strict=True))
    if not padding:
        return image[top : top + size[0], left : left + size[1]]
    rows = np.arange(top, top + size[0]) - padding
    columns = np.arange(left, left + size[1]) - padding
    inside = image[
        _reflected(rows, image.shape[0])[:, None],
        _reflected(columns, image.shape[1]),
    ]
    if mode == "zero":
        inside[(rows < 0) | (rows >= image.shape[0])] = 0
        inside[:, (columns < 0) | (columns >= image.shape[1])] = 0
    return inside


def _reflected(index, size):
    """Mirrors out-of-range indices at the border, without repeating it."""
    period = max(2 * (size - 1), 1)
    index = np.abs(index) % period
    return np.minimum(index, period - index) if size > 1 else index * 0
