"""`TrainingState`: a training in a file, so that a killed one goes on."""

import hashlib
import json
import os
import pathlib
import time
import warnings
from collections.abc import Sequence
from dataclasses import fields
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np

from keras_mdl.files import atomic_path, remove_leftovers

_STOPPING = ("wait", "best", "best_epoch", "stopped_epoch")


class OtherTrainingError(ValueError):
    """A state is of a training that began otherwise, or is not there."""


class TrainingState(keras.callbacks.Callback):
    """Keeps all that a training is made of in one file, after every epoch.

    Variables, what the optimizer remembers, the figures so far, the best
    epoch's weights and how long no epoch was better. A training that was
    killed at any step and goes on from the file repeats the epoch that it was
    in, and ends bit-identical to one that was not killed: batches and
    augmentation are functions of seed and epoch. (On GPUs, as far as running
    it twice is.) The file is replaced atomically and holds plain arrays; where
    it cannot be written, a warning says so and the training goes on.

    Args:
        path: The file, `NAME.npz`.
        resume: Whether to go on from what is there. Where nothing is, the
            training begins.

    Raises:
        FileExistsError: If there is a file and `resume` is false.

    Example:

    ```python
    state = TrainingState("flowers.npz", resume=True)
    train(view, recipe, batches, state=state)
    model.save("flowers.keras")
    state.remove()
    ```
    """

    def __init__(self, path: str | os.PathLike, resume: bool = False) -> None:
        super().__init__()
        self.path = pathlib.Path(path)
        if self.path.exists() and not resume:
            raise FileExistsError(
                f"{self.path} holds a training that was interrupted: go on "
                "with it (resume=True), or delete it to begin anew"
            )
        self.resume = resume
        self.seconds = 0.0  # of all sessions
        self.history = {}
        self.part = self.epoch = 0

    def begin(
        self, view: keras.Model, recipe: Any, more: dict | None = None
    ) -> None:
        """Reads the file, if there is one. Internal: `train` calls it.

        Args:
            view: The view as it is before the training.
            recipe: The `Recipe`.
            more: `{what: plain value}`: what else has to be the same.

        Raises:
            OtherTrainingError: If it is of another training.
        """
        self._identity = _identity(view, recipe, more or {})
        self._loaded, self._warned = None, False
        if not self.path.exists():
            return
        try:
            with np.load(self.path) as file:
                arrays = {name: file[name] for name in file.files}
            meta = json.loads(str(arrays.pop("meta")))
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise OtherTrainingError(
                f"{self.path} is no state of a training, or damaged ({error}): "
                "delete it to begin anew"
            ) from error
        then, now = meta["identity"], self._identity
        differ = [
            f"{name} ({then.get(name)} then, {now.get(name)} now)"
            for name in {**now, **then}
            if then.get(name) != now.get(name)
        ]
        if differ:
            raise OtherTrainingError(
                f"{self.path} is of another training, which differs in "
                f"{', '.join(differ)}. Give the same again, or delete the file "
                "to begin anew"
            )
        self.part, self.epoch = meta["part"], meta["epoch"]
        self.history, self.seconds = meta["history"], meta["seconds"]
        self._loaded = meta, arrays

    def entering(
        self,
        part: int,
        begin: int,
        end: int,
        stopping: Sequence = (),
        averages: Sequence = (),
    ) -> int:
        """Prepares one `fit`. Internal.

        Args:
            part: Number of the recipe's part, the one of the file or later.
            begin, end: Its first epoch, and the one that follows.
            stopping: The part's `EarlyStopping`, if any, in a list.
            averages: The part's `AveragedWeights`, likewise.

        Returns:
            The epoch to begin with.
        """
        self._stopping, self._averages = stopping, averages
        going_on = self._loaded is not None and part == self.part
        self.part = part
        if not going_on:
            self._loaded = None
            return begin
        return end if self._loaded[0]["stopped"] else self.epoch

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._begun = time.perf_counter()
        if self._loaded is None:
            return
        (meta, arrays), self._loaded = self._loaded, None
        optimizer = self.model.optimizer
        optimizer.build(self.model.trainable_variables)
        for key, variables in self._variables().items():
            for i, variable in enumerate(variables):
                variable.assign(arrays[f"{key}{i}"])
        for callback in self._averages:
            callback.raw = _listed(arrays, "raw")
        for callback in self._stopping:
            for name in _STOPPING:
                setattr(callback, name, meta["stopping"][name])
            callback.best_weights = _listed(arrays, "best")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        now = time.perf_counter()
        self.seconds, self._begun = self.seconds + now - self._begun, now
        self.epoch = epoch + 1
        try:
            self._write()
        except OSError as error:
            if not self._warned:
                warnings.warn(
                    f"{self.path} cannot be written ({error}): if this "
                    "training is interrupted, it cannot be resumed",
                    stacklevel=2,
                )
            self._warned = True

    def remove(self) -> None:
        """Deletes the file: what was trained is kept elsewhere."""
        self.path.unlink(missing_ok=True)
        remove_leftovers(self.path)

    def _variables(self):
        return {
            "model": self.model.variables,
            "optimizer": self.model.optimizer.variables,
        }

    def _write(self):
        lists = self._variables()
        for callback in self._averages:
            lists["raw"] = callback.raw
        meta = {
            "identity": self._identity,
            "part": self.part,
            "epoch": self.epoch,
            "history": self.history,
            "seconds": self.seconds,
            "stopped": bool(self.model.stop_training),
        }
        for callback in self._stopping:
            found = {name: getattr(callback, name) for name in _STOPPING}
            meta["stopping"] = {
                k: v if v is None else float(v) for k, v in found.items()
            }
            lists["best"] = callback.best_weights or ()
        arrays = {
            f"{key}{i}": keras.ops.convert_to_numpy(value)
            for key, values in lists.items()
            for i, value in enumerate(values)
        }
        with atomic_path(self.path) as temporary, open(temporary, "wb") as f:
            np.savez(f, meta=np.array(json.dumps(meta)), **arrays)


def _identity(view, recipe, more):
    """What has to be the same for a training to go on, as plain values."""
    domain, owner = view.domains[0], view.owner
    found = {
        f.name: getattr(recipe, f.name)
        for f in fields(recipe)
        if f.name not in ("name", "note", "decays", "dropouts")
    }
    found["weight_decay"] = recipe.decay(domain)
    config = {k: v for k, v in owner.get_config().items() if k != "name"}
    config = json.dumps(config, sort_keys=True, default=str)
    found["network"] = hashlib.sha256(config.encode()).hexdigest()[:16]
    for name, digest in owner.fingerprint().items():
        found[f"weights of {name}"] = digest[:16]
    found = {**found, **more, "backend": keras.backend.backend()}
    return json.loads(json.dumps(found, default=str))


def _listed(arrays, key):
    count = sum(name.rstrip("0123456789") == key for name in arrays)
    return [arrays[f"{key}{i}"] for i in range(count)]
