"""Which epoch a loader is in, and the callback that says so."""

import operator

import keras


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
    def epoch(self, value):
        self._epoch = checked_count("epoch", value)
        self._assigned = True

    def begin_pass(self):
        """Marks the begin of a pass and returns its epoch."""
        if self._begun and not self._assigned:
            self._epoch += 1
        self._begun = True
        return self._epoch

    def end_pass(self):
        """Takes the next number early, for workers that start before a pass."""
        if self._begun and not self._assigned:
            self._epoch += 1
        self._begun = False


class SetEpoch(keras.callbacks.Callback):
    """Tells loaders the epoch, so that a resumed run sees the same batches.

    Without it, a loader numbers its passes 0, 1, 2, ... by itself: a run
    resumed with `fit(initial_epoch=5)` would start again with the batches of
    epoch 0, and a look at one batch before `fit` would shift all numbers.

    Args:
        loaders: What `DomainData.batches` or `DomainData.tf_dataset`
            returned, or anything with a settable `epoch` attribute. A
            dataset derived from one of ours (`.map`, `zip`) has no counter:
            give the original ones.

    Raises:
        TypeError: If a loader has no epoch.

    Example:

    ```python
    train = data.batches("train", training=True)
    model.fit(train, epochs=9, initial_epoch=5, callbacks=[SetEpoch(train)])
    ```
    """

    def __init__(self, *loaders):
        super().__init__()
        self._loaders = [_with_epoch(loader) for loader in loaders]

    def on_epoch_begin(self, epoch, logs=None):
        for loader in self._loaders:
            loader.epoch = epoch


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


def _with_epoch(loader):
    for candidate in (getattr(loader, "epoch_counter", None), loader):
        if candidate is not None and hasattr(candidate, "epoch"):
            return candidate
    raise TypeError(
        "`SetEpoch` needs loaders made by `DomainData.batches` or "
        "`DomainData.tf_dataset`, or objects with an `epoch` attribute. "
        f"Received: {loader!r} of type {type(loader).__name__}"
    )
