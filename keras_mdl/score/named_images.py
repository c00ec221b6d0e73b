"""Images of a decathlon split, each with its name: from files, from TFDS.

A submission joins images and ids by name, so the name has to come from the
same reading as the pixels. TensorFlow Datasets and `keras_mdl.data` are
imported where they are used: scoring alone needs neither.
"""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_mdl.score.annotations import Annotations
from keras_mdl.score.reference import key_of

TFDS_NAME = "visual_domain_decathlon"


class ImageFiles:
    """The challenge's image files, in the order of the annotations.

    Args:
        annotations: `Annotations` of the split.
        root: Folder with `KEY/test/000001.jpg` (or `data/KEY/...`), as the
            challenge's archives unpack.

    Raises:
        FileNotFoundError: If a file is missing; before anything is decoded.
    """

    def __init__(self, annotations: Annotations, root: str | os.PathLike):
        self._paths = {}
        for name in annotations.images:
            path = Path(root, name)
            self._paths[name] = (
                path if path.is_file() else Path(root, "data", name)
            )
        absent = [n for n, p in self._paths.items() if not p.is_file()]
        if absent:
            raise FileNotFoundError(
                f"Domain {annotations.key!r} has {len(self._paths)} images in "
                f"{annotations.path}. Missing below {str(root)!r}: "
                f"{len(absent)}, the first {absent[0]}"
            )

    def __len__(self):
        return len(self._paths)

    def __iter__(self) -> Iterator[tuple]:
        """Yields `(name, uint8 array (h, w, 3))`.

        Raises:
            ValueError: For a file that is no image; names it.
        """
        from keras_mdl.data.pixels import rgb_from_file

        for name, path in self._paths.items():
            try:
                yield name, rgb_from_file(path)
            except (OSError, ValueError, SyntaxError, EOFError) as error:
                raise ValueError(
                    f"Cannot read the image {path}: {error}"
                ) from error


class TfdsImages:
    """A split of the TFDS data set `visual_domain_decathlon`.

    TFDS stores no ids and shuffles the images, but each has its file name.

    Args:
        builder: A prepared `tfds.core.DatasetBuilder`.
        split: Name of the split.

    Raises:
        ValueError: If it is another data set or has no such split.
    """

    def __init__(self, builder: Any, split: str):
        if builder.name != TFDS_NAME:
            raise ValueError(
                f"Expected the TFDS data set {TFDS_NAME!r}, which names its "
                f"images. Received: {builder.name!r}"
            )
        if split not in builder.info.splits:
            raise ValueError(
                f"{builder.info.full_name} has splits "
                f"{', '.join(builder.info.splits)}. Received: split={split!r}"
            )
        self.key = builder.builder_config.name
        self._builder = builder
        self._split = split

    @classmethod
    def from_key(
        cls, key: str, split: str, data_dir: str | os.PathLike | None = None
    ) -> "TfdsImages":
        """The prepared TFDS data of one domain.

        Args:
            key: A domain of the decathlon, by key or short name.
            split: Name of the split.
            data_dir: Folder of prepared data; by default that of TFDS.

        Raises:
            FileNotFoundError: If the data are not prepared.
        """
        import tensorflow_datasets as tfds

        name = f"{TFDS_NAME}/{key_of(key)}"
        builder = tfds.builder(name, data_dir=data_dir)
        if not Path(builder.data_dir).is_dir():
            raise FileNotFoundError(
                f"TFDS data set {name!r} is not prepared in "
                f"{builder.data_dir}. Give the folder that holds it "
                "(data_dir, --data-dir), or the image files (--images). "
                f"Received: data_dir={data_dir!r}"
            )
        return cls(builder, split)

    @classmethod
    def from_folder(cls, path: str | os.PathLike, split: str) -> "TfdsImages":
        """A prepared TFDS folder of one domain.

        Raises:
            FileNotFoundError: If `path` holds no prepared data set.
        """
        import tensorflow_datasets as tfds

        from keras_mdl.data.tfds_reader import find_directory

        folder = find_directory(path)
        if folder is None:
            raise FileNotFoundError(
                "Expected decathlon:KEY or a prepared TFDS folder of "
                f"{TFDS_NAME!r}. Received: {str(path)!r}"
            )
        return cls(tfds.builder_from_directory(str(folder)), split)

    def __len__(self):
        return self._builder.info.splits[self._split].num_examples

    def __iter__(self) -> Iterator[tuple]:
        """Yields `(name, uint8 array (h, w, 3))`, each image once."""
        import tensorflow_datasets as tfds

        from keras_mdl.data.pixels import rgb_from_array, rgb_from_file

        file_format = getattr(self._builder.info.file_format, "value", "")
        # The same decoders as in training: two of them round differently.
        if file_format == "array_record":
            examples = self._builder.as_data_source(
                split=self._split,
                decoders={"image": tfds.decode.SkipDecoding()},
            )
        else:
            examples = tfds.as_numpy(
                self._builder.as_dataset(
                    split=self._split,
                    read_config=tfds.ReadConfig(try_autocache=False),
                )
            )
        for example in examples:
            name, image = example["name"], example["image"]
            if isinstance(name, bytes):
                name = name.decode()
            if isinstance(image, bytes):
                yield name, rgb_from_file(io.BytesIO(image))
            else:
                yield name, rgb_from_array(image)
