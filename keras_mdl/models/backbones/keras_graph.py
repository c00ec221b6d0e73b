"""`keras_graph`: the backbone that replays a functional Keras network."""

import json

import keras

from keras_mdl.layers import (
    DomainBatchNormalization,
    DomainDepthwiseConv2D,
    PerDomainLayer,
    SharedConv2D,
    SharedLayer,
)
from keras_mdl.models.backbones.record import backbone

_TENSOR = "__keras_tensor__"


def steps_of(model):
    """The graph of a functional model as a flat list of plain values.

    Models nested in it are written out, their layers named after them.

    Args:
        model: A functional Keras model with one input and one output.

    Returns:
        `(steps, output, layers)`: a list of calls in an order that can be
        run, `{"name", "layer", "node", "args", "kwargs", "output"}` with
        tensors as `{"tensor": key}`; the key of the output (`"input"` is that
        of the input); and `{name: Keras layer}`.
    """
    steps, layers = [], {}
    output = _flatten(
        json.loads(model.to_json())["config"], model, "", "", ["input"], steps,
        layers,
    )  # fmt: skip
    return steps, output, layers


def _flatten(config, model, names, keys, feed, steps, layers):
    """Appends the calls of one model; returns the key of its output.

    Args:
        names: Prefix of layer names.
        keys: Prefix of tensor keys: a model may be called more than once.
        feed: Keys of its inputs.
    """
    if "output_layers" not in config:  # sequential
        return _flatten_chain(config, model, names, keys, feed, steps, layers)
    known = {}
    for name, key in zip(_ends(config["input_layers"]), feed, strict=True):
        known[f"{name}:0:0"] = key
    waiting = [
        (layer, node, call)
        for layer in config["layers"]
        for node, call in enumerate(layer["inbound_nodes"])
    ]
    while waiting:
        later = []
        for layer, node, call in waiting:
            needed = set(_tensors(call))
            if not needed <= known.keys():
                later.append((layer, node, call))
                continue
            call = _renamed(call, known)
            out = _step(layer, node, call, model, names, keys, steps, layers)
            for index in range(_OUTPUTS):
                known[f"{layer['name']}:{node}:{index}"] = f"{out}:{index}"
            known[f"{layer['name']}:{node}:0"] = out
        if len(later) == len(waiting):
            raise ValueError("The graph of the network has a circle")
        waiting = later
    (name,) = _ends(config["output_layers"], whole=True)
    return known[name]


_OUTPUTS = 8  # of one layer, at most


def _flatten_chain(config, model, names, keys, feed, steps, layers):
    key = feed[0]
    for layer in config["layers"]:
        if layer["class_name"] != "InputLayer":
            layer = {"name": layer["config"]["name"], **layer}
            call = {"args": [{"tensor": key}], "kwargs": {}}
            key = _step(layer, 0, call, model, names, keys, steps, layers)
    return key


def _step(layer, node, call, model, names, keys, steps, layers):
    name, key = names + layer["name"], f"{keys}{layer['name']}:{node}"
    if "layers" in layer["config"]:
        feed = used_tensors(call)
        return _flatten(
            layer["config"], model.get_layer(layer["name"]), f"{name}_",
            f"{key}/", feed, steps, layers,
        )  # fmt: skip
    # An operation (`x + 1`) is a step and no layer.
    for found in model.layers:
        if found.name == layer["name"]:
            layers[name] = found
    fields = ("module", "class_name", "config", "registered_name")
    # Whether norms and dropout are at work is a matter of the phase.
    kwargs = {
        k: v
        for k, v in call["kwargs"].items()
        if k != "training" and v is not None
    }
    steps.append(
        {
            "name": name,
            "layer": {f: layer[f] for f in fields},
            "args": call["args"],
            "kwargs": kwargs,
            "output": key,
        }
    )
    return key


def _ends(ends, whole=False):
    if isinstance(ends, dict):
        ends = list(ends.values())
    ends = [ends] if isinstance(ends[0], str) else ends
    return [":".join(map(str, e)) if whole else e[0] for e in ends]


def used_tensors(step):
    """The keys of the tensors that a step is called with, in order."""

    def keys(value):
        if isinstance(value, dict):
            if "tensor" in value:
                yield value["tensor"]
                return
            value = list(value.values())
        if isinstance(value, list):
            for v in value:
                yield from keys(v)

    return list(keys([step["args"], step["kwargs"]]))


def renamed_tensors(value, old, new):
    """Plain values with another key for a tensor."""
    if value == {"tensor": old}:
        return {"tensor": new}
    if isinstance(value, dict):
        return {k: renamed_tensors(v, old, new) for k, v in value.items()}
    if isinstance(value, list):
        return [renamed_tensors(v, old, new) for v in value]
    return value


def _tensors(value):
    """The keys of the tensors in a serialised call, as Keras writes them."""
    if isinstance(value, dict):
        if value.get("class_name") == _TENSOR:
            yield ":".join(map(str, value["config"]["keras_history"]))
        else:
            for v in value.values():
                yield from _tensors(v)
    elif isinstance(value, list):
        for v in value:
            yield from _tensors(v)


def _renamed(value, known):
    if isinstance(value, dict):
        if value.get("class_name") == _TENSOR:
            (key,) = _tensors(value)
            return {"tensor": known[key]}
        return {k: _renamed(v, known) for k, v in value.items()}
    return (
        [_renamed(v, known) for v in value]
        if isinstance(value, list)
        else value
    )


@backbone(raw_pixels=True)
@keras.saving.register_keras_serializable("keras_mdl")
def keras_graph(x, scope, steps, output):
    """The backbone function of `from_keras`: replays a graph with slots.

    Args:
        x: Pixels in `[0, 255]`.
        scope: As for every backbone.
        steps: As `steps_of` returns them, each with a `maker`, a key of
            `keras_mdl.models.backbones.roles.ROLES`.
        output: Key of the features.
    """
    tensors, made = {"input": x}, {}
    for step in steps:
        name = step["name"]
        args = [_value(a, tensors) for a in step["args"]]
        if name not in made:
            made[name] = _makers[step["maker"]](scope, step, args[0])
        kwargs = {k: _value(v, tensors) for k, v in step["kwargs"].items()}
        y = made[name](*args, **kwargs)
        tensors[step["output"]] = y
        if isinstance(y, (list, tuple)):
            tensors.update(
                {f"{step['output']}:{i}": t for i, t in enumerate(y)}
            )
            tensors[step["output"]] = y[0]
    return tensors[output]


def _value(value, tensors):
    if isinstance(value, dict):
        if "tensor" in value:
            return tensors[value["tensor"]]
        if "class_name" in value:
            return keras.saving.deserialize_keras_object(value)
        return {k: _value(v, tensors) for k, v in value.items()}
    if isinstance(value, list):
        return [_value(v, tensors) for v in value]
    return value


def _layer(step, **changes):
    config = {**step["layer"]["config"], **changes}
    try:
        return keras.saving.deserialize_keras_object(
            {**step["layer"], "config": config}
        )
    except Exception as error:
        raise ValueError(
            f"The layer {step['name']!r} ({step['layer']['class_name']}) "
            "cannot be made from its config; register its class with "
            f"`keras.saving.register_keras_serializable`: {error}"
        ) from error


def _with_activation(apply, step):
    activation = step["layer"]["config"].get("activation", "linear")
    if activation == "linear":
        return apply
    activate = keras.layers.Activation(
        activation, name=f"{step['name']}_activation"
    )
    return lambda x: activate(apply(x))


def _replayed(scope, step, x):
    # Operations (`x + 1`) have no name of their own choice.
    return _layer(step, name=step["name"])


def _shared_conv(scope, step, x):
    c = step["layer"]["config"]
    apply = scope(
        SharedConv2D,
        step["name"],
        filters=c["filters"],
        **_geometry(c),
        groups=c["groups"],
        use_bias=c["use_bias"],
    )
    return _with_activation(apply, step)


def _depthwise(scope, step, x):
    c = step["layer"]["config"]
    multiplier = c.get("depth_multiplier")
    if multiplier is None:  # a grouped convolution of single channels
        multiplier = c["filters"] // c["groups"]
    apply = scope(
        DomainDepthwiseConv2D,
        step["name"],
        **_geometry(c),
        depth_multiplier=multiplier,
        use_bias=c["use_bias"],
    )
    return _with_activation(apply, step)


def _separable(scope, step, x):
    c = step["layer"]["config"]
    depthwise = scope(
        DomainDepthwiseConv2D,
        f"{step['name']}_depthwise",
        **_geometry(c),
        depth_multiplier=c["depth_multiplier"],
    )
    pointwise = scope(
        SharedConv2D,
        f"{step['name']}_pointwise",
        filters=c["filters"],
        kernel_size=1,
        use_bias=c["use_bias"],
    )
    return _with_activation(lambda x: pointwise(depthwise(x)), step)


def _geometry(c):
    names = ("kernel_size", "strides", "padding", "dilation_rate")
    return {n: c[n] for n in names}


def _batch_norm(scope, step, x):
    c = step["layer"]["config"]
    return scope(
        DomainBatchNormalization,
        step["name"],
        momentum=c["momentum"],
        epsilon=c["epsilon"],
        center=c["center"],
        scale=c["scale"],
        gamma_floor=step["gamma_floor"],
    )


def _per_domain(role):
    def make(scope, step, x):
        return scope(
            PerDomainLayer, step["name"], layer=_layer(step), role=role
        )

    return make


def _shared_layer(scope, step, x):
    return scope(SharedLayer, step["name"], layer=_layer(step))


_makers = {
    "replayed": _replayed,
    "shared convolution": _shared_conv,
    "shared": _shared_layer,
    "depthwise": _depthwise,
    "separable": _separable,
    "batch norm": _batch_norm,
    "norm": _per_domain("norm"),
    "private convolution": _per_domain("conv"),
    "private": _per_domain("layer"),
}


@keras.saving.register_keras_serializable("keras_mdl")
class ReverseChannels(keras.layers.Layer):
    """RGB to BGR, or back."""

    def call(self, inputs):
        return inputs[..., ::-1]

    def compute_output_shape(self, input_shape):
        return input_shape
