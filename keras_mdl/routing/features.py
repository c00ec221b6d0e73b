"""What a router sees of an image: a layer's channels, by their mean."""

import keras
import numpy as np

from keras_mdl.models.phased import PhasedModel

# A domain costs about the square of it in half-precision numbers.
_MOST_CHANNELS = 128


def layers_of(view):
    """`{name: symbolic output (b, h, w, c)}` of a view's layers with maps."""
    return {
        name: output
        for name, output in view.endpoints.items()
        if len(output.shape) == 4 and tuple(output.shape[1:3]) != (1, 1)
    }


def default_layer(view: keras.Model) -> str:
    """The last layer of at most 128 channels; of the fewest, if none has.

    In networks that widen as they go it lies in their second half: behind
    colours and edges, and before what tells one class from another.
    """
    channels = {n: t.shape[-1] for n, t in layers_of(view).items()}
    most = max(min(channels.values()), _MOST_CHANNELS)
    return [name for name, count in channels.items() if count <= most][-1]


def pooled(maps):
    """Means over places, of length 1: `(b, h, w, c)` to `(b, c)`, float32."""
    maps = keras.ops.cast(maps, "float32")
    mean = keras.ops.mean(maps, axis=(1, 2))
    square = keras.ops.sum(keras.ops.square(mean), axis=-1, keepdims=True)
    return mean * keras.ops.rsqrt(square + 1e-12)


def features(view, layer, images, batch_size=64):
    """`(n, c)` float32: the `pooled` answers of a layer to images.

    Args:
        view: A domain's view. Its variables stay as they are.
        layer: Name of a layer with maps.
        images: `(n, height, width, 3)`, pixels in [0, 255].
        batch_size: Images at a time.
    """
    network = PhasedModel(view.input, pooled(layers_of(view)[layer]))
    dtype = keras.backend.standardize_dtype(view.input.dtype)
    found = []
    for i in range(0, len(images), batch_size):
        x = np.asarray(images[i : i + batch_size]).astype(dtype)
        # Called as it is: to compile a graph would take longer.
        found.append(keras.ops.convert_to_numpy(network(x, training=False)))
    return np.concatenate(found).astype(np.float32)
