"""Losses and metrics for networks whose outputs are logits."""

import keras


def expects_logits(loss):
    """A loss or metric as one that takes logits.

    Args:
        loss: What `compile` takes: a name is built with `from_logits=True`,
            other things are returned as they are.

    Raises:
        ValueError: For an object that expects probabilities.
    """
    return _as_logits(loss, keras.losses, keras.losses.Loss)


def metric_of_logits(metric):
    """The same for metrics."""
    return _as_logits(metric, keras.metrics, keras.metrics.Metric)


def _as_logits(given, module, kind):
    name = given if isinstance(given, str) else getattr(given, "__name__", "")
    for class_name, function_name in _LOGIT_LOSSES.items():
        function = getattr(module, function_name, None)
        found = getattr(module, class_name, None)
        if found and name in (class_name, function_name):
            if given in (name, function):
                return found(from_logits=True)
    if isinstance(given, kind) and _wants_probabilities(given):
        raise ValueError(
            "The network's outputs are logits: losses and metrics need "
            f"`from_logits=True`. Received: {given!r}"
        )
    return given


def _wants_probabilities(given):
    # Metrics that compare classes (accuracy) have no such setting.
    return given.get_config().get("from_logits", True) is False


_LOGIT_LOSSES = {
    "SparseCategoricalCrossentropy": "sparse_categorical_crossentropy",
    "CategoricalCrossentropy": "categorical_crossentropy",
    "CategoricalFocalCrossentropy": "categorical_focal_crossentropy",
    "BinaryCrossentropy": "binary_crossentropy",
    "BinaryFocalCrossentropy": "binary_focal_crossentropy",
}
