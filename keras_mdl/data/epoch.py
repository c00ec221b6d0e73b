"""Which epoch a loader is in."""

import operator


class EpochCounter:
    """The epoch number of a training loader.

    A loader numbers its passes 0, 1, 2, ... by itself until somebody assigns
    `epoch`; from then on a pass takes the number that was assigned last.
    """

    def __init__(self):
        self._epoch = 0
        self._begun = False
        self._assigned = False

    @property
    def epoch(self) -> int:
        """The epoch of the latest pass, or of the first one to come."""
        return self._epoch

    @epoch.setter
    def epoch(self, value: int) -> None:
        self._epoch = checked_count("epoch", value)
        self._assigned = True

    def begin_pass(self) -> int:
        """Marks the begin of a pass and returns its epoch."""
        if self._begun and not self._assigned:
            self._epoch += 1
        self._begun = True
        return self._epoch

    def end_pass(self) -> None:
        """Takes the next number early, for workers that start before a pass."""
        if self._begun and not self._assigned:
            self._epoch += 1
        self._begun = False


def checked_count(name, value, low=0):
    """`value` as an int `>= low`.

    Raises:
        ValueError: If it is not one.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or number < low:
        raise ValueError(
            f"`{name}` must be an integer >= {low}. Received: {name}={value!r}"
        )
    return number
