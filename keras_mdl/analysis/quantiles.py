"""`TopQuantile`: thresholds of many units over a stream of activations."""

import math

import numpy as np


class TopQuantile:
    """The value that a small part of a unit's activations exceed.

    Keeps the largest values alone, so the result is exact where all values
    are given to it: with `n` values exactly `floor(quantile * n)` of them lie
    above the threshold (fewer where some are equal).

    Args:
        units: How many units.
        quantile: The part above the threshold.
        total: Values per unit that are expected; 10 % more are room enough.
        values, seen: Of another one, to go on from there.
    """

    def __init__(self, units, quantile, total, values=None, seen=None):
        self.quantile, self.seen = quantile, int(seen or 0)
        self._keep = math.floor(1.1 * quantile * total) + 1
        empty = np.empty((0, units), np.float32)
        self.values = empty if values is None else values

    def add(self, values):
        """Further values `(n, units)`."""
        self.seen += len(values)
        self.values = np.concatenate([self.values, values])
        if len(self.values) > 2 * self._keep:
            cut = len(self.values) - self._keep
            self.values = np.partition(self.values, cut, axis=0)[cut:]

    def thresholds(self):
        """float32 `(units,)`."""
        rank = math.floor(self.quantile * self.seen)  # from above, from 0
        return -np.partition(-self.values, rank, axis=0)[rank]
