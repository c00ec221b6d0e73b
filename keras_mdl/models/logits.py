"""Losses and metrics for networks whose outputs are logits."""

import keras

# Of `keras.losses` and `keras.metrics`, by class: those that can be told that
# they are given logits, and are, where they are given by name.
_TOLD = {
    "BinaryCrossentropy": "binary_crossentropy",
    "BinaryFocalCrossentropy": "binary_focal_crossentropy",
    "CategoricalCrossentropy": "categorical_crossentropy",
    "CategoricalFocalCrossentropy": "categorical_focal_crossentropy",
    "SparseCategoricalCrossentropy": "sparse_categorical_crossentropy",
}
# Those that compute something else from logits than from probabilities.
_WANT_PROBABILITIES = {
    "AUC": None,
    "BinaryAccuracy": "binary_accuracy",
    "BinaryIoU": None,
    "CategoricalGeneralizedCrossEntropy": (
        "categorical_generalized_cross_entropy"
    ),
    "Dice": "dice",
    "FalseNegatives": None,
    "FalsePositives": None,
    "KLDivergence": "kl_divergence",
    "Poisson": "poisson",
    "Precision": None,
    "PrecisionAtRecall": None,
    "Recall": None,
    "RecallAtPrecision": None,
    "SensitivityAtSpecificity": None,
    "SpecificityAtSensitivity": None,
    "TrueNegatives": None,
    "TruePositives": None,
    "Tversky": "tversky",
}
# With a threshold they compare with it; without, classes.
_WITH_THRESHOLD = ("F1Score", "FBetaScore")
_ALIASES = {"kld": "KLDivergence", "KLD": "KLDivergence"}


def expects_logits(loss):
    """A loss or metric as one that takes logits.

    Args:
        loss: What `compile` takes: a name of a cross-entropy is built with
            `from_logits=True`; what compares classes or takes any numbers, and
            functions and classes of your own, are returned as they are.

    Raises:
        ValueError: For one that expects probabilities.
    """
    return _as_logits(loss, keras.losses)


def metric_of_logits(metric):
    """The same for metrics."""
    return _as_logits(metric, keras.metrics)


def _as_logits(given, module):
    for class_name, function_name in _TOLD.items():
        found = getattr(module, class_name, None)
        function = function_name and getattr(module, function_name, None)
        if found and (
            given in (class_name, function_name) or given is function
        ):
            return found(from_logits=True)
    if _wants_probabilities(given):
        raise ValueError(
            "The network's outputs are logits, and this loss or metric is "
            "computed from probabilities. Give one with `from_logits=True` "
            "where it has that, or put a softmax behind the network. "
            f"Received: {given!r}"
        )
    return given


def _wants_probabilities(given):
    if isinstance(given, (keras.losses.Loss, keras.metrics.Metric)):
        config = given.get_config()
        if "from_logits" in config:
            return not config["from_logits"]
        if type(given).__name__ in _WITH_THRESHOLD:
            return config.get("threshold") is not None
        return type(given).__name__ in _WANT_PROBABILITIES
    name = given if isinstance(given, str) else None
    if callable(given) and getattr(given, "__module__", "").startswith(
        "keras."
    ):
        name = given.__name__
    name = _ALIASES.get(name, name)
    return name is not None and (
        name in _WANT_PROBABILITIES or name in _WANT_PROBABILITIES.values()
    )
