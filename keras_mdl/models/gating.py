"""Soft sharing: gates over depthwise kernels, put in, looked at, folded."""

import fnmatch
from dataclasses import dataclass

import keras
import numpy as np

from keras_mdl.domains import require_domain
from keras_mdl.models import editing
from keras_mdl.models.backbones.record import backbone_of
from keras_mdl.models.phased import PhasedModel
from keras_mdl.models.scope import gateable


def gateable_layers(model):
    """Names of the layers that can mix kernels, in the order of the network."""
    slotted = model._mdl.slotted.items()
    return [name for name, layer in slotted if gateable(layer)]


def choose_layers(model, layers):
    """The names that `layers` stands for.

    Args:
        model: A `MultiDomainModel`.
        layers: `"all"`; `"early"`, `"middle"` or `"late"`, where the
            backbone's record says what that is; a name or a pattern such
            as `"stage3_*"`; or a list of any of these.

    Raises:
        ValueError: If one of them matches no layer.
    """
    known = gateable_layers(model)
    regions = backbone_of(model._mdl.backbone).regions
    asked = [layers] if isinstance(layers, str) else list(layers)
    if not asked:
        raise ValueError("`layers` must name at least one. Received: []")
    meaning = {"all": ["*"], **regions}
    chosen = set()
    for pattern in (p for name in asked for p in meaning.get(name, [name])):
        found = fnmatch.filter(known, pattern)
        if not found:
            raise ValueError(
                f"No layer with depthwise slots matches {pattern!r}. Known: "
                f"{', '.join(map(repr, meaning))}, or names and patterns of: "
                f"{', '.join(known)}"
            )
        chosen.update(found)
    return [name for name in known if name in chosen]


def add_gate(model, domain, layers, sources, own_weight):
    """See `MultiDomainModel.with_gate`."""
    mdl = model._mdl
    require_domain(domain, mdl.domains)
    spec = mdl.slots[domain]
    if spec.gates:
        raise ValueError(
            f"The domain {domain!r} has gates already: take them out first "
            "(`without_gate`) or fold them (`collapsed`)"
        )
    if spec.adapter:
        raise ValueError(
            f"The domain {domain!r} has adapters ({spec.adapter}): "
            "gates mix the depthwise kernels of ordinary slots"
        )
    if sources is None:
        sources = [d for d in mdl.domains if d != domain]
    sources = [sources] if isinstance(sources, str) else list(sources)
    for source in sources:
        require_domain(source, mdl.domains)
    if not sources:
        raise ValueError(
            "A gate mixes at least two domains. Received: sources=[], domains "
            f"of the model: {list(mdl.domains)}"
        )
    chosen = choose_layers(model, layers)
    gates = {name: sources for name in chosen}
    spec = spec.replace(depthwise="plain", gates=gates)
    gated = editing.rebuilt(
        model, mdl.domains.values(), {**mdl.slots, domain: spec}
    )
    own = f"domains/{domain}/"
    values = {
        p: v
        for p, v in model.variables_by_path().items()
        if not p.startswith(own)
    }
    for path, value in editing.ordinary_values(model, domain).items():
        values[own + path] = value
    for source in sources:
        kernels = editing.ordinary_values(model, source)
        for layer in chosen:
            copy = f"{own}{layer}/depthwise_transform/source_{source}"
            values[copy] = kernels[f"{layer}/depthwise/kernel"]
    editing.assign(gated, values, [own + "*/gate/*"])
    if own_weight is not None:
        for name in chosen:
            gate = gated._mdl.slotted[name].slot(domain)["gate"]
            gate.start_at(domain, own_weight)
    return gated


def remove_gate(model, domain):
    """See `MultiDomainModel.without_gate`."""
    mdl = model._mdl
    require_gate(model, domain)
    spec = mdl.slots[domain].replace(gates={})
    hard = editing.rebuilt(
        model, mdl.domains.values(), {**mdl.slots, domain: spec}
    )
    known, values = hard.variables_by_path(), model.variables_by_path()
    editing.assign(hard, {p: v for p, v in values.items() if p in known})
    return hard


def collapse(model, domain, images, max_variation, batch_size):
    """See `MultiDomainModel.collapsed`."""
    statistics = gate_statistics(model, domain, images, batch_size)
    worst = max(statistics, key=lambda s: s.variation)
    if worst.variation > max_variation:
        raise ValueError(
            f"The gates of {domain!r} depend on the image: in layer "
            f"{worst.layer!r} the mixed kernel varies by "
            f"{worst.variation:.3f} of its size between images, more than "
            f"max_variation={max_variation}. A fixed kernel may cost accuracy; "
            "allow more (and compare the accuracies), or gate other layers"
        )
    return fold_gates(model, domain, statistics)


def fold_gates(model, domain, statistics):
    """The model with each gate replaced by the mean weights in `statistics`."""
    plain = remove_gate(model, domain)
    kernels = plain.variables_by_path(domain)
    for s in statistics:
        part = model._mdl.slotted[s.layer].slot(domain)["depthwise_transform"]
        own = kernels[f"domains/{domain}/{s.layer}/depthwise/kernel"]
        mean = keras.ops.convert_to_tensor(s.mean[None])
        own.assign(part.call(own.value, mean)[0])
    return plain


@dataclass(frozen=True)
class GateStatistics:
    """What the gate of one layer does on the images of its domain.

    Attributes:
        layer: Name of the layer.
        domains: The domains it mixes, in the order of `mean`.
        mean: `(T,)`, mean weight of each.
        entropy: Mean entropy of the weights of an image, in nats: 0 where one
            domain has all, `log(T)` where all have the same.
        variation: How much the mixed kernel `K(x)` depends on the image:
            root mean square of `|K(x) - mean K|` over `|mean K|`. 0: not at
            all, the gate can be folded exactly.
        spread: The same of the weights: mean total variation distance
            between an image's weights and `mean`, in [0, 1].
    """

    layer: str
    domains: tuple
    mean: np.ndarray
    entropy: float
    variation: float
    spread: float


def gate_weights(model, domain, images, batch_size=64):
    """The weights that each gate of a domain gives to each image.

    Args:
        model: A `MultiDomainModel`.
        domain: Name of a gated domain.
        images: What `predict` of the domain's view takes: an array
            `(n, height, width, 3)` in [0, 255], or batches.
        batch_size: For arrays.

    Returns:
        `{layer name: array (n, T)}`, columns in the order of the gate's
        `domains`.

    Raises:
        ValueError: If the domain has no gate.
    """
    gates = require_gate(model, domain)
    if isinstance(images, (list, tuple)) or 0 in getattr(images, "shape", ()):
        raise ValueError(
            "`images` must be an array (n, height, width, 3) with n > 0, or "
            f"batches. Received: {type(images).__name__} of "
            f"{len(images)} images"
        )
    view = model.for_domain(domain, phase="frozen")
    outputs = {name: view.endpoints[f"{name}/gate"] for name in gates}
    options = {"batch_size": batch_size} if hasattr(images, "shape") else {}
    # A model that keeps its variables whatever happens while it predicts.
    model = PhasedModel(view.input, outputs)
    return model.predict(images, verbose=0, **options)


def gate_statistics(model, domain, images, batch_size=64):
    """`GateStatistics` of each gated layer, in the order of the network."""
    weights = gate_weights(model, domain, images, batch_size)
    return [
        _statistics(name, layer.slot(domain), weights[name])
        for name, layer in model._mdl.slotted.items()
        if name in weights
    ]


def _statistics(name, parts, weights):
    weights = np.asarray(weights, np.float64)
    mean = weights.mean(axis=0)
    part = parts["depthwise_transform"]
    kernels = keras.ops.convert_to_numpy(part.stack(parts["depthwise"].kernel))
    kernels = kernels.astype(np.float64).reshape(len(kernels), -1)
    # |sum_t a_t K_t|^2 from the products of kernels, without mixing them.
    products = kernels @ kernels.T
    away = weights - mean
    square = np.einsum("nt,tu,nu->n", away, products, away).mean()
    size = mean @ products @ mean
    logs = np.log(np.clip(weights, 1e-30, None))
    return GateStatistics(
        layer=name,
        domains=part.domains,
        mean=mean.astype("float32"),
        entropy=float(-(weights * logs).sum(axis=1).mean()),
        variation=float(np.sqrt(max(square, 0) / max(size, 1e-30))),
        spread=float(np.abs(away).sum(axis=1).mean() / 2),
    )


def require_gate(model, domain):
    """`{layer name: gate}` of a gated domain.

    Raises:
        ValueError: If the domain is unknown or has no gate.
    """
    require_domain(domain, model._mdl.domains)
    slots = model._mdl.slots
    if not slots[domain].gates:
        gated = [d for d, spec in slots.items() if spec.gates]
        raise ValueError(
            f"The domain {domain!r} has no gate. Gated domains: "
            f"{', '.join(gated) or 'none'} (see `with_gate`)"
        )
    return {
        name: model._mdl.slotted[name].slot(domain)["gate"]
        for name in gateable_layers(model)
        if name in slots[domain].gates
    }
