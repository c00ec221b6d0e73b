"""The trainings of a comparison: what its jobs do, in a worker."""

import functools
import gc
import hashlib
import json
import math
import pathlib

import keras

from keras_mdl.files import remove_leftovers
from keras_mdl.models import load_model
from keras_mdl.models.cost import changed_copies, domain_cost
from keras_mdl.runs import fitting
from keras_mdl.runs.compare.rows import BASE
from keras_mdl.runs.data_entry import (
    DataEntry,
    require_splits,
    without_validation,
)
from keras_mdl.runs.engine import RESULTS
from keras_mdl.runs.environment import describe_environment
from keras_mdl.runs.isolation import IsolationError, IsolationTable
from keras_mdl.runs.networks import build_network
from keras_mdl.runs.pretrained import open_pretrained
from keras_mdl.runs.records import ENVIRONMENT
from keras_mdl.runs.saving import save_checked
from keras_mdl.runs.soft_sharing import share
from keras_mdl.training import Recipe, get_method


def base_path(folder, name):
    """Where the model of a base's job is kept."""
    return pathlib.Path(folder, "bases", f"{name}.keras")


def slot_path(folder, name):
    """Where the slot that a job has trained is kept."""
    return pathlib.Path(folder, "slots", f"{name}.safetensors")


def trained_model(settings, folder, seed):
    """The base of a seed with all domains that share its trunk: what a
    comparison has trained by `pointwise_sharing`, as one model."""
    model = load_model(
        base_path(folder, f"s{seed}-{settings.base.name}-{BASE}")
    )
    for entry in settings.domains:
        name = f"s{seed}-{entry.name}-pointwise_sharing"
        model = model.load_domain(slot_path(folder, name))
    return model


def train_base(job, folder):
    """Trunk and first slot, on the base domain.

    Args:
        job: A `Job` of `keras_mdl.runs.compare.plan`.
        folder: The comparison's folder; the model is saved in it.

    Returns:
        The row of `rows.csv`, a dict.
    """
    values = job.values
    data = data_of(job, values["size"])
    keras.utils.set_random_seed(values["seed"])
    recipe = recipe_of(job, data)
    name = data.domain.name
    model = build_network(
        values["network"],
        [data.domain],
        values["size"],
        values["width"],
        recipe.dropout(name),
    )
    view = model.for_domain(name, phase="base")
    done = _fit(job, folder, view, recipe, data, values["size"])
    path = _ready(base_path(folder, job.name))
    isolation = IsolationTable()
    isolation.record("trained", model.fingerprint())
    save_checked(model, path, isolation)
    # Nobody was there to be disturbed.
    return _row(job, data, view, done, "", digest_of(model))


def open_base(job, folder):
    """Trunk and first slot of a pretrained network.

    Returns:
        The row of `rows.csv`, without an accuracy.
    """
    values = job.values
    model = open_pretrained(values["network"], values["size"])
    path = _ready(base_path(folder, job.name))
    isolation = IsolationTable()
    isolation.record("opened", model.fingerprint())
    save_checked(model, path, isolation)
    return {
        "seed": values["seed"],
        "domain": values["domain"],
        "method": BASE,
        "accuracy": "",
        "others_bit_identical": "",
        "base_sha256": digest_of(model),
    }


def train_method(job, folder):
    """One domain by one method, from the base.

    Args:
        job: A `Job` of `keras_mdl.runs.compare.plan`.
        folder: The comparison's folder, with the base in it; what a method
            that shares the trunk has trained is saved in it.

    Returns:
        The row of `rows.csv`, a dict.

    Raises:
        IsolationError: If the base, or the trunk or another domain in the
            wider model, is not bit-identical after the training; or a part
            of the slot that counts as the base's.
        ValueError: For data without images or labels to train on or to
            evaluate with, or a base that is not that of its result.
    """
    base, digest, data, size = _inputs(job, folder)
    options, seed = job.values.get("options", {}), job.values["seed"]
    method, name = get_method(job.values["method"]), data.domain.name
    recipe = recipe_of(job, data)
    keras.utils.set_random_seed(seed)
    isolation = _Beside(base)
    model, _ = method.start(
        base,
        data.domain,
        recipe.dropout(name),
        depthwise=options.get("depthwise"),
    )
    if options.get("zero_adapters"):
        _zero_adapters(model, name)
    view = model.for_domain(name, phase=recipe.phase)
    done = _fit(job, folder, view, recipe, data, size)
    isolation.check(name, None if method.alone else model)
    changed = changed_copies(view, base)
    if changed:
        raise IsolationError(
            f"After {job.name} these parts count as the base's and are not: "
            f"{', '.join(changed)}"
        )
    if not method.alone:
        model.save_domain(name, _ready(slot_path(folder, job.name)))
    return _row(job, data, view, done, True, digest)


def train_gates(job, folder):
    """Gates in one domain, between the slots of all, or for comparison none.

    Args:
        job: A `Job` of `keras_mdl.runs.compare.plan`.
        folder: The comparison's folder, with the base and all slots in it.

    Returns:
        The row of `rows.csv`, with further columns: the accuracy of the slot
        as it was and with its gates folded, and how much the gates vary. The
        costs are those of the folded slot.
    """
    base, digest, data, size = _inputs(job, folder)
    options, seed = job.values["options"], job.values["seed"]
    name, recipe, model = data.domain.name, recipe_of(job, data), base
    for slot in job.where["slots"]:
        model = model.load_domain(slot_path(folder, slot))
    isolation = _Beside(model)
    found = {}
    if options["gates"] == "none":
        found["hard"] = fitting.evaluate(model[name], data, size).accuracy
        keras.utils.set_random_seed(seed)
        after = folded = model.folded([])  # a copy
        view = after.for_domain(name, phase=recipe.phase)
        done = _fit(job, folder, view, recipe, data, size)
    else:
        shared = share(
            model, data, recipe, size, options["gates"],
            own_weight=options.get("own_weight"), seed=seed,
        )  # fmt: skip
        after, folded, done = shared.gated, shared.collapsed, shared.fit
        found = {**shared.accuracy, "variation": shared.variation}
    isolation.check(name, after)
    return {
        **_row(job, data, folded.for_domain(name), done, True, digest),
        "accuracy_hard": round(found["hard"], 6),
        "accuracy_folded": found.get("collapsed", ""),
        "variation": found.get("variation", ""),
    }


def data_of(job, size):
    """The `DomainData` of a job, as they were when it was planned.

    Raises:
        ValueError: If the images are others now, or there are none with
            labels to train on or to evaluate with.
    """
    where = job.where
    entry = DataEntry.of(where["data"])
    entry.require_digest(where["folder"], job.values["data"])
    key = json.dumps([where["data"], job.values["data"]])
    data = _loaded(key, where["folder"], size)
    require_splits(data)
    if "hold_out" in job.values:
        return without_validation(data, job.values["hold_out"])
    return data


def recipe_of(job, data):
    """The `Recipe` of a job, for as many epochs as it has.

    With `images` they depend on how many images there are. Drops keep their
    place in the course of the training. The last epoch counts, not the best:
    what chooses an epoch cannot measure it.
    """
    values = job.values
    recipe = Recipe(
        "",
        note="",
        **{
            **values["recipe"],
            "drops": tuple(values["recipe"]["drops"]),
            "patience": None,
        },
    )
    epochs = values.get("epochs")
    if epochs is None:
        epochs = max(1, round(values["images"] / data.size("train")))
    return at_length(recipe, epochs)


def at_length(recipe, epochs):
    """The recipe with another number of epochs."""
    scale = epochs / recipe.epochs
    drops = sorted({max(1, round(d * scale)) for d in recipe.drops})
    return recipe.replace(epochs=epochs, drops=tuple(drops), least_steps=0)


def digest_of(model):
    """One short digest of a whole model: which base a row started from."""
    parts = sorted(model.fingerprint().items())
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


class _Beside:
    """That a training leaves all that was there before as it was."""

    def __init__(self, model):
        self._model, self._before = model, model.fingerprint()

    def check(self, domain, after=None):
        """Of the model before, and of the one that has grown out of it."""
        own = [f"domains/{domain}"]
        for model, trained in ((after, own), (self._model, ())):
            if model is not None:
                table = IsolationTable()
                table.record("before", self._before)
                try:
                    table.record(
                        f"{domain} trained", model.fingerprint(), trained
                    )
                except IsolationError:
                    _base.cache_clear()  # it may be damaged
                    raise


def _inputs(job, folder):
    """`(base, its digest, data, size)`; none of it is changed by a job."""
    where = job.where
    stored = f"{where['base']}-{job.values['trunk']}.json"
    found = json.loads(pathlib.Path(folder, RESULTS, stored).read_text())
    found = found["result"]
    base = _base(base_path(folder, where["base"]), found["base_sha256"])
    data = data_of(job, where["size"])
    return base, found["base_sha256"], data, where["size"]


# A worker's jobs follow each other on the same images, from the same base.
@functools.lru_cache(maxsize=1)
def _base(path, expected):
    base = load_model(path)
    if digest_of(base) != expected:
        raise ValueError(
            f"{path} is not the base that the rows of its seed started from. "
            f"Expected: {expected}, received: {digest_of(base)}"
        )
    return base


@functools.lru_cache(maxsize=1)
def _loaded(key, folder, size):
    return DataEntry.of(json.loads(key)[0]).load(folder, size)


def _zero_adapters(model, name):
    kernels = [
        v
        for path, v in model.variables_by_path(name).items()
        if path.endswith("/adapter/kernel")
    ]
    if not kernels:
        raise ValueError("Only residual adapters can start from zero")
    for kernel in kernels:
        kernel.assign(0 * kernel)


def _ready(path):
    """The path, to be written by nobody else than this job."""
    path.parent.mkdir(exist_ok=True)
    remove_leftovers(path)
    return path


def _fit(job, folder, view, recipe, data, size):
    callbacks = []
    if job.where.get("tensorboard"):
        logs = pathlib.Path(folder, "tensorboard", job.name)
        callbacks = [keras.callbacks.TensorBoard(logs, write_graph=False)]
    seed = job.values["seed"]
    return fitting.fit(view, recipe, data, size, seed, callbacks)


def _row(job, data, view, done, identical, base_digest):
    cost, found = domain_cost(view), describe_environment()
    accuracy = done.final["val_accuracy"]
    if not math.isfinite(accuracy):
        raise FloatingPointError("The validation accuracy is not a number")
    row = {
        "seed": job.values["seed"],
        "domain": data.domain.name,
        "method": job.where["method"],
        "accuracy": round(accuracy, 6),
        "classes": data.domain.num_classes,
        "train_images": data.size("train"),
        "validation_images": data.size("validation"),
        "epochs": len(done.history),
        "images_seen": len(done.history) * data.size("train"),
        "learning_rate": job.values["recipe"]["learning_rate"],
        "seconds": round(done.seconds, 2),
        "numbers": cost.parameters,
        "numbers_with_head": cost.parameters_with_head,
        "bytes": cost.bytes,
        "bytes_with_head": cost.bytes_with_head,
        "statistics_bytes": cost.statistics_bytes,
        "stored_bytes": cost.stored_bytes,
        "shared": cost.shared,
        "macs": cost.macs,
        "macs_folded": cost.macs_folded,
        "others_bit_identical": identical,
        "base_sha256": base_digest,
        **{key: found.get(key, "") for key in ENVIRONMENT},
        "history": done.history,
    }
    gc.collect()  # a graph of each method would fill the memory
    return row
