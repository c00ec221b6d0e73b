"""`train`: one view, one recipe, one `fit`."""

import keras

from keras_mdl.training.losses import SmoothedCrossentropy
from keras_mdl.training.recipes import Recipe


def train(
    view,
    recipe,
    training,
    validation=None,
    callbacks=(),
    verbose="auto",
    class_weights=None,
    **compile_options,
):
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
        **compile_options: As in `compile`, for example `jit_compile`.

    Returns:
        The `keras.callbacks.History`.

    Raises:
        TypeError: If `recipe` is not a `Recipe`, or `view` is of several
            domains.
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
    found, done = {}, 0
    for part in recipe.in_order():
        view.train_only(part.phase)
        view.compile(
            part.optimizer(view.domains[0], len(training)),
            _loss(part, class_weights),
            metrics=["accuracy"],
            **compile_options,
        )
        history = view.fit(
            training,
            initial_epoch=done,
            epochs=done + part.epochs,
            validation_data=validation,
            callbacks=[*callbacks, *_keep_best(part, validation)],
            verbose=verbose,
            shuffle=False,  # the loaders shuffle, as a function of the epoch
        )
        done += part.epochs
        for key, values in history.history.items():
            found.setdefault(key, []).extend(values)
    history.history = found
    return history


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
