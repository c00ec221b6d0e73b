"""Pictures that are nearly the same: scaled, saved again, the next frame."""

import numpy as np
from PIL import Image

_SIDE = 16  # pixels of what is compared
_ALIKE = 0.995  # correlation
_FLAT = 2.0  # grey levels of deviation, below which a picture shows nothing
_MOST = 10_000  # images; time grows with the square
_BLOCK = 1024


def near_copies(images):
    """Groups of pictures that are nearly the same.

    Two are where their 16x16 thumbnails, each channel without its mean,
    correlate by more than 0.995: brightness, size, and another compression
    make no difference, another crop does. A few seconds for 10,000 images.

    Args:
        images: Sequence of uint8 arrays `(h, w, 3)` of any sizes; of more
            than 10,000, as many are looked at, evenly spread.

    Returns:
        List of tuples of indices, each of two or more, ascending.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    chosen = np.arange(0, len(images), -(-len(images) // _MOST))
    x = np.stack([_thumbnail(images[int(i)]) for i in chosen])
    x -= x.mean(axis=(1, 2), keepdims=True)
    x = x.reshape(len(x), -1)
    deviation = x.std(axis=1)
    shown = deviation > _FLAT
    x, chosen = x[shown], chosen[shown]
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    pairs = [np.zeros((2, 0), int)]
    for low in range(0, len(x), _BLOCK):
        alike = x[low : low + _BLOCK] @ x[low:].T > _ALIKE
        pairs.append(np.stack(np.nonzero(np.triu(alike, 1))) + low)
    first, second = np.concatenate(pairs, axis=1)
    graph = coo_array((np.ones(len(first)), (first, second)), (len(x),) * 2)
    count, group = connected_components(graph, directed=False)
    members = np.split(
        np.argsort(group, kind="stable"),
        np.cumsum(np.bincount(group, minlength=count))[:-1],
    )
    return [tuple(chosen[m].tolist()) for m in members if len(m) > 1]


def _thumbnail(image):
    picture = Image.fromarray(np.ascontiguousarray(image))
    small = picture.resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.asarray(small, np.float32)
