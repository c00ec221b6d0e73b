"""The callback that tells loaders which epoch they are in."""

import keras


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

    def __init__(self, *loaders) -> None:
        super().__init__()
        self._loaders = [_with_epoch(loader) for loader in loaders]

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        for loader in self._loaders:
            loader.epoch = epoch


def _with_epoch(loader):
    for candidate in (getattr(loader, "epoch_counter", None), loader):
        if candidate is not None and hasattr(candidate, "epoch"):
            return candidate
    raise TypeError(
        "`SetEpoch` needs loaders made by `DomainData.batches` or "
        "`DomainData.tf_dataset`, or objects with an `epoch` attribute. "
        f"Received: {loader!r} of type {type(loader).__name__}"
    )
