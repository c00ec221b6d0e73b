"""How a `MultiDomainModel` is put together: checks, graphs, variable paths."""

import contextlib

import keras

from keras_mdl.domains import require_domain
from keras_mdl.layers import DomainHead, SoftmaxDomainGate
from keras_mdl.models.macs import layer_macs


def domain_graph(mdl, domain, policy):
    """The functional graph of one domain: `(inputs, outputs, endpoints)`.

    `endpoints` are the outputs of the slotted layers by layer name, and the
    weights of a layer's gate as `"<layer>/gate"`. (The `output` of a layer
    that several graphs share is that of the first graph.)

    Args:
        mdl: The model's namespace; new slotted layers are added to
            `mdl.slotted`, and the domain's cost is noted in `mdl.macs`.
        domain: Name of the domain.
        policy: The model's dtype policy.
    """
    endpoints, macs, info = {}, [], mdl.domains[domain]

    def slot(layer_class, name, **options):
        if name in endpoints:
            raise ValueError(f"The backbone uses the layer name {name!r} twice")
        endpoints[name] = None
        layer = mdl.slotted.get(name)
        if layer is None:
            options.setdefault("domains", list(mdl.domains))
            for option in layer_class.slot_options:
                options.setdefault(option, _slot_option(mdl, option, name))
            layer = layer_class(name=name, dtype=policy, **options)
            mdl.slotted[name] = layer

        def step(part, *xs, **options):
            y = part(*xs, **options)
            macs.append(layer_macs(part, xs, y))
            if isinstance(part, SoftmaxDomainGate):
                endpoints[f"{name}/gate"] = y
            return y

        def apply(x):
            if not layer.built:
                layer.build(x.shape)
            del endpoints[name]  # its gate, if any, stands before it
            endpoints[name] = layer.walk(domain, x, step)
            return endpoints[name]

        return apply

    inputs = keras.Input(mdl.input_shape, dtype=mdl.input_dtype, name="images")
    # (pixels / 255 - mean) / std, in float32 under any policy.
    x = keras.layers.Rescaling(
        scale=[1 / (255 * s) for s in info.std],
        offset=[-m / s for m, s in zip(info.mean, info.std, strict=True)],
        dtype="float32",
        name="normalize",
    )(inputs)
    x = mdl.backbone(x, slot, **mdl.backbone_config)
    if len(x.shape) == 4:
        x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    if mdl.include_top:
        units = {n: d.num_classes for n, d in mdl.domains.items()}
        x = slot(DomainHead, "head", units=units, dropout=mdl.dropout)(x)
    mdl.macs[domain] = None if None in macs else sum(macs)
    return inputs, x, endpoints


def _slot_option(mdl, option, layer):
    """The value by domain that a layer gets for one of its `slot_options`."""
    if option == "gates":
        return {
            domain: layers[layer]
            for domain, layers in mdl.gates.items()
            if layer in layers
        }
    return getattr(mdl, option)


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


def by_path(parts):
    """`{path: variable}` of `{path prefix: layer}`."""
    found = {}
    for prefix, layer in parts.items():
        for index, variable in enumerate(layer.weights):
            inner = variable.path.rpartition(f"{layer.name}/")[2]
            if "/" in inner:
                # Of a composite part. Keras numbers inner layers anew in each
                # model, so their names say nothing; the order is fixed.
                inner = f"{index}/{variable.name}"
            found[f"{prefix}/{inner}"] = variable
    return found


def dropout_by_domain(dropout, names):
    """`{domain: rate}` of those above 0, from a number or a dict."""
    rates = (
        dropout if isinstance(dropout, dict) else dict.fromkeys(names, dropout)
    )
    for name, rate in rates.items():
        require_domain(name, names)
        if not 0 <= rate < 1:
            raise ValueError(
                f"`dropout` must be in [0, 1). Received: {rate} for {name!r}"
            )
    return {n: float(r) for n, r in rates.items() if r}


def check_gates(mdl):
    """Raises a `ValueError` for gates in layers that cannot have them."""
    known = [n for n, x in mdl.slotted.items() if "gates" in x.slot_options]
    for domain, layers in mdl.gates.items():
        require_domain(domain, mdl.domains)
        wrong = [name for name in layers if name not in known]
        if wrong:
            raise ValueError(
                "`gates` must name layers with depthwise slots: "
                f"{', '.join(known) or 'this backbone has none'}. "
                f"Received for {domain!r}: {', '.join(wrong)}"
            )


def check_input(input_shape, input_dtype, multiple):
    """Raises a `ValueError` for an input that no network can have."""
    if input_dtype not in ("float32", "uint8"):
        raise ValueError(
            "`input_dtype` must be 'float32' or 'uint8'. "
            f"Received: input_dtype={input_dtype!r}"
        )
    shape = tuple(input_shape)
    if len(shape) != 3 or shape[2] != 3:
        raise ValueError(
            "`input_shape` must be (height, width, 3). "
            f"Received: input_shape={input_shape}"
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


def require_registered(backbone):
    """Refuses a backbone that could not be saved.

    Raises:
        ValueError: If the function is not registered with Keras.
    """
    saving = keras.saving
    name = saving.get_registered_name(backbone)
    if saving.get_registered_object(name) is not backbone:
        raise ValueError(
            "`backbone` must be registered, so that models with it can be "
            "saved and widened: put `@keras.saving.register_keras_serializable"
            f"('my_package')` above it. Received: backbone={backbone!r}"
        )
