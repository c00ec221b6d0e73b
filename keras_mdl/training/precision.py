"""`computing_in`: one training in 16 bits, of a model that stays float32."""

import contextlib
from collections.abc import Iterator

import keras

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


@contextlib.contextmanager
def computing_in(view: keras.Model, precision: str) -> Iterator[None]:
    """Inside, layers of a view compute in 16 bits; variables stay float32.

    Losses, logits and the optimizer stay float32 too, and float16 scales the
    loss. No policy of Keras is changed: the layers get theirs back, so that
    the model, its files and other views know nothing of it. Compile and fit
    inside; what was compiled inside is forgotten outside. Activations take
    half the memory, and GPUs with matrix units are faster; processors without
    instructions for 16 bits are slower.

    Args:
        view: A `DomainModel`.
        precision: One of `PRECISIONS`; `"float32"` changes nothing.

    Source: Micikevicius et al., ICLR 2018, sections 3.1 and 3.2.
    """
    if precision == "float32":
        yield
        return
    last = [output._keras_history.operation for output in view.outputs]
    layers = [
        layer
        for layer in view._flatten_layers()
        if layer.dtype_policy.name == "float32" and layer not in last
    ]
    for layer in layers:
        layer.dtype_policy = precision
    try:
        yield
    finally:
        for layer in layers:
            layer.dtype_policy = "float32"
        view.train_function = view.test_function = None
        view.predict_function = None
