"""`train`: one view, one recipe, one `fit`."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_mdl.training.averages import AveragedWeights
from keras_mdl.training.losses import SmoothedCrossentropy
from keras_mdl.training.precision import computing_in
from keras_mdl.training.recipes import Recipe


def train(
    view: keras.Model,
    recipe: Recipe,
    training: Any,
    validation: Any = None,
    callbacks: Sequence = (),
    verbose: int = "auto",
    class_weights: Sequence[float] | None = None,
    state: Any = None,
    same: dict | None = None,
    **compile_options,
) -> keras.callbacks.History:
    """Compiles a view as a recipe says and fits it.

    Args:
        view: A `DomainModel`; it is put into the recipe's phase.
        recipe: A `Recipe`.
        training: Batches of one epoch: anything with a length that
            `keras.Model.fit` takes.
        validation: Batches to evaluate after each epoch.
        callbacks: Further callbacks.
        verbose: As in `fit`.
        class_weights: As `SmoothedCrossentropy`.
        state: A `TrainingState`: the training can be interrupted and go on.
            The batches then have to be functions of the epoch (`SetEpoch`);
            further callbacks begin anew.
        same: With `state`, `{what: plain value}`: what a training that goes
            on must have in common with what was interrupted, besides the
            recipe and the model; what the images are, for example.
        **compile_options: As in `compile`, for example `jit_compile`.

    Returns:
        The `keras.callbacks.History`.

    Raises:
        TypeError: If `recipe` is not a `Recipe`, or `view` is of several
            domains.
        OtherTrainingError: If `state` is of another training.
    """
    if not isinstance(recipe, Recipe):
        raise TypeError(
            "`recipe` must be a Recipe (see `get_recipe`). "
            f"Received: {recipe!r}"
        )
    if len(view.domains) > 1:
        raise TypeError(
            "`view` must be of one domain: a recipe has settings by domain. "
            "Compile and fit a joint view yourself. "
            f"Received: a view of {', '.join(view.domains)}"
        )
    found, end, first = {}, 0, 0
    if state is not None:
        steps = {"steps in an epoch": len(training)}
        weights = {"class weights": class_weights}
        state.begin(view, recipe, {**(same or {}), **steps, **weights})
        found = {name: list(values) for name, values in state.history.items()}
        first = state.part
    for number, part in enumerate(recipe.in_order()):
        begin, end = end, end + part.epochs
        if number < first:
            continue
        view.train_only(part.phase)
        averages = [AveragedWeights()] if part.ema else []
        stopping = _keep_best(part, validation)
        last = [*averages, *stopping]
        if state is not None:
            begin = state.entering(number, begin, end, stopping, averages)
            last.append(state)
        with computing_in(view, part.precision):
            compile_part(
                view, part, len(training), class_weights, **compile_options
            )
            history = view.fit(
                training,
                initial_epoch=begin,
                epochs=end,
                validation_data=validation,
                callbacks=[*callbacks, *last],
                verbose=verbose,
                shuffle=False,  # the loaders shuffle, by epoch
            )
        for key, values in history.history.items():
            found.setdefault(key, []).extend(values)
    history.history = found
    return history


def compile_part(view, part, steps, class_weights=None, **options):
    """Compiles a view with a recipe's optimizer and loss.

    Args:
        view: A `DomainModel`, in the recipe's phase.
        part: A `Recipe`, one of `in_order`.
        steps: Optimizer steps in an epoch.
        class_weights: As `SmoothedCrossentropy`.
        **options: As in `compile`.
    """
    view.compile(
        part.optimizer(view.domains[0], steps),
        _loss(part, class_weights),
        metrics=["accuracy"],
        **options,
    )


def _loss(recipe, class_weights):
    if not recipe.label_smoothing and class_weights is None:
        # The same rule, in a graph that is faster.
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return SmoothedCrossentropy(recipe.label_smoothing, class_weights)


def _keep_best(recipe, validation):
    if recipe.patience is None or validation is None:
        return []
    return [
        keras.callbacks.EarlyStopping(
            "val_accuracy",
            patience=recipe.patience,
            mode="max",
            restore_best_weights=True,
        )
    ]
