"""The cross-entropy that recipes train with."""

from collections.abc import Sequence

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_mdl")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy of logits, with label smoothing, for any kind of labels.

    Of the logarithms `p` of the softmax, smoothing `s` and the true class `c`:

    ```
    loss = -(1 - s) * p[c] - s * mean(p)
    ```

    Keras has the smoothing for one-hot labels alone.

    Args:
        smoothing: In `[0, 1)`.
        class_weights: A factor for each true class, or `None`.
        name, reduction, dtype: As any Keras loss.

    Call arguments:
        y_true: Integers `(batch,)` or `(batch, 1)`, or probabilities
            `(batch, classes)`, as mixed images have them.
        y_pred: Logits `(batch, classes)`.

    Reference: Szegedy et al., CVPR 2016, section 7.
    """

    def __init__(
        self,
        smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        name: str = "smoothed_crossentropy",
        reduction: str = "sum_over_batch_size",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if not 0 <= smoothing < 1:
            raise ValueError(
                f"`smoothing` must lie in [0, 1). Received: {smoothing}"
            )
        self.smoothing = smoothing
        self.class_weights = class_weights and [float(w) for w in class_weights]

    def call(self, y_true, y_pred):
        classes = y_pred.shape[-1]
        if y_true.shape[-1] != classes or len(y_true.shape) < 2:
            y_true = ops.reshape(ops.cast(y_true, "int32"), (-1,))
            y_true = ops.one_hot(y_true, classes, dtype=y_pred.dtype)
        log_p = ops.log_softmax(y_pred, axis=-1)
        right = ops.sum(y_true * log_p, axis=-1)
        loss = -(1 - self.smoothing) * right
        loss = loss - self.smoothing * ops.mean(log_p, axis=-1)
        if self.class_weights:
            weights = ops.convert_to_tensor(self.class_weights, y_pred.dtype)
            loss = loss * ops.sum(y_true * weights, axis=-1)
        return loss

    def get_config(self):
        return {
            **super().get_config(),
            "smoothing": self.smoothing,
            "class_weights": self.class_weights,
        }


def balanced_weights(
    counts: Sequence[int], strength: float = 0.5
) -> list[float]:
    """Class weights that lift rare classes, with a mean of 1 over images.

    `weight = (1 / count) ** strength`, scaled.

    Args:
        counts: Training images of each class.
        strength: 0 leaves all alike, 1 gives every class the same say.
    """
    raw = [max(1, n) ** -strength for n in counts]
    mean = sum(w * n for w, n in zip(raw, counts, strict=True)) / sum(counts)
    return [w / mean for w in raw]
