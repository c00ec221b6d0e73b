"""What is done before the first training step."""

from concurrent.futures import ThreadPoolExecutor

import keras

from keras_mdl import devices


def make_variables(model, data):
    """Builds optimizer and metrics of a model, once after `compile`.

    On TensorFlow Keras makes their variables inside of the function that it
    traces, and TensorFlow then traces that function a second time: for a
    ResNet-26 half of the wait before the first step. Called in `train_step`.

    Args:
        model: A compiled functional model.
        data: What its `train_step` got.
    """
    if keras.backend.backend() != "tensorflow" or devices.replicas() > 1:
        return
    if model.optimizer is None or model.optimizer.built:
        return
    _, y, _ = keras.utils.unpack_x_y_sample_weight(data)
    if any(t is None or t.shape.rank is None for t in keras.tree.flatten(y)):
        return

    def make():
        model.optimizer.build(model.trainable_variables)
        try:
            outputs = _one(model.output)
            if len(keras.tree.flatten(outputs)) > 1:  # each loss has its mean
                model.compute_loss(None, _one(y), outputs, training=False)
            model.compute_metrics(None, _one(y), outputs)
        except Exception:  # a user's, which wants other batches
            pass  # what is really wrong with it will be said by the step
        model.reset_metrics()

    # TensorFlow traces in a context of the thread: another has none.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(make).result()


def _one(batch):
    """A batch of one, all zeros."""
    return keras.tree.map_structure(
        lambda t: keras.ops.zeros([1, *(n or 1 for n in t.shape[1:])], t.dtype),
        batch,
    )


def cpu_tensorflow():
    """Whether TensorFlow computes, and on no GPU."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_physical_devices("GPU")
