"""Fewer values for a domain's own numbers, in the containers they have."""

import numpy as np

from keras_mdl_export.flatbuffer import code_of, data_of, schema, set_data
from keras_mdl_export.weights import dequantized

_OPS = schema.BuiltinOperator
_INT8, _FLOAT = schema.TensorType.INT8, schema.TensorType.FLOAT32
_WITH_KERNEL = (_OPS.CONV_2D, _OPS.DEPTHWISE_CONV_2D, _OPS.FULLY_CONNECTED)
_SMALL = 4096  # numbers of a kernel that are not worth their loss


def coarsen(model, trunk, bits):
    """Rounds the private numbers of a finished network; the trunk stays.

    ```
    w ~ s * q    ->    short(s * 127 / n) * q'    q' = round(q * n / 127)
    ```

    `short` rounds a mantissa. The integers do not depend on a norm's factor,
    which is in the scale: domains with equal kernels keep equal integers. A
    bias of a full int8 layer counts in units of the kernel's scale (times
    that of the input) and follows it.

    Args:
        model: A `schema.ModelT` with int8 kernels, changed in place.
        trunk: `{layer: int8 kernel}` of the trunk.
        bits: `PrivateBits`.
    """
    shared = {kernel.tobytes() for kernel in trunk.values()}
    for graph in model.subgraphs:
        made_float, done = [], set()
        for op in graph.operators:
            code = code_of(model, op)
            if code not in _WITH_KERNEL:
                continue
            index, depthwise = int(op.inputs[1]), code == _OPS.DEPTHWISE_CONV_2D
            kernel = graph.tensors[index]
            if depthwise and bits.depthwise and kernel.type == _FLOAT:
                values = data_of(model, kernel)
                if values is not None:  # not the trunk's, which is int8
                    grid = _grid(values, bits)
                    made_float.append(dequantized(model, graph, op, *grid))
            elif kernel.type == _INT8 and index not in done:
                done.add(index)
                _coarser(model, kernel, shared, depthwise, bits)
            if len(op.inputs) > 2 and op.inputs[2] >= 0:
                _short_bias(model, graph, op, bits.mantissa)
        graph.operators = made_float + graph.operators


def short(values, mantissa):
    """Floats with the nearest mantissa of so many bits; ties go up.

    Args:
        values: float32 array.
        mantissa: Bits, at most 23.
    """
    values = np.ascontiguousarray(values, np.float32)
    cut = 23 - mantissa
    if cut <= 0:
        return values
    whole = values.view(np.uint32) + np.uint32(1 << (cut - 1))
    return (whole >> np.uint32(cut) << np.uint32(cut)).view(np.float32)


def on_grid(values, scales, levels, axis):
    """Integers whose multiples are nearest, with the sum of each channel.

    Rounding each number alone moves the sum of a kernel, and with it the
    mean of a channel, which the next layers feel more than noise. So as many
    numbers as the sum is off (those nearest to it) are rounded the other way.

    Args:
        values: Floats.
        scales: One per channel.
        levels: Largest integer.
        axis: Of the channels.
    """
    moved = np.moveaxis(np.asarray(values, np.float64), axis, 0)
    exact = moved.reshape(len(moved), -1) / scales.astype(np.float64)[:, None]
    found = np.rint(exact)
    left = exact - found
    off = np.rint(left.sum(1, keepdims=True))
    order = np.argsort(-left * np.sign(off), 1, kind="stable")
    rank = np.argsort(order, 1, kind="stable")
    found += np.sign(off) * (rank < np.abs(off))
    found = found.clip(-levels, levels).astype(np.int8).reshape(moved.shape)
    return np.ascontiguousarray(np.moveaxis(found, 0, axis))


def _coarser(model, kernel, shared, depthwise, bits):
    data, found = data_of(model, kernel), kernel.quantization
    levels = (bits.depthwise or 127) if depthwise else bits.kernels
    small = not depthwise and data.size < _SMALL
    if small or data.tobytes() in shared:
        levels = 127
    factor = np.float32(127 / levels)
    if levels < 127:
        axis = found.quantizedDimension
        steps = np.full(len(found.scale), factor)
        set_data(model, kernel, on_grid(data, steps, levels, axis))
    found.scale = short(found.scale * factor, bits.mantissa)


def _grid(values, bits):
    """A float depthwise kernel as integers and scales."""
    largest = np.abs(values.reshape(-1, values.shape[-1])).max(0)
    scales = np.where(largest, largest / bits.depthwise, 1)
    integers = on_grid(values, scales, bits.depthwise, 3)
    return integers, short(scales, bits.mantissa)


def _short_bias(model, graph, op, mantissa):
    source, kernel, bias = (graph.tensors[i] for i in op.inputs[:3])
    values = data_of(model, bias)
    if values is None:
        return
    if values.dtype == np.float32:
        set_data(model, bias, short(values, mantissa))
    elif source.type == _INT8:
        before = bias.quantization.scale.astype(np.float64)
        after = source.quantization.scale.astype(np.float64)[0]
        after = short(after * kernel.quantization.scale, mantissa)
        values = short(values * before, mantissa) / after.astype(np.float64)
        bias.quantization.scale = after
        set_data(model, bias, np.rint(values).astype(np.int32))
