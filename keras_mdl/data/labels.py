"""What makes a list of labels usable."""

import numpy as np


def checked_labels(labels, size, what, num_classes=None):
    """Validates the labels of one split.

    Args:
        labels: Integers of shape `(size,)`, or `None`. All `-1` means the
            same as `None`: the labels are hidden.
        size: Number of images of the split.
        what: Name of the split in error messages.
        num_classes: Labels must be below it, if given.

    Returns:
        int32 array of shape `(size,)`, or `None` for hidden labels.

    Raises:
        ValueError: For another rank, length or dtype, or values out of range.
    """
    if labels is None:
        return None
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise ValueError(
            f"Labels of {what} must have shape ({size},); one-hot labels "
            "become integers with `labels.argmax(-1)`. "
            f"Received: shape={labels.shape}"
        )
    if len(labels) != size:
        raise ValueError(
            f"{what} needs one label per image: {size} images. "
            f"Received: {len(labels)} labels"
        )
    if labels.dtype.kind not in "iu":
        raise ValueError(
            f"Labels of {what} must be integers. Received: dtype={labels.dtype}"
        )
    if size and labels.min() == labels.max() == -1:
        return None
    top = np.iinfo(np.int32).max if num_classes is None else num_classes - 1
    wrong = np.flatnonzero((labels < 0) | (labels > top))
    if wrong.size:
        raise ValueError(
            f"Labels of {what} must lie in 0..{top}. Received: "
            f"{labels[wrong[0]]} at index {wrong[0]}"
            + (f" and {wrong.size - 1} more" if wrong.size > 1 else "")
        )
    return labels.astype(np.int32)
