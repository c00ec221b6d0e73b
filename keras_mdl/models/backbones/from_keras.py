"""`from_keras`: any functional Keras classifier as a multi-domain model."""

import fnmatch

import keras
import numpy as np

from keras_mdl.domains import Domain, as_domains
from keras_mdl.layers.domain_norm import GAMMA_FLOOR
from keras_mdl.models.backbones.keras_graph import (
    ReverseChannels,
    keras_graph,
    renamed_tensors,
    steps_of,
    used_tensors,
)
from keras_mdl.models.backbones.network_head import find_head
from keras_mdl.models.backbones.roles import (
    CHOICES,
    ROLES,
    Role,
    RoleTable,
    maker_of,
    trainable_size,
)
from keras_mdl.models.backbones.signs import dead_channels, make_gamma_positive
from keras_mdl.models.multi_domain import MultiDomainModel

# How pixels in [0, 255] become what a network was trained on:
# (x * scale + offset), after the channels were put in BGR order if asked.
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
SCALINGS = {
    "0..255": None,
    "0..1": (1 / 255, 0.0),
    "-1..1": (1 / 127.5, -1.0),
    "imagenet": (
        [1 / (255 * s) for s in _IMAGENET[1]],
        [-m / s for m, s in zip(*_IMAGENET, strict=True)],
    ),
    "caffe": (1.0, [-103.939, -116.779, -123.68]),  # BGR
}


def from_keras(
    model: keras.Model,
    domain: str | Domain | dict,
    scaling: str | tuple | None = None,
    roles: dict[str, str] | None = None,
    input_shape: tuple | None = None,
    input_dtype: str = "float32",
    name: str | None = None,
    dtype: str | None = None,
    default_phase: str | None = None,
    verbose: int = 1,
) -> MultiDomainModel:
    """A functional Keras classifier, as a trunk with one slot.

    The network's graph is replayed with slots. 1x1 and dense convolutions,
    and dense layers, are shared by all domains; depthwise convolutions and
    normalisations are private to each; a separable convolution is split into
    its halves; the last dense layer (or 1x1 convolution of one position) is
    the head. Layers without variables stay as they are. `print`s the table
    that says so, layer by layer.

    The first domain gives the outputs of the network that it came from, as
    logits: a softmax at the end is left out. Further domains come from
    `with_domain` and start as copies of the first. The file of the model
    holds the graph: it loads without the code that made the network (except
    for layer classes of your own).

    BatchNorm factors below zero behind a shared kernel, which would end the
    sharing of its bytes in exported files, are made positive: kernel row, bias
    and running mean change their sign with them, which is exact. Channels that
    are dead (all but zero kernels, no variance) are named in the table.

    Args:
        model: A functional or sequential model, built, with one input of RGB
            images and one output. It is left as it is.
        domain: Name of the first domain (its classes are then called by
            number), or a `Domain` with as many classes as the network has. A
            network without a head (`include_top=False`) gets a fresh one and
            needs a `Domain`, or several (`{name: classes}`, or a list of
            `Domain` objects) that all start from it.
        scaling: What the network expects of pixels in [0, 255]: a key of
            `SCALINGS` (`"0..255"`: as they are; `"0..1"`, `"-1..1"`,
            `"imagenet"`: mean and deviation, `"caffe"`: BGR, mean) or a pair
            (mean, deviation) of the range 0 to 1. It is the same for all
            domains, whatever their `mean` and `std`. Default: `"0..255"` for
            a network that begins with `Rescaling` or `Normalization`.
        roles: `{pattern of layer names: "shared" or "private"}`, for layers
            of kinds that are not known here, and where you want it otherwise
            (a private stem). Layers in nested models are called
            `<model>_<layer>` in paths; patterns are over their own names.
        input_shape: `(height, width, 3)`; default that of the network.
        input_dtype, name, dtype, default_phase: As `MultiDomainModel`. For a
            network that comes with weights `"domain_kept"` is the phase to
            try first.
        verbose: Whether to print the table of roles.

    Returns:
        A `MultiDomainModel`. Its `backbone_config` holds the graph.

    Raises:
        ValueError: For a network that is not functional or has several inputs
            or outputs, a Lambda, channels first, LoRA or quantized layers,
            layers with variables that no rule and no `roles` speak of or that
            take several tensors, a pattern that matches nothing, a head that
            does not fit the domain, a scaling that is not known and cannot be
            read off.

    Example:

    >>> network = keras.applications.MobileNetV2(
    ...     (32, 32, 3), alpha=0.35, weights=None, classes=3
    ... )
    >>> model = from_keras(network, "flowers", scaling="-1..1", verbose=0)
    >>> model = model.with_domain("signs", classes=["stop", "yield"])
    """
    network = _functional(model)
    steps, output, layers = steps_of(network)
    roles = dict(roles or {})
    head = find_head(steps, output, layers, roles)
    if head is not None:
        steps, output = head.cut(steps)
    steps = _scaled(steps, scaling)
    _mark_makers(steps, layers, roles)
    pairs = _normalized_convolutions(steps)
    for _, norm in pairs:
        if norm["maker"] == "batch norm":
            norm["gamma_floor"] = _floor(layers[norm["name"]])
    domains = _domains(domain, head, layers)
    taken = MultiDomainModel(
        domains,
        keras_graph,
        {"steps": steps, "output": output},
        input_shape=input_shape or network.input_shape[1:],
        input_dtype=input_dtype,
        dropout=head.dropout if head else 0.0,
        name=name or model.name,
        dtype=dtype,
        default_phase=default_phase,
    )
    for domain in taken:
        _copy_weights(taken, domain, steps, layers, head)
    turned = 0
    for conv, norm in pairs:
        pointwise = "_pointwise" if conv["maker"] == "separable" else ""
        turned += make_gamma_positive(
            taken, conv["name"] + pointwise, norm["name"]
        )
    table = _table(taken, steps, layers, head, turned)
    if verbose:
        print(table)
    return taken


def _functional(model):
    if isinstance(model, keras.Sequential) and model.built:
        model = keras.Model(model.inputs, model.outputs, name=model.name)
    if getattr(model, "inputs", None) is None:
        raise ValueError(
            "`model` must be a functional Keras model, or a sequential one "
            "that is built: only their graphs can be replayed. Received: "
            f"{type(model).__name__}"
        )
    ends = len(model.inputs), len(model.outputs)
    if ends != (1, 1):
        raise ValueError(
            "`model` must have one input and one output. "
            f"Received: {ends[0]} inputs, {ends[1]} outputs"
        )
    return model


def _domains(domain, head, layers):
    units = head and head.units(layers)
    if isinstance(domain, str):
        if head is None:
            raise ValueError(
                "The network has no classifier at its end: give the classes, "
                f"`Domain({domain!r}, classes=...)`"
            )
        domain = Domain(domain, units)
    domains = as_domains([domain] if isinstance(domain, Domain) else domain)
    if head is not None and len(domains) > 1:
        raise ValueError(
            "The network has one classifier: name the domain it was trained "
            "on, then add others with `with_domain`. "
            f"Received: {', '.join(d.name for d in domains)}"
        )
    domain = domains[0]
    if units not in (None, domain.num_classes):
        raise ValueError(
            f"The network has {units} classes, the domain {domain.name!r} has "
            f"{domain.num_classes}. Name the domain it was trained on first, "
            "then add yours with `with_domain`"
        )
    return domains


def _scaled(steps, scaling):
    """The steps behind what the network expects of its pixels."""
    if scaling is None:
        first = {
            s["layer"]["class_name"]
            for s in steps
            if "input" in used_tensors(s)
        }
        if not first <= {"Rescaling", "Normalization"}:
            raise ValueError(
                "What the network expects of its pixels cannot be read off its "
                f"first layer ({', '.join(sorted(first))}): say it. "
                f"`scaling` is one of {', '.join(map(repr, SCALINGS))}, or "
                "(mean, deviation) in units of the range 0 to 1"
            )
        return steps
    if isinstance(scaling, str):
        if scaling not in SCALINGS:
            raise ValueError(
                f"Unknown scaling: {scaling!r}. Known scalings: "
                f"{', '.join(map(repr, SCALINGS))}, or (mean, deviation)"
            )
        numbers = SCALINGS[scaling]
    else:
        mean, deviation = (np.broadcast_to(v, 3).tolist() for v in scaling)
        numbers = (
            [1 / (255 * d) for d in deviation],
            [-m / d for m, d in zip(mean, deviation, strict=True)],
        )
    if numbers is None:
        return steps
    numbers = [_one_or_three(n) for n in numbers]
    chain = [keras.layers.Rescaling(*numbers, dtype="float32", name="scaling")]
    if scaling == "caffe":
        chain.insert(0, ReverseChannels(dtype="float32", name="rgb_to_bgr"))
    key, new = "input", []
    for layer in chain:
        config = keras.saving.serialize_keras_object(layer)
        config.pop("build_config", None)
        new.append(
            {
                "name": layer.name,
                "layer": config,
                "args": [{"tensor": key}],
                "kwargs": {},
                "output": layer.name,
            }
        )
        key = layer.name
    return new + renamed_tensors(steps, "input", key)


def _one_or_three(numbers):
    """A number for all channels, if it is one: runtimes multiply faster."""
    if not isinstance(numbers, list):
        return numbers
    # Of three axes, which Keras' setting of the data format does not turn.
    return [[numbers]] if len(set(numbers)) > 1 else numbers[0]


def _mark_makers(steps, layers, choices):
    """Writes `maker`, a key of `ROLES`, into each step."""
    for pattern, choice in choices.items():
        if choice not in CHOICES:
            raise ValueError(
                f"`roles` are {' or '.join(map(repr, CHOICES))}. "
                f"Received: {pattern!r}: {choice!r}"
            )
        matter = {n: x for n, x in layers.items() if x.weights}
        if not any(
            fnmatch.fnmatchcase(x.name, pattern) for x in matter.values()
        ):
            raise ValueError(
                "No layer with variables of the network matches the pattern "
                f"{pattern!r} of `roles`. They are: {', '.join(matter)}"
            )
    pooled = set()
    for step in steps:
        layer = layers.get(step["name"])
        step["maker"] = "replayed"
        used = set(used_tensors(step))
        kind = step["layer"]["class_name"]
        if kind.startswith("Global") or (used and used <= pooled):
            pooled.add(step["output"])
        if layer is None:
            continue
        step["maker"] = maker_of(layer, choices)
        if step["maker"] != "replayed" and len(used_tensors(step)) != 1:
            raise ValueError(
                f"The layer {layer.name!r} ({kind}) has variables and is "
                f"called with {len(used_tensors(step))} tensors. Expected: 1; "
                "only layers without variables may have more"
            )
        if step["maker"] == "shared convolution" and used <= pooled:
            # Of one position: a dense layer in disguise, as in squeeze-and-
            # excitation. What methods do to convolutions over images is not
            # for it.
            step["maker"] = "shared"
        config = step["layer"]["config"]
        if isinstance(layer, keras.layers.Normalization):
            # Statistics that were adapted become constants of the graph.
            for key in ("mean", "variance"):
                values = keras.ops.convert_to_numpy(getattr(layer, key))
                config[key] = np.ravel(values).tolist()
        elif not isinstance(layer, keras.layers.Rescaling):
            # The policy of the new model decides.
            config.pop("dtype", None)
        step["gamma_floor"] = None


def _normalized_convolutions(steps):
    """Pairs of steps: a shared kernel, and the one norm or scale behind it."""
    users, calls = {}, {}
    for step in steps:
        calls[step["name"]] = calls.get(step["name"], 0) + 1
        for key in used_tensors(step):
            users.setdefault(key, []).append(step)
    pairs = []
    for conv in steps:
        behind = users.get(conv["output"], [])
        kind, config = (conv["layer"][k] for k in ("class_name", "config"))
        if (
            (
                conv["maker"] in ("shared convolution", "separable")
                # MobileNetV4 has a convolution behind the pooling.
                or (conv["maker"] == "shared" and kind in ("Conv2D", "Dense"))
            )
            and config["activation"] == "linear"
            and len(behind) == 1
            and _has_factor(behind[0])
            and calls[conv["name"]] == calls[behind[0]["name"]] == 1
        ):
            pairs.append((conv, behind[0]))
    return pairs


def _has_factor(step):
    if step["layer"]["class_name"] == "LayerScale":
        return step["maker"] == "private"
    return step["maker"] == "batch norm" and step["layer"]["config"]["scale"]


def _floor(norm):
    """A floor for training that is below every factor there is."""
    smallest = float(np.abs(keras.ops.convert_to_numpy(norm.gamma)).min())
    return min(GAMMA_FLOOR, smallest) or None


def _copy_weights(model, domain, steps, layers, head):
    done = {}
    for name in {step["name"] for step in steps} & layers.keys():
        weights = [w.value for w in layers[name].weights]
        maker = next(s["maker"] for s in steps if s["name"] == name)
        if maker == "separable":
            depthwise, *pointwise = weights
            done[f"{name}_depthwise"] = [depthwise]
            done[f"{name}_pointwise"] = pointwise
        elif maker != "replayed":
            done[name] = weights
    if head is not None:
        done["head"] = head.weights(layers)
    for name, values in done.items():
        parts = model._mdl.slotted[name].parts(domain).values()
        variables = [v for part in parts for v in part.weights]
        for variable, value in zip(variables, values, strict=True):
            # (1, 1, n, classes) of a convolution, (k, k, 1, n) of groups. A
            # copy: JAX gives buffers away while it trains.
            value = keras.ops.reshape(value, variable.shape)
            variable.assign(keras.ops.copy(value))


def _table(model, steps, layers, head, turned):
    names = dict.fromkeys(s["name"] for s in steps if s["name"] in layers)
    rows = []
    for name in names:
        layer = layers[name]
        maker = next(s["maker"] for s in steps if s["name"] == name)
        if maker != "replayed":
            kind, size = type(layer).__name__, trainable_size(layer)
            rows.append(Role(name, kind, ROLES[maker], size))
    if head is not None:
        layer = layers[head.name]
        size = trainable_size(layer)
        rows.append(Role(head.name, type(layer).__name__, "head", size))
    trunk, first, *_ = model.summary_by_domain().rows
    count = trunk.parameters + first.parameters
    count -= first.head if head is None else 0
    missing = 0
    if head is not None and not layers[head.name].use_bias:
        missing = head.units(layers)
    if sum(r.parameters for r in rows) + missing != count:
        raise RuntimeError(
            "The table of roles and the model disagree about parameters: "
            f"{sum(r.parameters for r in rows) + missing:,}, {count:,}"
        )
    notes = []
    if turned:
        notes.append(
            f"{turned} factors of norms were below zero and changed their "
            "sign with their kernels"
        )
    notes += dead_channels(model)
    if any(_has_penalty(x) for x in layers.values()):
        notes.append("Regularizers and constraints are not taken over")
    return RoleTable(tuple(rows), tuple(notes))


def _has_penalty(layer):
    return any(
        value is not None
        for key, value in layer.get_config().items()
        if key.endswith(("_regularizer", "_constraint"))
    )
