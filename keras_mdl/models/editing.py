"""More, fewer and folded domains: each a new model over copied variables."""

import fnmatch
from typing import NamedTuple

import keras

from keras_mdl.domains import Domain, as_domains
from keras_mdl.layers.slotted_convolution import (
    TRANSFORM_ROLES,
    SlottedConvolution,
)
from keras_mdl.layers.transforms import MixedKernels, OwnKernel
from keras_mdl.models.slots import SlotSpec

# Of a new slot: what no other slot has values for.
FRESH = ("head/*", "*/adapter/*", "*/depthwise_transform/*")


def widen(model, domain, classes, init_from, changes):
    """See `MultiDomainModel.with_domain`.

    Args:
        changes: Fields of `SlotSpec` of the new domain.
    """
    domain = named_domain(domain, classes)
    mdl, name = model._mdl, domain.name
    model._require(init_from)
    source = mdl.slots[init_from]
    if source.gates:
        raise ValueError(
            f"A slot cannot start from the gated domain {init_from!r}. Choose "
            "another `init_from`, or fold its gates first (`collapsed`)"
        )
    if source.adapter:
        raise ValueError(
            f"A slot cannot start from the domain {init_from!r}: it has "
            f"adapters ({source.adapter}). Choose another `init_from`"
        )
    if changes.get("depthwise") is None:
        adapted = changes.get("adapter")
        changes["depthwise"] = "plain" if adapted else source.depthwise
    wider = with_slot(model, domain, SlotSpec(**changes))
    values = model.variables_by_path()
    own = wider.variables_by_path(name)
    # Where the new domain takes another way through the network than its
    # start, some layers have no counterpart.
    same_way = mdl.slots[init_from].options == wider.slots[name].options
    for path, value in ordinary_values(model, init_from).items():
        new = f"domains/{name}/{path}"
        if not path.startswith("head/") and (same_way or new in own):
            values[new] = value
    fresh = FRESH if same_way else ("*",)
    assign(wider, values, [f"domains/{name}/{p}" for p in fresh])
    for t in transformed(wider, name):
        t.transform.start_from(t.conv.kernel)
    return wider


def named_domain(domain, classes):
    """The `Domain` that `with_domain` was asked for.

    Raises:
        ValueError: For a name without classes, or a `Domain` with.
    """
    if not isinstance(domain, Domain):
        if classes is None:
            raise ValueError(
                f"`classes` is needed to add the domain {domain!r}"
            )
        return Domain(domain, classes)
    if classes is not None:
        raise ValueError(
            "A Domain has its classes: `classes` belongs to a name. "
            f"Received: domain={domain!r}, classes={classes!r}"
        )
    return domain


def with_slot(model, domain, spec):
    """`model` with a further domain; its variables have no values yet."""
    return rebuilt(
        model,
        [*model._mdl.domains.values(), domain],
        {**model._mdl.slots, domain.name: spec},
    )


def narrow(model, names):
    """The model with the domains `names` alone, bit-identical."""
    kept = [d for n, d in model._mdl.domains.items() if n in names]
    narrower = rebuilt(model, kept)
    values, known = model.variables_by_path(), narrower.variables_by_path()
    left = [
        p
        for p in values
        if p not in known and p.startswith("domains/")
        and p.split("/")[1] in names
    ]  # fmt: skip
    if left:
        raise RuntimeError(f"These variables would be lost: {left}")
    assign(narrower, {p: v for p, v in values.items() if p in known})
    return narrower


def fold_slots(model, names):
    """The model with ordinary kernels in the slots of `names`.

    Over-parameterised and masked ones become plain; adapted ones become
    kernels of the domain's own.
    """
    specs, kernels = dict(model._mdl.slots), {}
    names = [n for n in names if not specs[n].ordinary]
    for name in names:
        adapter = "folded" if specs[name].adapter else None
        specs[name] = specs[name].replace(depthwise="plain", adapter=adapter)
        kernels[name] = {
            t.layer: t.transform.fold(t.conv, t.alone)
            for t in transformed(model, name)
            if t.role != "depthwise"
        }
    folded = rebuilt(model, model._mdl.domains.values(), specs)
    values = model.variables_by_path()
    for name in names:
        own = f"domains/{name}/"
        values = {p: v for p, v in values.items() if not p.startswith(own)}
        for path, value in ordinary_values(model, name).items():
            values[own + path] = value
    assign(folded, values, [f"domains/{name}/*/adapter/*" for name in names])
    for name in names:
        for t in transformed(folded, name):
            t.transform.start_from(*kernels[name][t.layer])
    return folded


class Transformed(NamedTuple):
    """A kernel that a domain changes for itself.

    Attributes:
        layer: Name of the slotted layer.
        role: Role of the convolution in it.
        conv: The convolution.
        transform: The `KernelTransform`.
        alone: Whether the convolution is the whole of the layer.
    """

    layer: str
    role: str
    conv: object
    transform: object
    alone: bool


def transformed(model, domain):
    """The kernels that a domain changes for itself, as `Transformed`."""
    return [
        Transformed(name, role, conv, part, len(layer.kernel_roles) == 1)
        for name, layer in model._mdl.slotted.items()
        if isinstance(layer, SlottedConvolution) and domain in layer.domains
        for role, conv, part in layer.transformed(domain)
    ]


def ordinary_values(model, domain):
    """`{path inside the slot: value}` of the ordinary slot that `domain` has.

    What a domain does to its own depthwise kernels is multiplied in and left
    out (of a mixture, its own kernel is left); so is what it does to the
    trunk's, unless that is a kernel of its own.
    """
    values = {
        path.split("/", 2)[2]: value
        for path, value in model.variables_by_path(domain).items()
    }
    for t in transformed(model, domain):
        gone = [TRANSFORM_ROLES[t.role]]
        if isinstance(t.transform, OwnKernel):
            continue
        if isinstance(t.transform, MixedKernels):
            gone.append("gate")
        elif t.role == "depthwise":
            kernel, _ = t.transform.fold(t.conv)
            values[f"{t.layer}/depthwise/kernel"] = kernel
        gone = tuple(f"{t.layer}/{role}/" for role in gone)
        values = {p: v for p, v in values.items() if not p.startswith(gone)}
    return values


def rebuilt(model, domains, slots=None):
    """A model of the same kind with fresh variables.

    Args:
        model: A `MultiDomainModel`.
        domains: The domains of the new one.
        slots: `{domain: SlotSpec}`; default those of `model`.
    """
    config = model.get_config()
    config["domains"] = as_domains(domains)
    config["backbone"] = model._mdl.backbone
    slots = model._mdl.slots if slots is None else slots
    config["slots"] = {
        d.name: slots[d.name] for d in config["domains"] if d.name in slots
    }
    return type(model).from_config(config)


def assign(model, values, fresh=()):
    """Gives every variable of a model its value; strict on both sides.

    Args:
        model: A `MultiDomainModel`.
        values: `{path: value}`.
        fresh: Patterns of the paths that may go without, as they were made.

    Raises:
        RuntimeError: With the paths that have no value, or no variable.
    """
    variables = model.variables_by_path()
    missing = [
        p
        for p in variables
        if p not in values and not any(fnmatch.fnmatch(p, f) for f in fresh)
    ]
    left = [p for p in values if p not in variables]
    if missing or left:
        raise RuntimeError(
            "Variables and values do not fit. Without a value: "
            f"{missing or 'none'}; without a variable: {left or 'none'}"
        )
    for path, value in values.items():
        variables[path].assign(keras.ops.copy(value))
