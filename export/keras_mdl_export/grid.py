"""The int8 grid of a kernel, and the axis that it goes along."""

import numpy as np


def channel_axis(layer):
    """The axis of a kernel's output channels, as TFLite stores it.

    A depthwise kernel is `(1, kh, kw, channels)`; all others begin with them.

    Args:
        layer: Of the trunk, as `trunk_kernels` names it.
    """
    return 3 if layer.endswith("/depthwise/kernel") else 0


def int8_grid(kernel, axis=0):
    """The int8 grid of a kernel, symmetric, one scale per output channel.

    ```
    scale[n] = max |kernel[n]| / 127        kernel[n] ~ scale[n] * integers[n]
    ```

    Args:
        kernel: Array.
        axis: Of its output channels.

    Returns:
        `(integers, scales)`, int8 and float32. A channel of zeros has scale 1.
    """
    moved = np.moveaxis(np.asarray(kernel, np.float64), axis, 0)
    rows = moved.reshape(len(moved), -1)
    scales = (np.abs(rows).max(1) / 127).astype(np.float32)
    scales[scales == 0] = 1
    integers = np.rint(rows / scales[:, None]).clip(-127, 127).astype(np.int8)
    integers = np.moveaxis(integers.reshape(moved.shape), 0, axis)
    return np.ascontiguousarray(integers), scales
