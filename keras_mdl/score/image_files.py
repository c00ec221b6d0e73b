"""The challenge's image files, each with its name."""

from pathlib import Path


class ImageFiles:
    """The challenge's image files, in the order of the annotations.

    Args:
        annotations: `Annotations` of the split.
        root: Folder with `KEY/test/000001.jpg` (or `data/KEY/...`), as the
            challenge's archives unpack.

    Raises:
        FileNotFoundError: If a file is missing; before anything is decoded.
    """

    def __init__(self, annotations, root):
        self._paths = {}
        absent = []
        for name in annotations.images:
            found = next(
                (
                    p
                    for p in (Path(root, name), Path(root, "data", name))
                    if p.is_file()
                ),
                None,
            )
            self._paths[name] = found
            if found is None:
                absent.append(name)
        if absent:
            raise FileNotFoundError(
                f"Domain {annotations.key!r} has {len(self._paths)} images in "
                f"{annotations.path}. Missing below {str(root)!r}: "
                f"{len(absent)}, the first {absent[0]}"
            )

    def __len__(self):
        return len(self._paths)

    def __iter__(self):
        """Yields `(name, uint8 array (h, w, 3))`.

        Raises:
            ValueError: For a file that is no image; names it.
        """
        # Here, because scoring alone needs no Keras.
        from keras_mdl.data.pixels import rgb_from_file

        for name, path in self._paths.items():
            try:
                yield name, rgb_from_file(path)
            except (OSError, ValueError, SyntaxError, EOFError) as error:
                raise ValueError(
                    f"Cannot read the image {path}: {error}"
                ) from error
