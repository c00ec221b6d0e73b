"""One training of a comparison, from a view to its row."""

import gc
import hashlib
import math

import keras

from keras_mdl.models.cost import changed_copies, domain_cost
from keras_mdl.runs import fitting
from keras_mdl.runs.compare.rows import BASE
from keras_mdl.runs.environment import describe_environment
from keras_mdl.runs.isolation import IsolationError, IsolationTable
from keras_mdl.runs.networks import build_network
from keras_mdl.training import get_method, get_recipe

_ENVIRONMENT = ("keras_mdl", "python", "keras", "backend", "tensorflow",
                "jax", "platform", "cpu", "cpu_cores",
                "accelerators")  # fmt: skip


def train_base(settings, seed, data=None, verbose=0):
    """Trunk and first slot, on the base domain.

    Args:
        settings: `CompareSettings`.
        seed: Of weights, order and augmentation.
        data: `DomainData` of the base, if it is loaded already.
        verbose: As for `keras.Model.fit`.

    Returns:
        `(model, row)`: the `MultiDomainModel`, and its row of `rows.csv`.
    """
    data = data or settings.base.load(settings.folder, settings.size)
    require_splits(data)
    keras.utils.set_random_seed(seed)
    recipe = base_recipe(settings)
    model = build_network(
        settings.network,
        [data.domain],
        settings.size,
        settings.width,
        recipe.dropout(data.domain.name),
    )
    view = model.for_domain(data.domain.name, phase="base")
    done = fitting.fit(view, recipe, data, settings.size, seed, verbose=verbose)
    # Nobody was there to be disturbed.
    row = _row(seed, data, BASE, done, view, "", digest_of(model))
    return model, row


def run_method(settings, seed, base, data, method, verbose=0):
    """One domain by one method, from the base.

    Args:
        settings: `CompareSettings`.
        seed: Of weights, order and augmentation.
        base: The trained `MultiDomainModel`; it stays as it is.
        data: `DomainData` of the domain.
        method: Name of the method.
        verbose: As for `keras.Model.fit`.

    Returns:
        The row of `rows.csv`, a dict.

    Raises:
        IsolationError: If the base, or the trunk or another domain in the
            wider model, is not bit-identical after the training; or a part
            of the slot that counts as the base's.
        ValueError: For data without images or labels to train on or to
            evaluate with.
    """
    require_splits(data)
    keras.utils.set_random_seed(seed)
    method, name = get_method(method), data.domain.name
    recipe = domain_recipe(settings, method, data.size("train"))
    isolation = IsolationTable()
    isolation.record("base", base.fingerprint())
    model, view = method.start(base, data.domain, recipe.dropout(name))
    done = fitting.fit(view, recipe, data, settings.size, seed, verbose=verbose)
    what = f"{name} by {method.name}"
    if not method.alone:
        wider = IsolationTable()
        wider.record("base", isolation.rows[0].digests)
        wider.record(what, model.fingerprint())
    isolation.record(f"{what}, beside it", base.fingerprint())
    changed = changed_copies(view, base)
    if changed:
        raise IsolationError(
            f"After {what} these parts count as the base's and are not: "
            f"{', '.join(changed)}"
        )
    row = _row(seed, data, method.name, done, view, True, digest_of(base))
    del model, view
    gc.collect()  # a graph of each method would fill the memory
    return row


def base_recipe(settings):
    """The `Recipe` of the base."""
    recipe = _for_epochs(
        get_recipe(settings.base_recipe), settings.base_epochs
    ).replace(phase="base")
    if settings.batch_size is not None:
        recipe = recipe.replace(batch_size=settings.batch_size)
    return recipe


def domain_recipe(settings, method, train_images):
    """The `Recipe` of one method on a domain.

    Args:
        settings: `CompareSettings`.
        method: A `Method`.
        train_images: Training images of the domain: with `settings.images`
            they set the epochs.
    """
    changes = dict(settings.overrides.get(method.name, {}))
    epochs = changes.pop("epochs", settings.epochs)
    if epochs is None:
        epochs = max(1, round(settings.images / train_images))
    if settings.batch_size is not None:
        changes.setdefault("batch_size", settings.batch_size)
    if "weight_decay" in changes:
        # Given by hand it holds for every domain.
        changes["decays"] = {}
    if changes.get("cosine"):
        changes["drops"] = ()
    recipe = _for_epochs(get_recipe(settings.recipe), epochs)
    return recipe.replace(phase=method.phase, **changes)


def _for_epochs(recipe, epochs):
    # Drops keep their place in the course of the training.
    scale = epochs / recipe.epochs
    drops = sorted({max(1, round(d * scale)) for d in recipe.drops})
    return recipe.replace(epochs=epochs, drops=tuple(drops))


def digest_of(model):
    """One short digest of a whole model: which base a row started from."""
    parts = sorted(model.fingerprint().items())
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def require_splits(data):
    """Refuses data without labelled images to train on or to evaluate with.

    Raises:
        ValueError: If there are none.
    """
    for split in ("train", "validation"):
        if not fitting.has_labels(data, split):
            raise ValueError(
                f"A comparison needs a split {split!r} with labels; "
                f"{data.domain.name!r} has {', '.join(map(repr, data.splits))}"
            )


def _row(seed, data, method, done, view, identical, base_digest):
    cost, found = domain_cost(view), describe_environment()
    accuracy = done.final["val_accuracy"]
    if not math.isfinite(accuracy):
        raise FloatingPointError("The validation accuracy is not a number")
    epochs = len(done.history)
    return {
        "seed": seed,
        "domain": data.domain.name,
        "method": method,
        "accuracy": round(accuracy, 6),
        "classes": data.domain.num_classes,
        "train_images": data.size("train"),
        "validation_images": data.size("validation"),
        "epochs": epochs,
        "images_seen": epochs * data.size("train"),
        "seconds": round(done.seconds, 2),
        "numbers": cost.numbers,
        "numbers_with_head": cost.numbers_with_head,
        "bytes": cost.bytes,
        "bytes_with_head": cost.bytes_with_head,
        "statistics_bytes": cost.statistics_bytes,
        "stored_bytes": cost.stored_bytes,
        "shared": cost.shared,
        "macs": cost.macs,
        "macs_folded": cost.macs_folded,
        "others_bit_identical": identical,
        "base_sha256": base_digest,
        **{key: found.get(key, "") for key in _ENVIRONMENT},
    }
