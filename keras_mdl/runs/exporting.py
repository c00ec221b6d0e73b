"""Exports with the images that calibrate and verify taken from data."""

import importlib.util

import numpy as np

from keras_mdl.data import Preprocess
from keras_mdl.runs.fitting import batches, has_labels

_NEEDED = ("ai_edge_litert", "zstandard", "flatbuffers")


def export_with_data(
    model, data, folder, size, calibration_images=1000, verify_images=1000,
    **options,
):  # fmt: skip
    """`keras_mdl_export.export`, calibrated and verified on data at hand.

    Calibration images come from the split `train`, those to verify with from
    `validation`; they are spread evenly over a split, resized and cropped as
    in evaluation. Where images are larger than the network's, they verify a
    second time, shrunk without antialiasing as many apps do it.

    Args:
        model: A `MultiDomainModel`.
        data: `{domain: DomainData}`.
        folder: Where to write.
        size: Side of the images that the network takes.
        calibration_images: How many of each domain, for mode `int8` and for
            `private_bits="auto"`.
        verify_images: How many at most of each domain.
        **options: Of `keras_mdl_export.export`.

    Returns:
        The `ExportReport`.

    Raises:
        ValueError: If the data lack a split; and as `export`.
        RuntimeError: If the extra `export` is not installed.
    """
    require_export()
    from keras_mdl_export import export

    calibration, validation, plain = {}, {}, {}
    for name, domain_data in data.items():
        for split in ("train", "validation"):
            if not has_labels(domain_data, split):
                raise ValueError(
                    f"An export needs the splits 'train' and 'validation' "
                    f"with labels; {name!r} has "
                    f"{', '.join(map(repr, domain_data.splits))}"
                )
        if options.get("mode") == "int8" or (
            options.get("private_bits", "auto") == "auto"
        ):
            calibration[name] = evenly_spread(
                domain_data, "train", size, calibration_images
            )
        validation[name] = evenly_spread(
            domain_data, "validation", size, verify_images
        )
        images, _ = evenly_spread(
            domain_data, "validation", size, verify_images, antialias=False
        )
        # They are equal where nothing shrinks.
        if not np.array_equal(images, validation[name][0]):
            plain[name] = images
    return export(
        model,
        folder,
        calibration=calibration,
        validation=validation,
        plain=plain,
        **options,
    )


def evenly_spread(data, split, size, limit, antialias=True):
    """At most `limit` images of a split and their labels.

    Args:
        data: `DomainData`.
        split: Name of the split.
        size: Side of the images that the network takes.
        limit: How many at most.
        antialias: How images are shrunk; see `keras_mdl.data.Preprocess`.

    Returns:
        `(images, labels)`: uint8 `(n, size, size, 3)` and int32 `(n,)`.
    """
    labels = np.asarray(data.labels(split))
    # Of sorted classes the first images would all be of one class.
    order = np.argsort(labels, kind="stable")
    spread = np.linspace(0, len(order) - 1, min(limit, len(order)))
    chosen = np.sort(order[spread.round().astype(int)])
    # Batch by batch: a whole split need not fit into the memory.
    images, start = [], 0
    how = Preprocess.default(size, antialias=antialias)
    for batch, _ in batches(data, split, size, dtype="uint8", preprocess=how):
        inside = chosen[(chosen >= start) & (chosen < start + len(batch))]
        images.append(np.asarray(batch)[inside - start])
        start += len(batch)
    return np.concatenate(images), labels[chosen]


class ExportedView:
    """A domain of an export, where `fitting.evaluate` takes a view.

    Args:
        classifier: A `keras_mdl_export` `Classifier`.
        probabilities: Whether its scores are probabilities, else logits.
    """

    def __init__(self, classifier, probabilities):
        self.inputs = [np.empty(0, classifier.input_dtype)]
        self._classifier = classifier
        self._probabilities = probabilities

    def predict(self, batches, verbose=0):
        """Logits `(n, classes)` of batches of images and labels."""
        scores = np.concatenate(
            [self._classifier(np.asarray(images)) for images, _ in batches]
        )
        if not self._probabilities:
            return scores
        # Softmax takes logarithms of probabilities back to them.
        return np.log(np.maximum(scores, np.finfo("float32").tiny))


def open_export(folder):
    """`{domain: ExportedView}` of an export folder.

    Raises:
        RuntimeError: If the extra `export` is not installed.
        FileNotFoundError, ValueError: As `keras_mdl_export.load`.
    """
    require_export()
    from keras_mdl_export import Manifest, load

    output = Manifest.read(folder).values["output"]
    return {
        name: ExportedView(classifier, output == "probabilities")
        for name, classifier in load(folder).items()
    }


def require_export():
    """Refuses to start without the extra `export`.

    Raises:
        RuntimeError: Naming what to install.
    """
    missing = [n for n in _NEEDED if importlib.util.find_spec(n) is None]
    if missing:
        raise RuntimeError(
            f"Exporting needs {', '.join(missing)}: "
            "pip install 'keras-mdl[export]'"
        )
