"""`JointBatches`: a batch of every domain in each step."""

import keras
import numpy as np


def batch_at(loader, step, batch_size=None):
    """Batch number `step` of an endless walk through a loader.

    A pure function of the step: a run that is resumed sees the same batches.

    Args:
        loader: What `DomainData.batches` returned.
        step: From 0; after a pass the next epoch begins.
        batch_size: Shorter batches are repeated to this length, so that all
            have one shape.

    Returns:
        `(images, labels)`.
    """
    loader.epoch, index = divmod(step, len(loader))
    images, labels = loader[index]
    if batch_size is not None and len(images) < batch_size:
        again = np.arange(batch_size) % len(images)
        images, labels = images[again], labels[again]
    return images, labels


class JointBatches(keras.utils.PyDataset):
    """`({domain: images}, {domain: labels})`, for `model.joint().fit`.

    Domains go round at their own pace: a small one begins anew while a large
    one is in its first pass. Batch `i` of epoch `e` is a pure function of
    both; give it to `SetEpoch`.

    Args:
        loaders: `{domain: what DomainData.batches returned}`.
        steps: Steps of an epoch.

    Example:

    ```python
    train = JointBatches({d: x.batches("train", training=True) ...}, 100)
    model.joint().fit(train, shuffle=False, callbacks=[SetEpoch(train)])
    ```
    """

    def __init__(self, loaders, steps):
        super().__init__()
        self.loaders = dict(loaders)
        self.steps = steps
        self.epoch = 0

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        step = self.epoch * self.steps + index
        found = {d: batch_at(x, step) for d, x in self.loaders.items()}
        return (
            {d: images for d, (images, _) in found.items()},
            {d: labels for d, (_, labels) in found.items()},
        )
