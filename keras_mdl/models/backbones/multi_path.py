"""`build_multi_path`: a path of blocks for each domain, some of them shared."""

from collections import Counter

import keras

from keras_mdl.layers import (
    DepthwiseConv2D,
    DomainBatchNormalization,
    DomainDepthwiseConv2D,
    PerDomainLayer,
    SharedConv2D,
    SharedLayer,
)
from keras_mdl.models.backbones.path_block import PathBlock
from keras_mdl.models.backbones.record import backbone
from keras_mdl.models.multi_domain import MultiDomainModel

OPTION = "path"  # the option of a domain that holds its blocks
EPSILON = 1e-3  # of norms, as in TuNAS' code


def build_multi_path(
    domains,
    paths,
    input_shape,
    shared=None,
    momentum=0.99,
    name="multi_path",
    **options,
):
    """The union of one path per domain, as a `MultiDomainModel`.

    A block on several paths is trunk: its kernels are shared. A block on one
    path belongs to that domain. Others do not exist. Norms belong to one
    domain each, everywhere. (MPNAS publishes the rule of blocks; whose the
    norms are is not published.)

    Args:
        domains: As `MultiDomainModel`.
        paths: `{domain: PathBlock objects in order}`.
        input_shape: `(height, width, 3)`.
        shared: Names of blocks that are trunk; default those on several
            paths.
        momentum: Of the norms' running statistics; 0.99 as in TuNAS' code
            suits trainings of thousands of steps, 0.9 short ones.
        name: Of the model.
        **options: As `MultiDomainModel`, for example `dropout`.

    Returns:
        A `MultiDomainModel`. A further domain takes its path with
        `with_domain(..., options=path_options(blocks))`: shared blocks are
        the trunk's as they are, others its own. (A block of one other domain
        stays that domain's, which may train it on: the new one gets another
        of the same shape.)

    Raises:
        ValueError: For domains without a path, or paths that do not fit.

    Reference: Google Research, "Multi-path Neural Architecture Search"
    (MPNAS), section on sharing; the weights of a shared block are one.
    """
    paths = {d: tuple(blocks) for d, blocks in paths.items()}
    if shared is None:
        shared = shared_names(paths)
    known = {b.name for blocks in paths.values() for b in blocks}
    strangers = sorted(set(shared) - known)
    if strangers:
        raise ValueError(
            "`shared` must name blocks that are on a path. Received: "
            f"{', '.join(strangers)}"
        )
    slots = options.pop("slots", {})
    names = [d if isinstance(d, str) else d.name for d in domains]
    for domain in names:
        if domain not in paths:
            raise ValueError(
                f"The domain {domain!r} has no path. Paths of: "
                f"{', '.join(paths)}"
            )
    return MultiDomainModel(
        domains,
        multi_path,
        {"shared": sorted(shared), "momentum": momentum},
        input_shape=input_shape,
        slots=slots,
        options={d: path_options(paths[d]) for d in names},
        name=name,
        **options,
    )


def path_options(blocks):
    """The options of a domain (`with_domain`) that hold its path."""
    return {OPTION: [b.to_config() for b in blocks]}


def paths_of(model):
    """`{domain: PathBlock objects}` of a model of `build_multi_path`.

    Raises:
        ValueError: For other models.
    """
    if any(OPTION not in spec.options for spec in model.slots.values()):
        raise ValueError(
            "Expected a model with a path for each domain, of "
            f"`build_multi_path`. Received: {model.name!r}"
        )
    return {
        d: tuple(PathBlock(**b) for b in spec.options[OPTION])
        for d, spec in model.slots.items()
    }


def shared_names(paths):
    """Names of the blocks on several paths, sorted."""
    count = Counter(b.name for path in paths.values() for b in set(path))
    return sorted(name for name, n in count.items() if n > 1)


@backbone()
@keras.saving.register_keras_serializable("keras_mdl")
def multi_path(x, scope, shared=(), momentum=0.99):
    """The backbone function: image tensor -> features `(b, c)` or a map."""
    configs = scope.option(OPTION)
    if not configs:
        raise ValueError(
            f"The domain {scope.domain.name!r} needs a path: "
            "`options=path_options(blocks)`"
        )
    for block in (PathBlock(**config) for config in configs):
        if x.shape[-1] != block.inputs:
            raise ValueError(
                f"The block {block.name!r} takes {block.inputs} channels, and "
                f"the one before gives {x.shape[-1]}"
            )
        x = _applied(block, x, scope, block.name in shared, momentum)
    return x


def _applied(block, x, scope, shared, momentum):
    start = x
    for step in block.steps:
        name = f"{block.name}_{step.role}"
        if step.kind == "dense" or step.role == "squeeze":
            before = x
            x = keras.layers.GlobalAveragePooling2D(
                data_format="channels_last",
                keepdims=step.kind == "pooled",
                name=f"{name}_pool",
            )(x)
        x = _convolution(step, name, scope, shared)(x)
        if step.normalized:
            norm = {"momentum": momentum, "epsilon": EPSILON}
            x = scope(DomainBatchNormalization, f"{name}_norm", **norm)(x)
        if step.activation:
            x = keras.layers.Activation(
                step.activation, name=f"{name}_activation"
            )(x)
        if step.role == "excite":
            x = keras.layers.Multiply(name=f"{name}_scaled")([before, x])
    if block.residual:
        x = keras.layers.Add(name=f"{block.name}_add")([start, x])
    return x


def _convolution(step, name, scope, shared):
    spatial = {
        "kernel_size": step.kernel_size,
        "strides": step.strides,
        "padding": "same",
    }
    he = keras.initializers.HeNormal()
    # Each channel has k * k inputs, which Keras calls the kernel's fan-out.
    depthwise_he = keras.initializers.VarianceScaling(2.0, "fan_out")
    if step.kind == "convolution" and shared:
        return scope(
            SharedConv2D,
            name,
            filters=step.filters,
            kernel_initializer=he,
            **spatial,
        )
    if step.kind == "depthwise" and not shared:
        return scope(
            DomainDepthwiseConv2D,
            name,
            depthwise_initializer=depthwise_he,
            **spatial,
        )
    role, spatial["data_format"] = "conv", "channels_last"
    if step.kind == "depthwise":
        role = "depthwise"
        layer = DepthwiseConv2D(
            depthwise_initializer=depthwise_he, use_bias=False, **spatial
        )
    elif step.kind == "dense":
        layer = keras.layers.Dense(step.filters, kernel_initializer=he)
    else:
        layer = keras.layers.Conv2D(
            step.filters,
            use_bias=not step.normalized,
            kernel_initializer=he,
            **spatial,
        )
    kind = SharedLayer if shared else PerDomainLayer
    return scope(kind, name, layer=layer, role=role)
