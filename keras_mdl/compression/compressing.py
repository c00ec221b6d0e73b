"""`compress`: a domain's private kernels, trained to take fewer bytes."""

from collections.abc import Iterable

import keras
import numpy as np

from keras_mdl.compression.grid import grid, optimization
from keras_mdl.compression.twin import (
    private_kernels,
    require_equal,
    twin_of,
)


def compress(
    model: keras.Model,
    domain: str,
    images: Iterable,
    epochs: int = 3,
    learning_rate: float = 1e-4,
    validation: Iterable | None = None,
    verbose: int = 2,
    kernels: int = 7,
    depthwise: int = 31,
) -> tuple:
    """Trains the private kernels of a domain on the grid of a coarse export.

    At the same bytes they lose less than kernels that are rounded afterwards.
    (Pruned and clustered kernels took more bytes than rounded ones of the same
    accuracy: see docs/results/export.md.)

    The trunk stands on its int8 grid, as it will be exported, and stays as it
    is, as do all norms and every other domain; what trains are the domain's
    own large kernels and its classifier.

    Args:
        model: A `keras_mdl.MultiDomainModel` on TensorFlow; it is left as it
            is.
        domain: Name of the domain.
        images: Batches `(images, labels)` to train on: a `tf.data.Dataset` as
            for the domain's view.
        epochs: Passes over the images.
        learning_rate: Of Adam, at the start; it falls to zero by a cosine.
        validation: The same, to report on, or `None`.
        verbose: As for `fit`.
        kernels: Levels of convolution and dense kernels on either side of
            zero, those of a step of `private_bits`.
        depthwise: Likewise, of depthwise kernels.

    Returns:
        `(model, history)`: another model, in which the domain's slot is
        folded and compressed, and a dict of lists as Keras' history has it.

    Raises:
        ValueError: For an unknown domain, a domain with gates, or one without
            large kernels of its own.
        RuntimeError: On another backend than TensorFlow.
        ModuleNotFoundError: Without the extra `compression`.
    """
    result = model.folded([domain])
    paths = private_kernels(result, domain)
    if not paths:
        raise ValueError(
            f"The domain {domain!r} has no kernel of its own that is large "
            "enough to be worth compressing"
        )
    with optimization() as tfmot:
        import tf_keras

        on_grid = _with_trunk_on_grid(result)
        scopes = {}
        wrap, apply, found_in = grid(tfmot, scopes, kernels, depthwise)
        view = on_grid[domain]
        plain = twin_of(view, paths, lambda layer, kind: layer, {})
        require_equal(view, plain)
        trained = apply(twin_of(view, paths, wrap, scopes))
        steps = epochs * _length(images)
        rate = tf_keras.optimizers.schedules.CosineDecay(learning_rate, steps)
        trained.compile(
            tf_keras.optimizers.Adam(rate),
            tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        history = trained.fit(
            images,
            epochs=epochs,
            validation_data=validation,
            verbose=verbose,
        ).history
        found = found_in(trained)
    variables = result.variables_by_path()
    for name, path in paths.items():
        kernel, bias = found[name]
        variables[path].assign(np.asarray(kernel))
        if bias is not None:
            other = path.rsplit("/", 1)[0] + "/bias"
            variables[other].assign(np.asarray(bias))
    return result, history


def _with_trunk_on_grid(model):
    """A copy whose trunk's kernels lie on their int8 grids."""
    copy = model.folded([])
    for path, variable in copy.variables_by_path().items():
        if path.startswith("trunk/") and path.endswith("/kernel"):
            kernel = keras.ops.convert_to_numpy(variable)
            axes = tuple(range(kernel.ndim - 1))
            scale = np.abs(kernel).max(axes, keepdims=True) / 127
            scale[scale == 0] = 1
            variable.assign(np.rint(kernel / scale) * scale)
    return copy


def _length(images):
    length = len(images)
    if length < 1:
        raise ValueError("There are no images to train on")
    return length
