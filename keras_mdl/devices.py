"""`data_parallel`: one training on several devices."""

import contextlib
from collections.abc import Iterator, Sequence

import keras


@contextlib.contextmanager
def data_parallel(devices: int | Sequence[str] | None = None) -> Iterator[None]:
    """Trains on several devices: each takes its part of every batch.

    Build or load the model inside, and compile, fit and evaluate it there:

    ```python
    with keras_mdl.data_parallel():
        model = keras_mdl.load_model("base.keras")
        view = model["flowers"]
        view.compile(...)
        view.fit(...)
    ```

    On TensorFlow this is `tf.distribute.MirroredStrategy`, on JAX
    `keras.distribution.DataParallel`. The mathematics is that of one device,
    whatever the batch: BatchNorm takes the statistics of the whole batch, and
    where devices get unequal parts of it, each image counts the same. Results
    differ by float rounding only. On TensorFlow a batch needs at least one
    image for each device; on JAX a batch that cannot be divided is computed
    whole on every device.

    Args:
        devices: How many devices, or their names as the backend has them
            (`["GPU:0", "GPU:1"]`, `["gpu:0"]`); `None` takes all of the
            fastest kind.

    Raises:
        ValueError: For devices that are not there, or fewer than 1; on
            backends other than TensorFlow and JAX.
    """
    backend = keras.backend.backend()
    if backend not in ("tensorflow", "jax"):
        raise ValueError(
            "data_parallel needs the TensorFlow or the JAX backend. "
            f"Received: {backend}"
        )
    names = _chosen(devices, known(backend))
    if backend == "jax":
        with _DataParallel(devices=names).scope():
            yield
        return
    import tensorflow as tf

    # Without GPUs TensorFlow would open a collective that hangs on errors.
    gpus = all(name.upper().startswith("GPU") for name in names)
    reduction = None if gpus else tf.distribute.ReductionToOneDevice()
    strategy = tf.distribute.MirroredStrategy(names, reduction)
    with strategy.scope():
        yield


class _DataParallel(keras.distribution.DataParallel):
    """As Keras', for batches of any size.

    Keras lays out every batch as the first one, which the last may not allow.
    So data come whole, and the step divides what can be divided.
    """

    def get_data_layout(self, data_shape):
        layout = super().get_data_layout(data_shape)
        return keras.distribution.TensorLayout(
            [None] * len(data_shape), layout.device_mesh
        )

    def divided(self, x):
        if x.shape[0] is None or x.shape[0] % self.device_mesh.devices.size:
            return x
        layout = super().get_data_layout(x.shape)
        return keras.distribution.distribute_tensor(x, layout)


def divided(inputs):
    """Inputs of a step, each device's part on that device (JAX)."""
    distribution = keras.distribution.distribution()
    if not isinstance(distribution, _DataParallel):
        return inputs
    return keras.tree.map_structure(distribution.divided, inputs)


def known(backend):
    """Names of all devices, those of the fastest kind first."""
    if backend == "jax":
        names = keras.distribution.list_devices()
    else:
        import tensorflow as tf

        found = tf.config.list_logical_devices()
        names = [d.name.removeprefix("/device:") for d in found]
        names = [n for n in names if n.startswith(("GPU", "CPU"))]
    return sorted(names, key=lambda n: n.lower().startswith("cpu"))


def _chosen(devices, known):
    kind = known[0].partition(":")[0]
    fastest = [n for n in known if n.startswith(kind)]
    if devices is None:
        return fastest
    if isinstance(devices, int):
        if not 1 <= devices <= len(fastest):
            raise ValueError(
                f"Expected 1 to {len(fastest)} devices of kind {kind}. "
                f"Received: {devices}. Devices: {', '.join(known)}"
            )
        return fastest[:devices]
    missing = [n for n in devices if n.lower() not in map(str.lower, known)]
    if missing or not devices:
        raise ValueError(
            f"Expected devices of: {', '.join(known)}. "
            f"Received: {', '.join(missing) or 'none'}"
        )
    return list(devices)


def replicas():
    """Between how many devices TensorFlow divides the step in the making.

    1 outside of a step, and on JAX, which computes on the whole batch
    wherever it lies.
    """
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return context.num_replicas_in_sync if context else 1


def summed(losses):
    """Sums of all devices' parts of losses, inside a step on TensorFlow."""
    if replicas() == 1:
        return losses
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, losses)


def weights_of_part(targets, sample_weight=None):
    """Weights with which each image of a batch counts the same.

    Losses are means over the images of one device, of which the optimizer
    takes the mean over devices:

    ```
    weight = devices * images here / images in all
    ```

    Args:
        targets: One tensor or a structure of tensors `(batch, ...)`.
        sample_weight: Weights at hand, of the same structure, or `None`.

    Returns:
        Sample weights in the structure of `targets`.
    """
    import tensorflow as tf

    context = tf.distribute.get_replica_context()

    def weights(target, given=None):
        here = tf.cast(tf.shape(target)[0], keras.config.floatx())
        in_all = context.all_reduce(tf.distribute.ReduceOp.SUM, here)
        factor = context.num_replicas_in_sync * here / in_all
        if given is None:
            return tf.fill([tf.shape(target)[0]], factor)
        return tf.cast(given, factor.dtype) * factor

    if sample_weight is None:
        return keras.tree.map_structure(weights, targets)
    return keras.tree.map_structure(weights, targets, sample_weight)


def require_scope(model):
    """Refuses to train a view that was not made for these devices.

    Raises:
        ValueError: If TensorFlow's strategy is not the one under which the
            view was made.
    """
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    strategy = model.distribute_strategy
    mirrored = hasattr(model.variables[0].value, "values")
    if mirrored != isinstance(strategy, tf.distribute.MirroredStrategy) or (
        tf.distribute.has_strategy()
        and tf.distribute.get_strategy() is not strategy
    ):
        raise ValueError(
            "Expected a model and a view that were made where they train. "
            f"Received: view {model.name!r} and its model made under other "
            "devices. Build or load the model, ask for the view and fit it "
            "inside of one `data_parallel`"
        )
