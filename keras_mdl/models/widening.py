"""More, fewer and folded domains: each a new model over copied variables."""

import keras

from keras_mdl.domains import Domain, as_domains
from keras_mdl.layers.adapters import MaskedDepthwiseConv2D, OwnKernel
from keras_mdl.layers.do_conv import DOConvolution
from keras_mdl.models.building import by_path

# Adapters that are kernels of the domain's own: nothing to fold.
ORDINARY = ("own", "folded")


def widen(
    model,
    domain,
    classes=None,
    init_from=None,
    dropout=0.0,
    depthwise=None,
    gates=None,
    adapter=None,
):
    """See `MultiDomainModel.with_domain`.

    Args:
        init_from: Here `None` leaves the slot as it is made.
        gates: `{layer: other domains}` of the new domain. Its copies of their
            kernels have no values yet.
    """
    if not isinstance(domain, Domain):
        if classes is None:
            raise ValueError(
                f"`classes` is needed to add the domain {domain!r}"
            )
        domain = Domain(domain, classes)
    elif classes is not None:
        raise ValueError(
            "A Domain has its classes: `classes` belongs to a name. "
            f"Received: domain={domain!r}, classes={classes!r}"
        )
    mdl, name = model._mdl, domain.name
    if init_from is not None:
        model._require(init_from)
    if mdl.gates.get(init_from):
        raise ValueError(
            f"A slot cannot start from the gated domain {init_from!r}. Choose "
            "another `init_from`, or fold its gates first (`collapsed`)"
        )
    if mdl.adapters.get(init_from):
        raise ValueError(
            f"A slot cannot start from the domain {init_from!r}: it has "
            f"adapters ({mdl.adapters[init_from]}). Choose another `init_from`"
        )
    wider = rebuilt(
        model,
        [*mdl.domains.values(), domain],
        dropout={**mdl.dropout, name: dropout},
        depthwise={
            **mdl.depthwise,
            name: depthwise
            or ("plain" if adapter else mdl.depthwise.get(init_from, "plain")),
        },
        gates={**mdl.gates, **({name: gates} if gates else {})},
        adapters={**mdl.adapters, **({name: adapter} if adapter else {})},
    )
    values = model.variables_by_path()
    if init_from is not None:
        for path, value in ordinary_values(model, init_from).items():
            if not path.startswith("head/"):
                values[f"domains/{name}/{path}"] = value
    assign(wider, values)
    for conv, part in adapted(wider, name):
        if isinstance(part, OwnKernel):
            part.start_from(conv.kernel)
    return wider


def narrow(model, names):
    """The model with the domains `names` alone, bit-identical."""
    kept = [d for n, d in model._mdl.domains.items() if n in names]
    narrower = rebuilt(model, kept)
    assign(narrower, model.variables_by_path())
    return narrower


def fold_slots(model, names):
    """The model with ordinary kernels in the slots of `names`.

    Over-parameterised and masked ones become plain; adapted ones become
    kernels of the domain's own.
    """
    mdl = model._mdl
    adapted_names = [
        n for n in names if mdl.adapters.get(n, "own") not in ORDINARY
    ]
    kernels = {n: _folded_kernels(model, n) for n in adapted_names}
    folded = rebuilt(
        model,
        mdl.domains.values(),
        depthwise={**mdl.depthwise, **dict.fromkeys(names, "plain")},
        adapters={
            **mdl.adapters,
            **dict.fromkeys(adapted_names, "folded"),
        },
    )
    values = model.variables_by_path()
    for name in names:
        for path, value in ordinary_values(model, name).items():
            values[f"domains/{name}/{path}"] = value
    # What adapters have learnt arrives as kernels.
    values = {
        p: v
        for p, v in values.items()
        if p.split("/")[3:4] != ["adapter"] or p.split("/")[1] not in kernels
    }
    assign(folded, values)
    for name in adapted_names:
        for (_, part), new in zip(
            adapted(folded, name), kernels[name], strict=True
        ):
            part.start_from(*new)
    return folded


def adapted(model, domain):
    """`[(convolution, adapter), ...]` of the adapters of a domain."""
    found = []
    for layer in model._mdl.slotted.values():
        parts = layer.parts(domain)
        if "adapter" in parts:
            conv = parts.get("pointwise", parts.get("conv"))
            found.append((conv, parts["adapter"]))
    return found


def _folded_kernels(model, domain):
    return [
        part.folded(
            keras.ops.convert_to_tensor(conv.kernel),
            dense=max(conv.kernel_size) > 1,
        )
        for conv, part in adapted(model, domain)
    ]


def ordinary_values(model, domain):
    """`{path inside the slot: value}` of the ordinary slot that `domain` has.

    A factor D is multiplied into its kernel and left out.
    """
    own, values = f"domains/{domain}/", {}
    for prefix, part in model._parts([domain]).items():
        if not prefix.startswith(own):
            continue
        if isinstance(part, (DOConvolution, MaskedDepthwiseConv2D)):
            part = part.fold()
        for path, variable in by_path({prefix: part}).items():
            values[path.removeprefix(own)] = variable
    return values


def rebuilt(model, domains, **changes):
    """A model of the same kind with fresh variables.

    Args:
        model: A `MultiDomainModel`.
        domains: The domains of the new one.
        **changes: Other values for its configuration. In dicts by domain
            only the new model's domains are kept.
    """
    config = {**model.get_config(), **changes}
    config["domains"] = as_domains(domains)
    config["backbone"] = model._mdl.backbone
    names = {d.name for d in config["domains"]}
    for key in ("dropout", "depthwise", "gates", "adapters"):
        config[key] = {n: v for n, v in config[key].items() if n in names}
    return type(model).from_config(config)


def assign(model, values):
    """Values by path; variables that have none stay as they were made."""
    for path, variable in model.variables_by_path().items():
        if path in values:
            variable.assign(keras.ops.copy(values[path]))
