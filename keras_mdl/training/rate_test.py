"""`find_rate`: the learning-rate range test."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_mdl.training.loop import compile_part, train
from keras_mdl.training.precision import computing_in
from keras_mdl.training.recipes import Recipe

_SMOOTHING = 0.95
_DIVERGED = 4.0  # times the smallest loss


@dataclass(frozen=True)
class RateTest:
    """The losses of a few steps under a growing learning rate.

    Attributes:
        rates: Of each step.
        losses: Of each step's batch, before the step.
        smoothed: Their moving average.
    """

    rates: tuple
    losses: tuple
    smoothed: tuple

    @property
    def suggested(self) -> float:
        """A tenth of the rate at which most of the fall is over (90 %)."""
        low = self._start - 0.9 * (self._start - min(self.smoothed))
        return self.rates[int(np.argmax(np.array(self.smoothed) <= low))] / 10

    @property
    def conclusive(self) -> bool:
        """Whether the loss fell by more than batches differ."""
        early = np.std(self.losses[: max(2, len(self.losses) // 4)])
        return bool(self._start - min(self.smoothed) > 3 * early)

    @property
    def diverged(self) -> bool:
        """Whether the rates went high enough to see the loss grow again."""
        return int(np.argmin(self.smoothed)) < len(self.rates) - 1

    @property
    def _start(self):
        return float(np.mean(self.losses[: max(1, len(self.losses) // 10)]))


def find_rate(
    view: keras.Model,
    recipe: Recipe,
    training: Any,
    low: float = 1e-5,
    high: float = 1.0,
    steps: int = 200,
    class_weights: Sequence[float] | None = None,
) -> RateTest:
    """Trains a copy for some steps under a rate that grows, and looks.

    The rate of step `i` is `low * (high / low) ** (i / (steps - 1))`; the test
    ends early where the smoothed loss is four times its smallest. The loss is
    that of training batches: no other image is looked at. Where the recipe
    trains the head first, it trains for one epoch before the test. The rate
    found is one to start from, for this recipe, batch size and data.

    Args:
        view: A `DomainModel`; it and its model stay as they are.
        recipe: A `Recipe`; optimizer, phase and losses are its own.
        training: Batches of one epoch, as for `train`.
        low, high: The first and the last rate.
        steps: How many.
        class_weights: As for `train`.

    Returns:
        A `RateTest`.

    Raises:
        ValueError: If the rates or the number of steps cannot be.
        FloatingPointError: If the first loss is not finite.

    Source: Smith, "Cyclical learning rates for training neural networks",
    WACV 2017, section 3.3, which reads bounds from accuracies by eye and
    raises the rate linearly. Exponential growth and smoothed losses are those
    of Howard and Gugger, "fastai", Information 2020; they take a tenth of the
    rate with the smallest loss, which wanders where the loss stays low over
    decades, as it does with normalised networks. The rule here is ours.
    """
    if not 0 < low < high < math.inf or steps < 10:
        raise ValueError(
            "Expected 0 < low < high and 10 steps or more. Received: "
            f"low={low}, high={high}, steps={steps}"
        )
    view = view.owner.folded([]).for_domain(view.domains[0], recipe.phase)
    # The rate is set by hand.
    constant = recipe.replace(patience=None, ema=0.0, cosine=False, drops=())
    *heads, recipe = constant.in_order()
    for head in heads:
        train(view, head.replace(epochs=1), training, verbose=0)
    view.train_only(recipe.phase)
    with computing_in(view, recipe.precision):
        compile_part(view, recipe, len(training), class_weights)
        rows = list(_walk(view, training, low, high, steps))
    if not rows:
        raise FloatingPointError(
            f"The loss of the first batch is not finite, at a rate of {low}"
        )
    return RateTest(*zip(*rows, strict=True))


def _walk(view, training, low, high, steps):
    """Yields `(rate, loss, smoothed loss)` of each step."""
    average, best, step = 0.0, math.inf, 0
    while True:
        for x, y in training:
            rate = low * (high / low) ** (step / (steps - 1))
            view.optimizer.learning_rate = rate
            view.reset_metrics()
            loss = float(view.train_on_batch(x, y, return_dict=True)["loss"])
            step += 1
            if not math.isfinite(loss):
                return
            average = _SMOOTHING * average + (1 - _SMOOTHING) * loss
            smoothed = average / (1 - _SMOOTHING**step)
            best = min(best, smoothed)
            yield rate, loss, smoothed
            if step == steps or smoothed > _DIVERGED * best:
                return
