"""`StagedFreezing`: one `fit` that walks through stages."""

import contextlib
import json
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass

import keras

from keras_mdl.models.freezing import FreezePlan, get_plan
from keras_mdl.models.views import PhasedModel


@dataclass(frozen=True)
class Stage:
    """A stretch of epochs with one trainable set and one learning rate.

    Args:
        phase: Name of a phase, or a `FreezePlan`: what trains.
        epochs: Number of epochs; `None` (only for the last stage): until the
            end of `fit`.
        learning_rate: A number, or a Keras schedule over the optimizer's
            `iterations`, which count on through all stages. `None` keeps what
            the optimizer has.
        drops: Epochs of this stage, counted from its start, at which the
            learning rate is multiplied by `factor`.
        factor: See `drops`.

    Raises:
        ValueError: For an unknown phase, less than one epoch, or drops
            without a number to drop.
    """

    phase: str | FreezePlan
    epochs: int | None = None
    learning_rate: object = None
    drops: tuple = ()
    factor: float = 0.1

    def __post_init__(self):
        get_plan(self.phase)
        if self.epochs is not None and self.epochs < 1:
            raise ValueError(
                f"A stage needs at least 1 epoch. Received: {self.epochs}"
            )
        if self.drops and not isinstance(self.learning_rate, (int, float)):
            raise ValueError(
                "`drops` need `learning_rate` to be a number. "
                f"Received: learning_rate={self.learning_rate!r}"
            )

    def rate(self, epoch: int) -> float | None:
        """The learning rate in the stage's own epoch `epoch` (from 0)."""
        if not self.drops:
            return self.learning_rate
        passed = sum(epoch >= drop for drop in self.drops)
        return self.learning_rate * self.factor**passed


class StagedFreezing(keras.callbacks.Callback):
    """Changes what trains, and how fast, at epoch boundaries of ONE `fit`.

    Keras ignores a changed `trainable` while `fit` runs. This callback does
    what it takes: it puts the view into the stage's phase, makes a new
    optimizer for the new set, hands over the state (momentum, `iterations`,
    loss scale) of every variable that goes on training, and compiles the step
    anew. What a stage freezes stays bit-identical, BatchNorm statistics
    included. Works with `jit_compile`, mixed precision, `steps_per_execution`
    and on the TensorFlow and JAX backends.

    Args:
        stages: `Stage` objects (or phase names, for a single last stage).
        backup_dir: The directory of the `keras.callbacks.BackupAndRestore` in
            the same `fit`, if there is one. Put `StagedFreezing` BEFORE it in
            the list of callbacks: the stage of the checkpoint must be entered
            before the checkpoint is read. For a resumed run that ends
            bit-identical, call `keras.utils.set_random_seed` as the first run
            did, before building the model.
        verbose: Whether to print each stage's table of what trains.

    Raises:
        ValueError: If there are no stages, or an inner stage has no epochs;
            on resuming without `backup_dir`.
        TypeError: If the model is not a view of a `MultiDomainModel`.

    Example:

    ```python
    view = model.for_domain("dtd")
    view.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss)
    view.fit(data, epochs=30, callbacks=[
        StagedFreezing([
            Stage("head", epochs=2, learning_rate=0.1),
            Stage("domain", learning_rate=0.05, drops=(15, 22)),
        ]),
    ])
    ```
    """

    def __init__(
        self, stages: Sequence, backup_dir: str | None = None, verbose: int = 1
    ) -> None:
        super().__init__()
        self.stages = tuple(
            s if isinstance(s, Stage) else Stage(s) for s in stages
        )
        if not self.stages:
            raise ValueError("`stages` must name at least one stage")
        if any(s.epochs is None for s in self.stages[:-1]):
            raise ValueError("Only the last stage may leave `epochs` open")
        self.backup_dir = backup_dir
        self.verbose = verbose
        self._current = None

    def stage_at(self, epoch: int) -> tuple:
        """The stage of an epoch: `(index, epoch within the stage)`."""
        for index, stage in enumerate(self.stages):
            if stage.epochs is None or epoch < stage.epochs:
                return index, epoch
            epoch -= stage.epochs
        # Past the end the last stage goes on.
        return index, epoch + stage.epochs

    def on_train_begin(self, logs: dict | None = None) -> None:
        if not isinstance(self.model, PhasedModel):
            raise TypeError(
                "StagedFreezing needs a view of a MultiDomainModel "
                "(`for_domain` or `joint`). "
                f"Received: {type(self.model).__name__}"
            )
        self._current = None
        saved = self._saved_epoch()
        if saved is not None:
            self._enter(*self.stage_at(saved))

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        resumed = getattr(self.model, "_initial_epoch", None)
        if self._current is None and resumed and self.backup_dir is None:
            raise ValueError(
                "This `fit` resumes from a backup, but StagedFreezing was not "
                "told: pass the same `backup_dir` and put it before "
                "BackupAndRestore"
            )
        index, inner = self.stage_at(epoch)
        if index != self._current:
            self._enter(index, inner)
        elif self.stages[index].drops:
            self.model.optimizer.learning_rate = self.stages[index].rate(inner)
        _align_randomness(self.model)

    def on_train_end(self, logs: dict | None = None) -> None:
        # Keras keeps the resumed epoch and would start the next `fit` there.
        self.model._initial_epoch = None

    def _saved_epoch(self):
        """The epoch in which the checkpoint to be restored was saved."""
        if self.backup_dir is None:
            return None
        path = pathlib.Path(self.backup_dir) / "training_metadata.json"
        if not path.exists():
            return None
        metadata = json.loads(path.read_text())
        # Saved at the end of an epoch, it already names the next one.
        ended = metadata.get("batch", 0) == 0
        return max(metadata["epoch"] - ended, 0)

    def _enter(self, index, inner):
        model, stage = self.model, self.stages[index]
        if hasattr(model, "jax_state_sync"):
            model.jax_state_sync()
        old = model.optimizer
        model.train_only(stage.phase)
        with _scope(model):
            new = _renewed(old, stage.rate(inner))
            new.build(model.trainable_variables)
            _hand_over(old, new, model.trainable_variables)
        model.optimizer = new
        model.compiled = True
        model.make_train_function(force=True)
        model.test_function = model.predict_function = None
        self._current = index
        if self.verbose:
            rate = stage.rate(inner)
            print(
                f"\nstage {index + 1} of {len(self.stages)}"
                + ("" if rate is None else f", learning rate {rate}")
                + f"\n{model.plan_table()}"
            )


def _align_randomness(model):
    """Makes what dropout draws a function of its seed and the step.

    Keras does not save the counter of its seed generators, so a resumed run
    would draw other numbers than one that was not interrupted.
    """
    step = model.optimizer.iterations
    for state in model.variables:
        if state.path.endswith("seed_generator_state"):
            seed = keras.ops.convert_to_tensor(state)[0]
            count = keras.ops.cast(step, state.dtype)
            state.assign(keras.ops.stack([seed, count]))


def _renewed(optimizer, learning_rate):
    """A fresh optimizer with the same settings and another learning rate."""
    config = optimizer.get_config()
    inner = config.get("inner_optimizer")
    if learning_rate is not None:
        if not isinstance(learning_rate, (int, float)):
            learning_rate = keras.saving.serialize_keras_object(learning_rate)
        (inner["config"] if inner else config)["learning_rate"] = learning_rate
    return type(optimizer).from_config(config)


def _hand_over(old, new, trained):
    """Copies optimizer state by path; learning rates stay the new one's."""
    for average, variable in _averages(new, trained):
        # Keras starts an average at the first of all iterations only. For a
        # variable that begins to train later it would start at zero.
        average.assign(keras.ops.copy(variable))
    state = {v.path: v for v in old.variables}
    for variable in new.variables:
        source = state.get(variable.path)
        if source is None or variable.path.endswith("learning_rate"):
            continue
        # A copy: two variables must not share a buffer that JAX donates.
        variable.assign(keras.ops.copy(source))


def _averages(optimizer, trained):
    """Pairs of (moving average, variable) of an optimizer with `use_ema`."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if not optimizer.use_ema:
        return ()
    averages = optimizer._model_variables_moving_average
    return zip(averages, trained, strict=True)


def _scope(model):
    strategy = getattr(model, "distribute_strategy", None)
    return strategy.scope() if strategy else contextlib.nullcontext()
