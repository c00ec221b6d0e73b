"""What the Keras model answers on the images that verify an export."""

import keras
import numpy as np

from keras_mdl_export.trunk import without_dead_rows

_BATCH = 64
# Largest change of an output that is rounding.
_ROUNDING = 1e-4


def outputs_of(model, images, output):
    """What the Keras model answers: `{domain: (n, classes)}`."""
    found = {}
    for name, (x, _) in images.items():
        view = model[name]
        x = x.astype(str(view.inputs[0].dtype))
        # Called as it is: for some hundred images `predict` takes longer to
        # compile its graph.
        parts = [view(x[i : i + _BATCH]) for i in range(0, len(x), _BATCH)]
        y = keras.ops.concatenate(parts)
        if output == "probabilities":
            y = keras.ops.softmax(y)
        found[name] = keras.ops.convert_to_numpy(y).astype(np.float64)
    return found


def cleared(model, images, output, expected):
    """The model with zeros for dead rows, where that changes no answer.

    Args:
        model: A `keras_mdl.MultiDomainModel`.
        images: `{domain: (images, labels)}`.
        output: `"probabilities"` or `"logits"`.
        expected: What the model answers to the images.

    Returns:
        `(model, notes)`: lines of text about what was done, if anything.
    """
    found, dead = without_dead_rows(model)
    if not dead:
        return model, []
    answers = outputs_of(found, images, output)
    change = max(np.abs(answers[n] - expected[n]).max() for n in images)
    what = (
        f"{sum(dead.values())} channels in {len(dead)} of the trunk's kernels "
        "are dead (no weight reaches 1e-6)"
    )
    if change > _ROUNDING:
        return model, [
            f"{what}, but zeros in their place would change outputs by "
            f"{change:.1e}: they stay, and may end the sharing of a kernel"
        ]
    return found, [
        f"{what} and stored as zeros, which changes outputs of the Keras "
        f"model by at most {change:.1e}"
    ]
