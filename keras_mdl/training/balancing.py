"""Loss balancing: how much each domain counts in a joint training.

A rule gives each domain a weight in every step, from the losses of all:

```
gradient = sum_d  weight_d * grad loss_d
```

Weights are constants of the step: they are not differentiated through. Give a
rule to `model.joint(...).compile(..., balancing=rule)`.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops


class EqualWeights:
    """`weight_d = 1`."""

    def initial(self, classes: Mapping[str, int]) -> dict[str, float]:
        """The state at the start: `{name: array}`.

        Args:
            classes: Number of classes of each domain.
        """
        return {}

    def __call__(self, losses, state):
        """`(weights, next state)`.

        Args:
            losses: `(domains,)`.
            state: As `initial` gives it.
        """
        return ops.ones_like(losses), state


class ExponentialWeights(EqualWeights):
    """The one public reading of ABDP: a loss `exp(L_d / width)`.

    ```
    weight_d = exp(L_d / width) / width
    ```

    which is the gradient's factor of that loss. What MPNAS calls adaptive
    balanced domain prioritisation is not published; this is what a third
    party's re-implementation of it does, with a constant width of 1, and
    nothing in it adapts. A fresh domain of 1000 classes starts with the
    weight 1000, one of 2 classes with 2.

    Args:
        width: Above 0.

    Reference: Konstantin-Iakovlev/Concord-NAS (read, not copied).
    """

    def __init__(self, width: float = 1.0) -> None:
        self.width = _above_zero("width", width)

    def __call__(self, losses, state):
        # float32 ends at exp(88).
        return ops.exp(
            ops.minimum(losses / self.width, 80.0)
        ) / self.width, state


class BoundedPriority(EqualWeights):
    """Domains that are far from solved count more, within bounds.

    ```
    weight = D * softmax(L_d / ln(classes_d) / temperature)
    ```

    A loss counts relative to that of guessing, so that many classes are no
    reason by themselves; the weights sum to the number of domains `D`. A rule
    of this package, in place of what is not published.

    Args:
        temperature: Above 0; large ones make weights equal.
    """

    def __init__(self, temperature: float = 0.5) -> None:
        self.temperature = _above_zero("temperature", temperature)

    def initial(self, classes: Mapping[str, int]) -> dict[str, float]:
        return {"guessing": np.float32([math.log(n) for n in classes])}

    def __call__(self, losses, state):
        relative = losses / state["guessing"] / self.temperature
        return losses.shape[0] * ops.softmax(relative), state


class UncertaintyWeights(EqualWeights):
    """Weights learned as the domains' uncertainty.

    ```
    minimise  sum_d  exp(-s_d) * L_d + s_d / 2        weight_d = exp(-s_d)
    s_d  <-  s_d - rate * (1 / 2 - exp(-s_d) * L_d)
    ```

    `s_d = log(sigma_d^2)`, from 0. Deviation: `s` climbs by plain gradient
    steps of its own rate, not by the model's optimizer.

    Args:
        rate: Above 0.

    Reference: Kendall, Gal, Cipolla, CVPR 2018, equation 10 (the form for
    classification).
    """

    def __init__(self, rate: float = 0.01) -> None:
        self.rate = _above_zero("rate", rate)

    def initial(self, classes: Mapping[str, int]) -> dict[str, float]:
        return {"log_variance": np.zeros(len(classes), np.float32)}

    def __call__(self, losses, state):
        s = state["log_variance"]
        weights = ops.exp(-s)
        s = s - self.rate * (0.5 - weights * losses)
        return weights, {"log_variance": s}


class DynamicWeightAverage(EqualWeights):
    """Domains whose loss falls slowly count more.

    ```
    weight = D * softmax(r_d / temperature)
    r_d = mean loss of the last window / that of the window before
    ```

    Equal for the first two windows.

    Args:
        window: Steps of a window (the publication's is an epoch).
        temperature: Above 0; published: 2.

    Reference: Liu, Johns, Davison, CVPR 2019, equation 7.
    """

    def __init__(self, window: int = 100, temperature: float = 2.0) -> None:
        self.window = int(_above_zero("window", window))
        self.temperature = _above_zero("temperature", temperature)

    def initial(self, classes: Mapping[str, int]) -> dict[str, float]:
        zeros = np.zeros(len(classes), np.float32)
        return {"count": np.float32(0), "sum": zeros, "last": zeros,
                "before": zeros}  # fmt: skip

    def __call__(self, losses, state):
        last, before = state["last"], state["before"]
        known = before > 0
        ratio = ops.where(known, last / ops.where(known, before, 1.0), 1.0)
        weights = losses.shape[0] * ops.softmax(ratio / self.temperature)
        count, total = state["count"] + 1, state["sum"] + losses
        full = count >= self.window
        return weights, {
            "count": ops.where(full, 0.0, count),
            "sum": ops.where(full, 0.0, total),
            "before": ops.where(full, last, before),
            "last": ops.where(full, total / count, last),
        }


BALANCING = {
    "equal": EqualWeights,
    "exponential": ExponentialWeights,
    "bounded": BoundedPriority,
    "uncertainty": UncertaintyWeights,
    "dynamic": DynamicWeightAverage,
}


def get_balancing(rule: Any) -> Any:
    """A rule by name, from `{name: options}`, or as it is.

    Raises:
        ValueError: If there is none of that name, or for options that it
            does not have.
    """
    if isinstance(rule, EqualWeights):
        return rule
    options = {}
    if isinstance(rule, dict) and len(rule) == 1:
        ((rule, options),) = rule.items()
    if rule not in BALANCING:
        raise ValueError(
            f"Unknown balancing: {rule!r}. Known: {', '.join(BALANCING)}, or "
            "one of them with its options"
        )
    try:
        return BALANCING[rule](**(options or {}))
    except TypeError as error:
        raise ValueError(f"Balancing {rule!r}: {error}") from error


def _above_zero(name, value):
    if type(value) not in (int, float) or not 0 < value < math.inf:
        raise ValueError(
            f"`{name}` must be a number above 0. Received: {name}={value!r}"
        )
    return value
