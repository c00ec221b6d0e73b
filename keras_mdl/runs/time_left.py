"""`TimeLeft`: how long a training will take, said after its first steps."""

import time

import keras

from keras_mdl.runs.engine import format_duration

_SKIPPED = 2  # steps in which graphs are compiled
_MEASURED = 8


class TimeLeft(keras.callbacks.Callback):
    """Says once, after ten steps, how long the rest will take.

    Args:
        say: Function that shows a line of text.
    """

    def __init__(self, say=print):
        super().__init__()
        self.say = say

    def on_train_begin(self, logs=None):
        self._step = 0

    def on_train_batch_end(self, batch, logs=None):
        self._step += 1
        if self._step == _SKIPPED:
            self._start = time.perf_counter()
        elif self._step == _SKIPPED + _MEASURED:
            seconds = (time.perf_counter() - self._start) / _MEASURED
            epochs = self.params["epochs"] - self._epoch
            left = seconds * self.params["steps"] * epochs
            self.say(f"about {format_duration(left)} for {epochs} epochs")

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch
