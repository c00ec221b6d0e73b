"""`TimeLeft`: what a training is doing before its first figures."""

import threading
import time

import keras

from keras_mdl.runs.engine import format_duration

_SKIPPED = 2  # steps in which graphs are compiled
_MEASURED = 8
_SILENCE = 20  # seconds


class Measured(Exception):
    """The time of a training is known, and that was all.

    Attributes:
        seconds: All its steps will take, without compilation and validation.
    """

    def __init__(self, seconds):
        super().__init__(seconds)
        self.seconds = seconds


class TimeLeft(keras.callbacks.Callback):
    """Says that the step is compiled, and then how long the rest will take.

    Compilation takes a minute or two for large networks, in which Keras says
    nothing. After ten steps the time left is said once.

    Args:
        say: Function that shows a line of text.
        measure: Whether to raise `Measured` then, and to say nothing.
    """

    def __init__(self, say=print, measure=False):
        super().__init__()
        self.say = say
        self.measure = measure
        self._compiled = threading.Event()

    def on_train_begin(self, logs=None):
        self._step = 0
        self._compiled.clear()
        self._begun = time.perf_counter()
        backend = keras.backend.backend()
        count = len(self.model.trainable_variables)
        self.say(
            f"compiling: {backend} builds the training step for {count} "
            "variables, once; large networks take a minute or two"
        )
        threading.Thread(target=self._go_on_saying, daemon=True).start()

    def on_train_batch_end(self, batch, logs=None):
        self._step += 1
        self._compiled.set()
        if self._step == 1:
            self._compilation = time.perf_counter() - self._begun
        if self._step == _SKIPPED:
            self._start = time.perf_counter()
        elif self._step == _SKIPPED + _MEASURED:
            seconds = (time.perf_counter() - self._start) / _MEASURED
            epochs = self.params["epochs"] - self._epoch
            left = seconds * self.params["steps"] * epochs
            if self.measure:
                raise Measured(left)
            self.say(
                f"compiled in {format_duration(self._compilation)}; about "
                f"{format_duration(left)} for {epochs} epochs"
            )

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_end(self, logs=None):
        self._compiled.set()

    def _go_on_saying(self):
        compiled, begun = self._compiled, self._begun
        while not compiled.wait(_SILENCE) and begun == self._begun:
            passed = format_duration(time.perf_counter() - begun)
            self.say(f"still compiling, {passed}")
