"""Where the pixels of a split come from, by index.

A source is a sequence of uint8 RGB images; `uniform` says whether they have
one size.
"""

import hashlib

import numpy as np

from keras_mdl.data.pixels import (
    rgb_from_array,
    rgb_from_arrays,
    rgb_from_file,
)


class ArraySource:
    """Images in memory: a stack `(n, h, w, 3)` or a list of any sizes."""

    def __init__(self, images, names=None):
        self._images = images
        self._names = names
        self.uniform = len({image.shape for image in images}) == 1

    @classmethod
    def from_any(cls, images, what):
        """Validates and converts; see `rgb_from_array` for the rules."""
        if not isinstance(images, (list, tuple)):
            return cls(rgb_from_arrays(images, f"Images of {what}"))
        if not images:
            raise ValueError(f"{what} has no images. Received: 0 images")
        return cls(
            [
                rgb_from_array(image, f"Image {i} of {what}")
                for i, image in enumerate(images)
            ]
        )

    def __len__(self):
        return len(self._images)

    def __getitem__(self, index):
        return self._images[index]

    def name(self, index):
        """What an image is called in messages: its file, or its number."""
        return str(self._names[index]) if self._names else f"image {index}"

    def joined(self, other):
        """Both sources' images, without a copy."""
        return ArraySource([*self._images, *other])

    def describe(self):
        """One phrase for `repr`."""
        if not self.uniform:
            return "in memory, list of images"
        return "in memory, {}x{} pixels".format(*self._images[0].shape[:2])


class FileSource:
    """Images in files, decoded each time they are asked for."""

    uniform = False

    def __init__(self, paths):
        self._paths = tuple(paths)

    def __len__(self):
        return len(self._paths)

    def __getitem__(self, index):
        return rgb_from_file(self._paths[index])

    def name(self, index):
        """The path of an image."""
        return str(self._paths[index])

    def digest(self, index):
        """Hash of a file's bytes: nothing has to be decoded for it."""
        with open(self._paths[index], "rb") as f:
            return hashlib.file_digest(f, "sha256").digest()

    def joined(self, other):
        """Both sources' files."""
        return FileSource(self._paths + other._paths)

    def describe(self):
        """One phrase for `repr`."""
        return "decoded from files"


def image_digest(source, index):
    """Hash of a picture, or of its file where it is decoded when needed."""
    if hasattr(source, "digest"):
        return source.digest(index)
    image = np.ascontiguousarray(source[index])
    found = hashlib.blake2b(str(image.shape).encode(), digest_size=16)
    found.update(image)
    return found.digest()
