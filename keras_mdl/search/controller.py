"""`Controller`: a policy over paths, and how REINFORCE changes it."""

import math
from collections.abc import Sequence

import numpy as np

from keras_mdl.search.space import SearchSpace

MOMENTUM = 0.95
_ADAM = (0.999, 1e-8)  # beta_2 and epsilon; beta_1 is 0


class Controller:
    """One categorical distribution for each decision of a space.

    ```
    p(path) = product of softmax(logits_i)[path_i]    over active decisions i
    ```

    Decisions inside a layer that is left out are not active: they are in no
    probability, entropy or gradient. Logits start at 0 (uniform). A step
    climbs

    ```
    (R - b) * grad log p(path) + entropy * grad H(active decisions)
    ```

    with Adam (beta_1 = 0), where `b` is the moving average of this
    controller's own rewards (0.95, corrected for its start at 0; the present
    reward included, so that the first step changes nothing).

    Args:
        space: `SearchSpace`.
        entropy: Weight of the entropy; published: 0.

    Source: TuNAS' code; that MPNAS has one controller a domain and REINFORCE
    is published, everything else here is not. A baseline for each domain is
    this package's choice: the scales of their accuracies differ.
    """

    def __init__(self, space: SearchSpace, entropy: float = 0.0) -> None:
        self.space = space
        self.entropy = entropy
        self._sizes = [len(d.choices) for d in space.decisions]
        self.logits = [np.zeros(n) for n in self._sizes]
        self._squares = [np.zeros(n) for n in self._sizes]
        self._steps = 0
        self._average, self._weight = 0.0, 0.0

    def probabilities(self) -> list[np.ndarray]:
        """A list of arrays, one for each decision."""
        return [_softmax(x) for x in self.logits]

    def sample(self, rng: np.random.Generator) -> tuple[int, ...]:
        """A path drawn from the policy: an index for each decision.

        Args:
            rng: NumPy generator.
        """
        draws = rng.random(len(self.logits))
        return tuple(
            int(min(np.searchsorted(np.cumsum(p), u, side="right"), len(p) - 1))
            for p, u in zip(self.probabilities(), draws, strict=True)
        )

    def best(self) -> tuple[int, ...]:
        """The most likely value of every decision."""
        return tuple(int(np.argmax(x)) for x in self.logits)

    def log_probability(self, choices: Sequence[int]) -> float:
        """Of a path; of its active decisions alone."""
        return sum(
            math.log(p[c])
            for p, c, on in zip(
                self.probabilities(), choices, self.space.active(choices),
                strict=True,
            )
            if on
        )  # fmt: skip

    def mean_entropy(self) -> float:
        """Of the decisions, as a part of the largest there is: 1 at the
        start, 0 when all is decided."""
        found = [
            _entropy(p) / math.log(n)
            for p, n in zip(self.probabilities(), self._sizes, strict=True)
            if n > 1
        ]
        return sum(found) / len(found)

    def gradient(self, choices: Sequence[int], advantage: float) -> list:
        """`advantage * grad log p` and the entropy's part, by the logits."""
        found = []
        for p, c, on in zip(
            self.probabilities(), choices, self.space.active(choices),
            strict=True,
        ):  # fmt: skip
            if not on:
                found.append(np.zeros_like(p))
                continue
            g = -advantage * p
            g[c] += advantage
            if self.entropy:
                log_p = np.log(np.maximum(p, 1e-30))
                g = g - self.entropy * p * (log_p + _entropy(p))
            found.append(g)
        return found

    def observe(self, reward: float) -> float:
        """Takes a reward into the average; returns the advantage `R - b`."""
        self._average = MOMENTUM * self._average + (1 - MOMENTUM) * reward
        self._weight = MOMENTUM * self._weight + (1 - MOMENTUM)
        return reward - self.baseline

    @property
    def baseline(self) -> float:
        """The average of the rewards so far."""
        return self._average / self._weight if self._weight else 0.0

    def learn(
        self, choices: Sequence[int], reward: float, learning_rate: float
    ) -> float:
        """One step of REINFORCE.

        Args:
            choices: The path that was sampled.
            reward: What it earned.
            learning_rate: Of this step; with 0 the average alone changes.

        Returns:
            The advantage.
        """
        advantage = self.observe(reward)
        if learning_rate:
            self._steps += 1
            beta, epsilon = _ADAM
            correction = 1 - beta**self._steps
            for x, v, g in zip(
                self.logits, self._squares, self.gradient(choices, advantage),
                strict=True,
            ):  # fmt: skip
                v[:] = beta * v + (1 - beta) * g * g
                x += learning_rate * g / (np.sqrt(v / correction) + epsilon)
        return advantage

    def state(self) -> np.ndarray:
        """All that it is, as one float64 array."""
        numbers = [self._steps, self._average, self._weight]
        return np.concatenate([numbers, *self.logits, *self._squares])

    def load_state(self, state: np.ndarray) -> None:
        """The inverse of `state`.

        Raises:
            ValueError: If it is of another space.
        """
        expected = 3 + 2 * sum(self._sizes)
        if np.shape(state) != (expected,):
            raise ValueError(
                "This state is of a controller for another search space. "
                f"Expected {expected} numbers, received an array of shape "
                f"{np.shape(state)}"
            )
        self._steps = int(state[0])
        self._average, self._weight = map(float, state[1:3])
        arrays = [*self.logits, *self._squares]
        parts = np.split(state[3:], np.cumsum([len(a) for a in arrays])[:-1])
        for array, part in zip(arrays, parts, strict=True):
            array[:] = part


def learning_rate(step, steps, base, delay=0.25, growth=10.0):
    """The controllers' rate: 0 for the first part, then growing.

    ```
    0 before delay * steps;  base * growth ^ t,  t from 0 to 1, after
    ```

    Args:
        step: From 0.
        steps: Of the whole search.
        base: After the delay. Published: 3e-4 * batch / 256.
        delay: The first part; published: a quarter.
        growth: Of the rate until the end; published: 10.

    Source: TuNAS' code.
    """
    start = delay * steps
    if step < start:
        return 0.0
    return base * growth ** ((step - start) / max(steps - start, 1))


def relaxation(step, steps, part=0.25):
    """Probability that a decision is in its warm-up: from 1 to 0, linearly,
    over the first part of the search. Source: TuNAS' code."""
    return max(0.0, 1 - step / (part * steps)) if part else 0.0


def _softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def _entropy(p):
    return float(-(p * np.log(np.maximum(p, 1e-30))).sum())
