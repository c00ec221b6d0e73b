"""BatchNorm's factor beside the trunk's kernels instead of in them."""

import numpy as np

from keras_mdl_export.flatbuffer import (
    add_tensor,
    code_of,
    data_of,
    make_operator,
    schema,
    set_data,
)
from keras_mdl_export.grid import channel_axis

_OPS = schema.BuiltinOperator
_AXIS = {_OPS.CONV_2D: 0, _OPS.DEPTHWISE_CONV_2D: 3}  # of output channels
# Where the rounding of float32 arithmetic may separate a folded kernel from
# the product that it is.
_TOLERANCE = 1e-4


def unfold_scales(model, kernels):
    """Takes BatchNorm's factor out of the trunk's kernels again.

    A converted convolution holds `a[n] * K[n]`: the trunk's kernel with the
    factor of one domain in it. Here it gets `K` back, bit for bit, and the
    factor and bias follow as two operators: `y = a * conv(x, K) + b`. That
    costs 1-3 % of the time and shares the trunk between domains without any
    quantisation.

    Args:
        model: A float32 `schema.ModelT`, changed in place.
        kernels: `{layer: float32 kernel}` of the trunk.
    """
    for graph in model.subgraphs:
        operators = []
        for op in graph.operators:
            operators.append(op)
            if code_of(model, op) not in _AXIS:
                continue
            tensor = graph.tensors[op.inputs[1]]
            folded = data_of(model, tensor)
            axis = _AXIS[code_of(model, op)]
            kernel, factor = as_multiple(folded, kernels, axis)
            if kernel is not None and not np.array_equal(kernel, folded):
                set_data(model, tensor, kernel)
                operators += _scale_and_bias(model, graph, op, factor)
        graph.operators = operators


def as_multiple(folded, kernels, axis):
    """The trunk's kernel of which another is a multiple, and the factors.

    Args:
        folded: float32 kernel.
        kernels: As `unfold_scales`.
        axis: Of its output channels.

    Returns:
        `(kernel, factors)`, or `(None, None)`.
    """
    for layer, kernel in kernels.items():
        if kernel.shape != folded.shape or channel_axis(layer) != axis:
            continue
        axes = tuple(i for i in range(kernel.ndim) if i != axis)
        size = (kernel.astype(np.float64) ** 2).sum(axes)
        factor = (folded.astype(np.float64) * kernel).sum(axes) / np.where(
            size == 0, 1, size
        )
        gap = np.abs(folded - np.expand_dims(factor, axes) * kernel)
        if gap.max() <= _TOLERANCE * np.abs(folded).max():
            return kernel, factor.astype(np.float32)
    return None, None


def _scale_and_bias(model, graph, op, factor):
    bias = data_of(model, graph.tensors[op.inputs[2]])
    if bias is None:
        bias = np.zeros(len(factor), np.float32)
    output, shape = op.outputs[0], graph.tensors[op.outputs[0]].shape
    plain = add_tensor(model, graph, shape)
    scaled = add_tensor(model, graph, shape)
    op.inputs = np.array(
        [*op.inputs[:2], add_tensor(model, graph, bias.shape, 0 * bias)],
        np.int32,
    )
    op.outputs = np.array([plain], np.int32)
    add = schema.AddOptionsT()
    add.fusedActivationFunction = op.builtinOptions.fusedActivationFunction
    op.builtinOptions.fusedActivationFunction = 0
    factor = add_tensor(model, graph, factor.shape, factor)
    bias = add_tensor(model, graph, bias.shape, bias)
    return [
        make_operator(
            model, _OPS.MUL, [plain, factor], [scaled], schema.MulOptionsT()
        ),
        make_operator(model, _OPS.ADD, [scaled, bias], [output], add),
    ]
