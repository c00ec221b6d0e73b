"""Private kernels that take fewer bytes, and nobody else's bits changed."""

import os

import keras
import numpy as np
import pytest
from tiny import batch, changed_owners, changed_paths, tiny_model, values

from keras_mdl.compression import compress
from keras_mdl.compression.compressing import private_kernels

on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="tensorflow-model-optimization works on TensorFlow alone",
)
KERNEL = "domains/a/conv2/pointwise/kernel"


def wide(**options):
    """A private pointwise kernel that is worth it: 48 x 96."""
    return tiny_model(backbone_config={"channels": 48}, **options)


def dataset(n=32):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(batch("a", n)).batch(8)


@on_tensorflow
def test_only_the_domains_own_kernels_change():
    model = wide(depthwise={"a": "do"})
    before = values(model)
    found, history = compress(
        model, "a", dataset(), epochs=2, learning_rate=0.01, verbose=0,
        validation=dataset(8),
    )  # fmt: skip
    assert changed_paths(values(model), before) == set()
    assert os.environ.get("TF_USE_LEGACY_KERAS") is None
    assert len(history["loss"]) == len(history["val_accuracy"]) == 2
    folded = values(model.folded(["a"]))
    after = values(found)
    assert changed_paths(folded, after) == {KERNEL}
    assert changed_owners(folded, after) == {"domains/a"}
    kernel = after[KERNEL]
    steps = kernel / (np.abs(kernel).max((0, 1, 2)) / 7)
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)


@on_tensorflow
def test_kernels_learn_to_stand_on_their_grid():
    """Rounded to three values, trained ones fit better than plain ones."""
    model, (x, y) = wide(), batch("a", 32)

    def loss(network, path=KERNEL):
        network = network.folded([])
        kernel = network.variables_by_path()[path]
        scale = np.abs(kernel).max((0, 1, 2), keepdims=True)
        kernel.assign(np.rint(np.asarray(kernel) / scale) * scale)
        log_p = keras.ops.log_softmax(network["a"](x))
        return -np.mean(np.asarray(log_p)[np.arange(len(y)), y])

    found, _ = compress(
        model, "a", dataset(), epochs=15, learning_rate=0.03, kernels=1,
        verbose=0,
    )  # fmt: skip
    assert loss(found) < loss(model) - 0.01


@on_tensorflow
def test_large_private_kernels_are_found():
    found = private_kernels(wide(), "a")
    assert list(found.values()) == [KERNEL]
    with pytest.raises(ValueError, match="'a' has no kernel of its own"):
        compress(tiny_model(), "a", dataset())
    with pytest.raises(ValueError, match="'x'"):
        compress(wide(), "x", dataset())


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(RuntimeError, match=r"KERAS_BACKEND=tensorflow.*torch"):
        compress(wide(), "a", None)
