"""Soft sharing: gates over depthwise kernels, put in, looked at, folded."""

import fnmatch
from dataclasses import dataclass

import keras
import numpy as np

from keras_mdl.domains import require_domain
from keras_mdl.models import widening
from keras_mdl.models.phased import PhasedModel


def gateable_layers(model):
    """Names of the layers that can mix kernels, in the order of the network."""
    slotted = model._mdl.slotted.items()
    return [n for n, layer in slotted if "gates" in layer.slot_options]


def choose_layers(model, layers):
    """The names that `layers` stands for.

    Args:
        model: A `MultiDomainModel`.
        layers: `"all"`; `"early"`, `"middle"` or `"late"`, where the backbone
            says what that is (`backbone.regions`); a name or a pattern such
            as `"stage3_*"`; or a list of any of these.

    Raises:
        ValueError: If one of them matches no layer.
    """
    known = gateable_layers(model)
    regions = getattr(model._mdl.backbone, "regions", {})
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
    if mdl.gates.get(domain):
        raise ValueError(
            f"The domain {domain!r} has gates already: take them out first "
            "(`without_gate`) or fold them (`collapsed`)"
        )
    if mdl.adapters.get(domain):
        raise ValueError(
            f"The domain {domain!r} has adapters ({mdl.adapters[domain]}): "
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
    gated = widening.rebuilt(
        model,
        mdl.domains.values(),
        depthwise={**mdl.depthwise, domain: "plain"},
        gates={**mdl.gates, domain: {name: sources for name in chosen}},
    )
    values = model.variables_by_path()
    for source in (domain, *sources):
        for path, value in widening.ordinary_values(model, source).items():
            layer, _, kernel = path.partition("/depthwise/")
            if source == domain:
                values[f"domains/{domain}/{path}"] = value
            elif kernel == "kernel" and layer in chosen:
                copy = f"domains/{domain}/{layer}/depthwise/source_{source}"
                values[copy] = value
    widening.assign(gated, values)
    if own_weight is not None:
        for name in chosen:
            gate = gated._mdl.slotted[name].slot(domain)["gate"]
            gate.start_at(domain, own_weight)
    return gated


def remove_gate(model, domain):
    """See `MultiDomainModel.without_gate`."""
    mdl = model._mdl
    require_gate(model, domain)
    gates = {d: g for d, g in mdl.gates.items() if d != domain}
    hard = widening.rebuilt(model, mdl.domains.values(), gates=gates)
    widening.assign(hard, model.variables_by_path())
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
        part = model._mdl.slotted[s.layer].slot(domain)["depthwise"]
        mean = keras.ops.convert_to_tensor(s.mean[None])
        kernel = keras.ops.expand_dims(part.mixed(mean)[0], -1)
        kernels[f"domains/{domain}/{s.layer}/depthwise/kernel"].assign(kernel)
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
        _statistics(name, layer.slot(domain)["depthwise"], weights[name])
        for name, layer in model._mdl.slotted.items()
        if name in weights
    ]


def _statistics(name, part, weights):
    weights = np.asarray(weights, np.float64)
    mean = weights.mean(axis=0)
    kernels = np.stack(
        [
            np.asarray(keras.ops.convert_to_numpy(k), np.float64).ravel()
            for k in part.kernels.values()
        ]
    )
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
    if not model._mdl.gates.get(domain):
        gated = [d for d, layers in model._mdl.gates.items() if layers]
        raise ValueError(
            f"The domain {domain!r} has no gate. Gated domains: "
            f"{', '.join(gated) or 'none'} (see `with_gate`)"
        )
    return {
        name: model._mdl.slotted[name].slot(domain)["gate"]
        for name in gateable_layers(model)
        if name in model._mdl.gates[domain]
    }
