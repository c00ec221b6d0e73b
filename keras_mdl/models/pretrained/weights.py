"""Tensors of PyTorch checkpoints into Keras layers, strictly."""

import hashlib

import keras
import numpy as np

_NORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def assign_torch(network, tensors, names):
    """Gives every variable of a Keras network its tensor.

    Kernels change their axes: `(out, in, h, w)` to `(h, w, in, out)`,
    depthwise `(channels, 1, h, w)` to `(h, w, channels, 1)`, dense
    `(out, in)` to `(in, out)`.

    Args:
        network: A functional Keras model.
        tensors: `{name: array}`.
        names: `{name of a Keras layer: prefix in tensors}`, of all layers
            with variables.

    Raises:
        ValueError: If tensors are missing, left over or of another shape:
            they are of another network. Nothing is changed then.
    """
    values, used = {}, set()
    for layer in network.layers:
        for variable in layer.weights:
            part = variable.name
            if hasattr(layer, "moving_mean"):
                part = _NORM[part]
            elif part != "bias":
                part = "weight"
            name = f"{names[layer.name]}.{part}"
            value = tensors.get(name)
            if value is None:
                raise ValueError(
                    f"The weights are of another network than {network.name}: "
                    f"they have no {name!r}"
                )
            if value.ndim == 4:
                depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
                axes = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
                value = value.transpose(axes)
            elif value.ndim == 2:
                value = value.T
            if value.shape != tuple(variable.shape):
                raise ValueError(
                    f"The weights are of another network than {network.name}: "
                    f"{name!r} has the shape {tensors[name].shape}, "
                    f"{layer.name} needs {tuple(variable.shape)}"
                )
            values[layer.name, variable.name] = (variable, value)
            used.add(name)
    left = [
        name
        for name in tensors
        if name not in used and not name.endswith("num_batches_tracked")
    ]
    if left:
        raise ValueError(
            f"The weights are of another network than {network.name}: it has "
            f"no place for {', '.join(left[:5])}"
        )
    if not all(np.isfinite(value).all() for _, value in values.values()):
        raise ValueError("The weights are damaged: some are not finite")
    for variable, value in values.values():
        variable.assign(value)


def require_hash(path, sha256):
    """Refuses a file whose SHA-256 is another.

    Raises:
        ValueError: With both.
    """
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise ValueError(
            f"{path} is damaged, or another version than is known here. "
            f"Expected SHA-256: {sha256}, received: {found}"
        )
