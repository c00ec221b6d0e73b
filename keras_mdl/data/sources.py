"""Where the pixels of a split come from, by index."""

import numpy as np

from keras_mdl.data.pixels import (
    rgb_from_array,
    rgb_from_arrays,
    rgb_from_file,
)


class ArraySource:
    """Images in memory: a stack `(n, h, w, 3)` or a list of any sizes."""

    lazy = False

    def __init__(self, images):
        self._images = images

    @classmethod
    def from_any(cls, images, what):
        """Validates and converts; see `rgb_from_array` for the rules."""
        if isinstance(images, (list, tuple)):
            images = [
                rgb_from_array(image, f"Image {i} of {what}")
                for i, image in enumerate(images)
            ]
            if not images:
                raise ValueError(f"{what} has no images. Received: 0 images")
            return cls.from_rgb(images)
        return cls(rgb_from_arrays(images, f"Images of {what}"))

    @classmethod
    def from_rgb(cls, images):
        """A list of uint8 RGB images, stacked if they have one size."""
        if len({image.shape for image in images}) == 1:
            return cls(np.stack(images))
        return cls(list(images))

    def __len__(self):
        return len(self._images)

    def __getitem__(self, index):
        return self._images[index]

    @property
    def uniform(self):
        """Whether all images have one size."""
        return isinstance(self._images, np.ndarray)

    def describe(self):
        """One phrase for `repr`."""
        if not self.uniform:
            return "in memory, list of images"
        return "in memory, {}x{} pixels".format(*self._images.shape[1:3])


class FileSource:
    """Images in files, decoded each time they are asked for."""

    lazy = True

    def __init__(self, paths):
        self._paths = tuple(paths)

    def __len__(self):
        return len(self._paths)

    def __getitem__(self, index):
        return rgb_from_file(self._paths[index])

    def describe(self):
        """One phrase for `repr`."""
        return "decoded from files"
