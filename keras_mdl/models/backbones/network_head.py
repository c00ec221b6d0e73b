"""The head of a Keras network: where its features end and classes begin."""

import fnmatch
from dataclasses import dataclass

import keras

from keras_mdl.models.backbones.keras_graph import used_tensors

_BEHIND = ("Activation", "Softmax", "Reshape", "Flatten", "Identity")


@dataclass(frozen=True)
class NetworkHead:
    """The last dense layer of a network, or what stands for one.

    Attributes:
        name: Name of the layer.
        features: Key of its input, before dropout.
        dropout: Rate of the dropout before it.
    """

    name: str
    features: str
    dropout: float

    def units(self, layers):
        """Number of classes."""
        return int(layers[self.name].kernel.shape[-1])

    def weights(self, layers):
        """Kernel and bias; zeros where there is none."""
        layer = layers[self.name]
        bias = layer.bias if layer.use_bias else None
        if bias is None:
            return [layer.kernel.value, keras.ops.zeros(self.units(layers))]
        return [layer.kernel.value, bias.value]

    def cut(self, steps):
        """The steps that the features need, and the key of the features."""
        by_output = {step["output"]: step for step in steps}
        needed, waiting = set(), [self.features]
        while waiting:
            step = by_output.get(_base(waiting.pop(), by_output))
            if step is not None and step["output"] not in needed:
                needed.add(step["output"])
                waiting += used_tensors(step)
        return [s for s in steps if s["output"] in needed], self.features


def find_head(steps, output, layers, choices):
    """The `NetworkHead`, or `None` where the network ends in features.

    Args:
        steps, output, layers: As `steps_of` returns them.
        choices: `roles` of the caller: a layer that is named there is no head.

    Raises:
        ValueError: For a last layer whose outputs are no logits or softmax.
    """
    by_output = {step["output"]: step for step in steps}
    step, behind = by_output.get(output), []
    while step and step["layer"]["class_name"] in _BEHIND:
        behind.append(step["layer"]["config"].get("activation", "linear"))
        step = by_output.get(used_tensors(step)[0])
    layer = step and layers.get(step["name"])
    dense = isinstance(layer, keras.layers.Dense) and (
        len(layer.output.shape) == 2
    )
    if not dense and not (
        isinstance(layer, keras.layers.Conv2D)
        and layer.output.shape[1:3] == (1, 1)
        and behind
    ):
        return None
    if any(fnmatch.fnmatchcase(layer.name, pattern) for pattern in choices):
        return None
    wrong = {layer.get_config()["activation"], *behind} - {"linear", "softmax"}
    if wrong:
        raise ValueError(
            f"The last layer, {step['name']!r}, is followed by "
            f"{', '.join(sorted(wrong))}. Expected: a classifier, with a "
            "softmax or nothing. If it belongs to the features, say so: "
            f"`roles={{{step['name']!r}: 'shared'}}` or `'private'`"
        )
    features, dropout = used_tensors(step)[0], 0.0
    before = by_output.get(features)
    if before and before["layer"]["class_name"] == "Dropout":
        dropout = before["layer"]["config"]["rate"]
        features = used_tensors(before)[0]
    return NetworkHead(step["name"], features, dropout)


def _base(key, by_output):
    """The key of the step that made a tensor (of several, perhaps)."""
    return key if key in by_output else key.rpartition(":")[0]
