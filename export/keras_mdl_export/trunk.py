"""The trunk's kernels: on one int8 grid, in one fixed order."""

import numpy as np

from keras_mdl.models.backbones.signs import DEAD
from keras_mdl.models.paths import by_path
from keras_mdl_export.grid import channel_axis, int8_grid

_PREFIX = "trunk/"


def trunk_kernels(model):
    """`{layer: float32 kernel}` of the trunk, as TFLite orders them.

    Output channels are first, in a depthwise kernel last (`channel_axis`).

    Args:
        model: A `keras_mdl.MultiDomainModel`.
    """
    return {
        path: np.ascontiguousarray(_output_first(_value(variable)))
        for path, variable in _kernel_variables(model).items()
    }


def kernels_by_domain(model):
    """`{domain: the trunk's kernels that its network runs through}`.

    All of them in most networks; where domains have paths of their own, those
    on the path.

    Args:
        model: A `keras_mdl.MultiDomainModel`.

    Returns:
        Lists of layers, in the order of `trunk_kernels`.
    """
    layers = list(_kernel_variables(model))
    return {
        name: [k for k in layers if f"{_PREFIX}{k}" in found]
        for name in model
        for found in [by_path(model._parts([name]))]
    }


def slot_facts(model):
    """What an export must know of the domains' slots.

    Returns:
        `{"adapters": {domain: kind}, "gates": {domains with gates}}`.
    """
    slots = model.slots.items()
    return {
        "adapters": {name: s.adapter for name, s in slots if s.adapter},
        "gates": {name for name, s in slots if s.gates},
    }


def without_dead_rows(model):
    """A copy of the model in which dead rows of the trunk are zeros.

    Training gives up channels: their weights shrink to some 1e-9. The int8
    grid of such a row is finer than the converter can write down, which then
    rounds each domain's row in its own way. Zeros are zeros on every grid.

    Args:
        model: A `keras_mdl.MultiDomainModel`; it is left as it is.

    Returns:
        `(copy, {layer: number of dead rows})`; the model itself and `{}` if
        there are none. A row is dead if none of its weights reaches 1e-6.
    """
    dead = {
        layer: np.abs(channels_first(layer, kernel)).max(1) < DEAD
        for layer, kernel in trunk_kernels(model).items()
    }
    dead = {layer: rows for layer, rows in dead.items() if rows.any()}
    if not dead:
        return model, {}
    copy = model.folded([])
    variables = _kernel_variables(copy)
    for layer, rows in dead.items():
        alive = ~rows[:, None] if channel_axis(layer) else ~rows
        variables[layer].assign(_value(variables[layer]) * alive)
    return copy, {layer: int(rows.sum()) for layer, rows in dead.items()}


def quantized(model):
    """A copy of the model whose trunk lies on its int8 grid.

    Each kernel is rounded once, before any conversion: `K -> scale * q` with
    integers `q` from -127 to 127. Then each domain's folded kernel has the
    very same integers, and no rounding tie can fall otherwise in another
    domain. Everything else is bit-identical.

    Args:
        model: A `keras_mdl.MultiDomainModel`; it is left as it is.
    """
    copy = model.folded([])
    for layer, variable in _kernel_variables(copy).items():
        axis = channel_axis(layer)
        integers, scales = int8_grid(_output_first(_value(variable)), axis)
        # In float32, as the runtime multiplies them.
        others = tuple(i for i in range(integers.ndim) if i != axis)
        rounded = integers.astype(np.float32) * np.expand_dims(scales, others)
        variable.assign(_output_last(rounded))
    return copy


def stored_kernels(kernels, mode):
    """The trunk as the files hold it: `{layer: array}` in the mode's dtype."""
    if mode.kernels == "int8":
        return {k: int8_grid(v, channel_axis(k))[0] for k, v in kernels.items()}
    return {k: v.astype(mode.kernels) for k, v in kernels.items()}


def channels_first(layer, kernel):
    """A kernel of the trunk as a matrix, a row for each output channel."""
    rows = np.moveaxis(kernel, channel_axis(layer), 0)
    return rows.reshape(len(rows), -1)


def as_bytes(kernel):
    """A stored kernel as the uint8 array that a buffer holds."""
    return np.ascontiguousarray(kernel).view(np.uint8).reshape(-1)


def _kernel_variables(model):
    # Convolutions (kh, kw, in, out), depthwise ones (kh, kw, channels, 1) and
    # dense layers (in, out).
    return {
        path.removeprefix(_PREFIX): variable
        for path, variable in model.variables_by_path().items()
        if path.startswith(_PREFIX)
        and path.endswith("/kernel")
        and len(variable.shape) in (2, 4)
    }


def _value(variable):
    return np.asarray(variable.value, np.float32)


def _output_first(kernel):
    return np.moveaxis(kernel, -1, 0)


def _output_last(kernel):
    return np.moveaxis(kernel, 0, -1)
