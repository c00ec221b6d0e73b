"""The first training step is traced once, whatever is compiled."""

import keras
import pytest
from tiny import LOSS, batch, tiny_model

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="JAX makes variables first"
)


@pytest.mark.parametrize("joint", [False, True])
def test_the_first_step_is_traced_once(joint):
    def loss(y, logits):
        if not hasattr(y, "numpy"):
            traced.append(y)
        return keras.losses.sparse_categorical_crossentropy(y, logits, True)

    model, traced = tiny_model(), []
    view = model["a"]
    x, y = batch("a")
    losses, metrics = loss, ["accuracy"]
    if joint:
        view = model.joint()
        x, y = {"a": x, "b": x}, {"a": y, "b": y % 2}
        losses, metrics = {"a": loss, "b": loss}, {"a": metrics, "b": metrics}
    view.compile("adam", losses, metrics=metrics)
    view.fit(x, y, batch_size=4, epochs=2, verbose=0)
    assert len(traced) == (2 if joint else 1)  # once for each domain


def test_a_metric_that_cannot_take_a_batch_of_one_is_no_reason_to_fail():
    class Picky(keras.metrics.Mean):
        def update_state(self, y, logits, sample_weight=None):
            if logits.shape[0] == 1:
                raise ValueError("one image")
            super().update_state(keras.ops.ones_like(y))

    view = tiny_model()["a"]
    view.compile("adam", LOSS, metrics=["accuracy", Picky(name="ones")])
    history = view.fit(*batch("a"), batch_size=4, verbose=0).history
    assert history["ones"] == [1.0]
