"""The functional graph of one domain, and what is checked about it."""

import contextlib
from typing import NamedTuple

import keras

from keras_mdl.layers import DomainHead
from keras_mdl.models.backbones.record import backbone_of
from keras_mdl.models.macs import total
from keras_mdl.models.scope import Scope


class Graph(NamedTuple):
    """The functional graph of one domain.

    Attributes:
        inputs, outputs: Symbolic tensors.
        endpoints: `{layer name: symbolic output}` of the slotted layers, and
            the weights of a gate as `"<layer>/gate"`.
        makers: `{endpoint: the part that made it}`.
        parts: All parts of slotted layers that were called.
    """

    inputs: object
    outputs: object
    endpoints: dict
    makers: dict
    parts: list


def domain_graph(mdl, domain, policy):
    """The `Graph` of one domain.

    (The `output` of a layer that several graphs share is that of the first
    graph; `endpoints` are this graph's.)

    Args:
        mdl: The model's namespace; new slotted layers are added to
            `mdl.slotted`; the domain's multiply-accumulates, and those of its
            transforms alone, are noted in `mdl.macs`.
        domain: Name of the domain.
        policy: The model's dtype policy.

    Raises:
        ValueError: If an option of the domain is used by no layer, or two
            domains want one layer differently.
    """
    info = mdl.domains[domain]
    scope = Scope(info, mdl.slots[domain], mdl.slotted, mdl.asked, policy)
    inputs = keras.Input(mdl.input_shape, dtype=mdl.input_dtype, name="images")
    if backbone_of(mdl.backbone).raw_pixels:
        x = keras.ops.cast(inputs, "float32")
    else:
        # (pixels / 255 - mean) / std, in float32 under any policy. Of three
        # axes, which Keras' setting of the data format does not turn.
        offset = [-m / s for m, s in zip(info.mean, info.std, strict=True)]
        x = keras.layers.Rescaling(
            scale=[[[1 / (255 * s) for s in info.std]]],
            offset=[[offset]],
            dtype="float32",
            name="normalize",
        )(inputs)
    x = mdl.backbone(x, scope, **mdl.backbone_config)
    if len(x.shape) == 4:
        x = keras.layers.GlobalAveragePooling2D(
            data_format="channels_last", name="pool"
        )(x)
    if mdl.include_top:
        x = scope(DomainHead, "head", units=info.num_classes)(x)
    scope.require_all_used()
    mdl.macs[domain] = total(scope.macs), total(scope.transform_macs)
    return Graph(inputs, x, scope.endpoints, scope.makers, scope.parts)


def all_endpoints(view, graph):
    """The outputs of slotted layers and of the layers between, in order.

    Without what stands before the backbone: input and normalisation.

    Args:
        view: The functional model of the domain.
        graph: Its `Graph`.
    """
    made, inside = {}, {id(part) for part in graph.parts}
    for name, part in graph.makers.items():
        made.setdefault(id(part), []).append(name)
    found = {}
    for operation in view.operations:
        for name in made.get(id(operation), ()):
            found[name] = graph.endpoints[name]
        outside = operation.name in ("images", "normalize")
        if id(operation) not in inside and not outside:
            # A layer without variables is made anew for each graph.
            found.setdefault(operation.name, operation.output)
    return found


def require_owned(view, parts):
    """Refuses a network with variables that belong to no part.

    They would be in no count, no fingerprint and no file.

    Raises:
        ValueError: With the names of the layers that hold them.
    """
    owned = {id(v) for layer in parts for v in layer.weights}
    strangers = [
        f"{layer.name} ({type(layer).__name__}, {len(layer.weights)} variables)"
        for layer in view.layers
        if any(id(v) not in owned for v in layer.weights)
    ]
    if strangers:
        raise ValueError(
            "Every variable belongs to the trunk or to one domain, but the "
            "backbone uses layers with variables directly: "
            f"{', '.join(strangers)}. Make them through the scope: "
            "`scope(SharedLayer, name, layer=...)` for the trunk, "
            "`scope(PerDomainLayer, name, layer=...)` for each domain"
        )


@contextlib.contextmanager
def policy_scope(policy):
    """`policy` as the dtype policy of all layers made inside.

    Backbones make layers without naming a policy. The global one of the
    moment must not decide: it may be another when the model is loaded.
    """
    outside = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(outside)


def check_input(input_shape, input_dtype, multiple):
    """Raises a `ValueError` for an input that no network can have."""
    if input_dtype not in ("float32", "uint8"):
        raise ValueError(
            "`input_dtype` must be 'float32' or 'uint8'. "
            f"Received: input_dtype={input_dtype!r}"
        )
    shape = tuple(input_shape) if input_shape is not None else ()
    if len(shape) != 3 or shape[2] != 3:
        raise ValueError(
            "`input_shape` must be (height, width, 3); height and width may be "
            f"None. Received: input_shape={input_shape}"
        )
    for n in shape[:2]:
        if n is not None and (n < multiple or n % multiple):
            raise ValueError(
                f"Height and width in `input_shape` must be divisible by "
                f"{multiple}, or None: the network halves the image and a "
                "strided convolution rounds up where the average-pool "
                "shortcut rounds down. "
                f"Received: input_shape={input_shape}"
            )
