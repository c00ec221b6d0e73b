"""`Classifier`: images of one domain in, scores of its classes out."""

import threading

import numpy as np

_RANGE = (0, 255)


class Classifier:
    """One domain's network. `load` makes it.

    The file is read, checked and given to LiteRT at the first image: domains
    that are not used cost no memory.

    Args:
        name: The domain.
        classes: Its class names, in the order of the scores.
        input_shape: `(1, height, width, 3)`.
        input_dtype: `"uint8"` or `"float32"`; the pixels are 0..255 in both.
        open_runner: Function without arguments that returns a function from
            one image `(1, height, width, 3)` to the scores `(classes,)`.
        lock: Held while it runs. Domains of one interpreter share theirs.
    """

    def __init__(
        self, name, classes, input_shape, input_dtype, open_runner, lock=None
    ):
        self.name = name
        self.classes = tuple(classes)
        self.input_shape = tuple(input_shape)
        self.input_dtype = input_dtype
        self._open_runner = open_runner
        self._runner = None
        self._lock = lock or threading.Lock()

    def __repr__(self):
        return (
            f"<Classifier {self.name!r}: {len(self.classes)} classes, "
            f"input {self.input_shape} {self.input_dtype}>"
        )

    def __call__(self, images):
        """The scores of images.

        Args:
            images: `(n, height, width, 3)` or one `(height, width, 3)`, with
                pixels 0..255. uint8 always; other numbers if they lie in the
                range and, for a uint8 network, are integral.

        Returns:
            float32 array `(n, classes)`.

        Raises:
            ValueError: If the images have another size, or their pixels are
                not what the network expects; at the first call also if the
                file is damaged.
            FileNotFoundError: At the first call, if it is missing.
        """
        images = self._checked(images)
        scores = np.empty((len(images), len(self.classes)), np.float32)
        with self._lock:
            if self._runner is None:
                self._runner = self._open_runner()
            for i in range(len(images)):
                scores[i] = self._runner(images[i : i + 1])
        return scores

    def top(self, image, k=5):
        """The classes with the highest scores.

        Args:
            image: One image, `(height, width, 3)`.
            k: How many classes; all, if there are fewer.

        Returns:
            List of `(class name, score)`, the highest first.

        Raises:
            ValueError: If it is more than one image, or `k` is below 1.
        """
        if isinstance(k, bool) or not hasattr(k, "__index__") or k < 1:
            raise ValueError(
                f"`k` must be an integer of at least 1. Received: k={k!r}"
            )
        scores = self(image)
        if len(scores) != 1:
            raise ValueError(
                f"`top` expects one image. Received: {len(scores)} images"
            )
        best = np.argsort(-scores[0], kind="stable")[:k]
        return [(self.classes[i], float(scores[0, i])) for i in best]

    def _checked(self, images):
        images = np.asarray(images)
        if images.ndim == 3:
            images = images[None]
        if images.ndim != 4 or images.shape[1:] != self.input_shape[1:]:
            height, width, channels = self.input_shape[1:]
            raise ValueError(
                f"Domain {self.name!r} expects images of shape (n, {height}, "
                f"{width}, {channels}) or ({height}, {width}, {channels}). "
                f"Received: shape {images.shape}"
            )
        if images.dtype == np.uint8:
            return np.ascontiguousarray(images, self.input_dtype)
        if images.dtype.kind not in "iuf":
            raise ValueError(
                f"Domain {self.name!r} expects numbers. "
                f"Received: dtype {images.dtype}"
            )
        low, high = _RANGE
        # NaN compares as false and is refused too.
        inside = images.size == 0 or (
            images.min() >= low and images.max() <= high
        )
        if not inside:
            raise ValueError(
                f"Domain {self.name!r} expects pixels from {low} to {high}. "
                f"Received: {images.min()} to {images.max()}"
            )
        result = np.ascontiguousarray(images, self.input_dtype)
        if self.input_dtype == "uint8" and (result != images).any():
            raise ValueError(
                f"Domain {self.name!r} has a uint8 input: its pixels are the "
                f"integers {low} to {high} (multiply by {high} if yours are 0 "
                "to 1, then round and convert with `.astype('uint8')`). "
                f"Received: dtype {images.dtype} with fractions"
            )
        return result
