"""A router as an ordinary Keras network, for export."""

import keras

from keras_mdl.routing.features import layers_of, pooled
from keras_mdl.routing.router import Router


def router_network(router: Router, view: keras.Model) -> keras.Model:
    """`(b, height, width, 3)` images to `(b, domains)` scores.

    Args:
        router: A `Router`.
        view: The view of its base.
    """
    z = pooled(layers_of(view)[router.layer])
    scores = []
    for found in router.domains.values():
        factor = found.factor.astype("float32")
        away = keras.layers.Dense(
            len(factor), use_bias=False, dtype="float32",
            kernel_initializer=keras.initializers.Constant(factor),
        )(z - found.mean[None])  # fmt: skip
        square = keras.ops.sum(keras.ops.square(away), axis=-1, keepdims=True)
        scores.append(found.offset - 0.5 * square)
    if len(scores) == 1:
        return keras.Model(view.input, scores[0])
    return keras.Model(view.input, keras.ops.concatenate(scores, axis=-1))
