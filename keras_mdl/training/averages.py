"""`AveragedWeights`: what is validated and kept is the average of weights."""

import keras
import numpy as np


class AveragedWeights(keras.callbacks.Callback):
    """Validates, and lets later callbacks keep, the averaged weights.

    For optimizers with `use_ema`, which average over the steps `t`

    ```
    average <- m * average + (1 - m) * w_t        (first step: w_1)
    ```

    and leave the average in the variables when `fit` ends, whoever ends it.
    Only what trains is averaged: statistics of norms stay those of the last
    step. Between epochs the variables hold the averages, and `raw` the values
    that train; they come back bit for bit, unlike those of
    `keras.callbacks.SwapEMAWeights` on TensorFlow, which rounds. Put it before
    `EarlyStopping`.

    Source: Polyak and Juditsky 1992, in its exponential form.
    """

    def __init__(self):
        super().__init__()
        self.raw = None

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._put_back()

    def on_test_begin(self, logs: dict | None = None) -> None:
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        averages = optimizer._model_variables_moving_average
        self.raw = _values(self.model.trainable_variables)
        for variable, value in zip(
            self.model.trainable_variables, _values(averages), strict=True
        ):
            variable.assign(value)

    def on_test_end(self, logs: dict | None = None) -> None:
        self._put_back()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.on_test_begin()

    def on_train_end(self, logs: dict | None = None) -> None:
        self.raw = None  # the optimizer leaves the averages

    def _put_back(self):
        if self.raw is None:
            return
        for variable, value in zip(
            self.model.trainable_variables, self.raw, strict=True
        ):
            variable.assign(value)
        self.raw = None


def _values(variables):
    # Copies: TensorFlow would lend its own memory.
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]
