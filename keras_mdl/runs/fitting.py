"""Training and evaluation of one domain's view on `DomainData`."""

import hashlib
import math
import time
from dataclasses import dataclass

import keras
import numpy as np

from keras_mdl.data import Preprocess, SetEpoch, from_arrays, published_pipeline
from keras_mdl.data.sources import image_digest
from keras_mdl.domains import Domain
from keras_mdl.training import balanced_weights, train

_HASHED = 1_000
_EVALUATION_BATCH = 128  # a forward pass takes less memory than a step


@dataclass(frozen=True)
class Fit:
    """A training that has ended.

    Attributes:
        history: One dict per epoch: `epoch` (from 1), `accuracy`, `loss` and,
            with a validation split, `val_accuracy` and `val_loss`.
        seconds: Wall time of the training, graph compilation included.
        best_from: Where the best epoch was kept rather than the last: the
            index of the first one that could be; `None` otherwise.
    """

    history: list
    seconds: float
    best_from: int | None = None

    @property
    def final(self):
        """The epoch whose weights are left: the last, or the (first) best."""
        if self.best_from is not None and "val_accuracy" in self.history[-1]:
            candidates = self.history[self.best_from :]
            return max(candidates, key=lambda e: e["val_accuracy"])
        return self.history[-1]


def batches(
    data, split, size, batch_size=64, training=False, seed=0, dtype="float32",
    preprocess=None, drop_remainder=None,
):  # fmt: skip
    """Batches for the current backend: tf.data, or NumPy without TensorFlow.

    Args:
        data: `DomainData`.
        split: Name of the split.
        size: Side of the square images that the network takes.
        batch_size: Images in a batch.
        training: Whether to shuffle and augment.
        seed: Of order and augmentation.
        dtype: That the network takes.
        preprocess: A `Preprocess`; default `Preprocess.default(size)`.
        drop_remainder: As for `DomainData.batches`.
    """
    make = (
        data.tf_dataset
        if keras.backend.backend() == "tensorflow"
        else data.batches
    )
    return make(
        split,
        batch_size=batch_size,
        preprocess=preprocess or Preprocess.default(size),
        training=training,
        seed=seed,
        dtype=dtype,
        drop_remainder=drop_remainder,
    )


def input_pipeline(view, recipe, domain, size):
    """The input pipeline that a recipe trains a domain with.

    A recipe with `crops` has a published pipeline for the domains of the
    decathlon. It needs a network that takes its sizes: most published
    pipelines train and evaluate at different ones, for networks of open size.

    Args:
        view: The `DomainModel` to train.
        recipe: A `Recipe`.
        domain: Name of the domain.
        size: Side of the images where the published pipeline does not apply.

    Returns:
        `(Preprocess, the published InputPipeline or None, what it is)`.
    """
    ours = getattr(Preprocess, recipe.augment)(size)
    note = f"{size}x{size} pixels, our {recipe.augment}"
    if recipe.crops is None:
        return ours, None, note
    found = published_pipeline(recipe.crops, domain)
    if found is None:
        note += f" (recipe {recipe.name!r} has one for domains of the "
        return ours, None, f"{note}decathlon alone)"
    takes = view.inputs[0].shape[1:3]
    crops = found.preprocess.train_crop, found.preprocess.eval_crop
    if tuple(takes) != (None, None) and crops != (tuple(takes),) * 2:
        return ours, None, (
            f"{note} (the published one, {recipe.crops!r}, trains on "
            f"{_side(crops[0])} and evaluates on {_side(crops[1])} pixels; "
            f"this network takes {_side(takes)})"
        )  # fmt: skip
    return found.preprocess, found, f"the published one, {found.description}"


def _side(crop):
    return "whole images" if crop is None else "x".join(map(str, crop))


def image_size(model, default=None):
    """Side of the square images of a model.

    Args:
        model: A `MultiDomainModel`.
        default: For models that take any size.

    Raises:
        ValueError: If the images are not square, or the size is open.
    """
    height, width = model.get_config()["input_shape"][:2]
    if height is None and width is None and default:
        return default
    if height is None or height != width:
        raise ValueError(
            "Expected a model for square images of a fixed size. "
            f"Received: input_shape=({height}, {width}, 3)"
        )
    return height


def fit(
    view, recipe, data, size, seed=0, callbacks=(), verbose=2,
    preprocess=None, pool=False, say=None, state=None,
):  # fmt: skip
    """Trains a view on the split `train`, validating on `validation`.

    Which input pipeline it is given, and how many steps the training will
    have, are said unless `verbose` is 0.

    Args:
        view: A `DomainModel`.
        recipe: A `Recipe`.
        data: `DomainData`; without a split `validation` nothing is validated.
        size: Side of the images.
        seed: Of order and augmentation.
        callbacks: Further callbacks.
        verbose: As for `keras.Model.fit`.
        preprocess: A `Preprocess` of the user's own; default see
            `input_pipeline`.
        pool: Whether to train on train and validation images together where
            the recipe's publication did. Then nothing is validated.
        say: Function that shows a line of text, whatever `verbose` is.
        state: A `TrainingState`: the training can be interrupted and go on.

    Returns:
        A `Fit`.

    Raises:
        FloatingPointError: If the training has diverged.
        OtherTrainingError: If `state` is of a training on other images, or
            otherwise of another one.
    """
    say = say or (print if verbose else lambda text: None)
    data, training, weights, options = training_batches(
        view, recipe, data, size, seed, preprocess, pool, say
    )
    recipe = recipe.for_images(data.size("train"))
    validation = None
    if has_labels(data, "validation"):
        validation = batches(
            data, "validation", size, _EVALUATION_BATCH, **options
        )
    epochs, steps = recipe.epochs, len(training)
    say(
        f"{recipe.batch_size} images in a step; steps: {epochs} epochs x "
        f"{steps} = {epochs * steps:,}"
    )
    same = None
    if state is not None:
        same = {"images": _digest(data), "seed": seed,
                "input pipeline": str(options["preprocess"])}  # fmt: skip
    start = time.perf_counter()
    history = train(
        view,
        recipe,
        training,
        validation,
        [SetEpoch(training), *callbacks],
        verbose=verbose,
        class_weights=weights,
        state=state,
        same=same,
    ).history
    seconds = time.perf_counter() - start if state is None else state.seconds
    epochs = [
        {"epoch": i + 1, **{k: float(v[i]) for k, v in history.items()}}
        for i in range(len(history["loss"]))
    ]
    if not math.isfinite(epochs[-1]["loss"]):
        if state is not None:
            state.remove()  # it would diverge again
        raise FloatingPointError(
            "The training loss is not finite: the training diverged. Try a "
            f"smaller learning rate than {recipe.learning_rate}"
        )
    before = sum(part.epochs for part in recipe.in_order()[:-1])
    return Fit(epochs, seconds, None if recipe.patience is None else before)


def training_batches(
    view, recipe, data, size, seed=0, preprocess=None, pool=False,
    say=lambda text: None,
):  # fmt: skip
    """What a view is trained on; arguments as for `fit`.

    Returns:
        `(data, batches, class weights or None, options of further batches)`;
        the data are pooled where the recipe's publication did so.
    """
    note, domain, published = "as given", data.domain.name, None
    if preprocess is None:
        preprocess, published, note = input_pipeline(view, recipe, domain, size)
    pools = published is not None and published.pool
    if pools and pool and "validation" in data.splits:
        data = data.pooled()
    elif pools:
        note += " (here validation is kept apart)"
    say(f"input pipeline of {domain}: {note}")
    weights = None
    if recipe.balance:
        counts = np.bincount(
            data.labels("train"), minlength=data.domain.num_classes
        )
        weights = balanced_weights(counts, recipe.balance)
    options = {"dtype": _dtype(view), "preprocess": preprocess}
    training = batches(
        data, "train", size, recipe.batch_size, True, seed, **options,
        drop_remainder=published and published.drop_remainder,
    )  # fmt: skip
    return data, training, weights, options


@dataclass(frozen=True)
class Evaluation:
    """A view's answers on a split, in the order of the data.

    Attributes:
        labels: Integers `(n,)`.
        log_probabilities: `(n, classes)`.
    """

    labels: np.ndarray
    log_probabilities: np.ndarray

    @property
    def loss(self):
        """Mean cross-entropy."""
        chosen = np.arange(len(self.labels)), self.labels
        return float(-self.log_probabilities[chosen].mean())

    @property
    def predicted(self):
        """The most probable classes `(n,)`."""
        return self.log_probabilities.argmax(axis=-1)

    @property
    def accuracy(self):
        """Part of the images that are classified correctly."""
        return float(np.mean(self.labels == self.predicted))


def evaluate(
    view, data, size, split="validation", batch_size=64, preprocess=None
):
    """The answers of a view, or of an `ExportedView`, on one split.

    `preprocess` is as for `batches`.

    Raises:
        ValueError: If the split is unknown or its labels are hidden.
    """
    labels = data.labels(split) if split in data.splits else None
    if labels is None:
        known = [s for s in data.splits if has_labels(data, s)]
        raise ValueError(
            f"Data {data.domain.name!r} has no labelled split {split!r}. "
            f"Labelled splits: {', '.join(known) or 'none'}"
        )
    # `predict` leaves the labels of a batch aside.
    loader = batches(
        data, split, size, batch_size, dtype=_dtype(view), preprocess=preprocess
    )
    return Evaluation(labels, _log_softmax(view.predict(loader, verbose=0)))


def probabilities(view, domain, images, size):
    """Class probabilities `(n, classes)` of images at hand.

    Args:
        view: A `DomainModel`.
        domain: Its `Domain`.
        images: List of uint8 arrays `(h, w, 3)` of any sizes.
        size: Side of the images that the network takes.
    """
    data = from_arrays(domain, {"images": (images, None)})
    # NumPy batches: for a few images a tf.data pipeline only costs time.
    loader = data.batches(
        "images", preprocess=Preprocess.default(size), dtype=_dtype(view)
    )
    return np.exp(_log_softmax(view.predict(loader, verbose=0)))


def fitted_pixels(images, size):
    """Images at hand as a network takes them: uint8 `(n, size, size, 3)`.

    Args:
        images: List of uint8 arrays `(h, w, 3)` of any sizes.
        size: Side of the images that the network takes.
    """
    data = from_arrays(Domain("images", 2), {"images": (images, None)})
    found = data.batches(
        "images", preprocess=Preprocess.default(size), dtype="uint8"
    )
    return np.concatenate([np.asarray(x) for x in found])


def pictures(data, split, indices, side):
    """`{index: uint8 image}` of a labelled split, in the given order.

    Cropped as for a network, `side` pixels large. Works for streamed splits
    too: the whole split is read once.
    """
    found, start = {}, 0
    for batch, _ in batches(data, split, side, dtype="uint8"):
        for i in indices:
            if start <= i < start + len(batch):
                found[int(i)] = np.asarray(batch[i - start])
        start += len(batch)
    return {int(i): found[int(i)] for i in indices}


def _digest(data):
    """What images are trained on: all labels, and up to 1,000 of each split.

    Images that are streamed count by their labels alone.
    """
    found = hashlib.sha256(repr(data.domain).encode())
    for split in data.splits:
        source, labels = data.parts[split][0], data.labels(split)
        found.update(f"{split} {len(source)}\n".encode())
        if labels is not None:
            found.update(np.ascontiguousarray(labels))
        if hasattr(source, "__getitem__"):
            for i in range(0, len(source), -(-len(source) // _HASHED)):
                found.update(image_digest(source, i))
    return found.hexdigest()[:16]


def has_labels(data, split):
    """Whether the data have the split, with labels."""
    return split in data.splits and data.labels(split) is not None


def _log_softmax(logits):
    logits = np.asarray(logits, np.float64)
    logits -= logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def _dtype(view):
    return keras.backend.standardize_dtype(view.inputs[0].dtype)
