"""How the constants of a converted float32 network are stored, by mode."""

import numpy as np

from keras_mdl_export.flatbuffer import (
    add_tensor,
    code_of,
    data_of,
    make_operator,
    scales_of,
    schema,
    set_data,
)
from keras_mdl_export.grid import int8_grid
from keras_mdl_export.unfolding import as_multiple

_OPS = schema.BuiltinOperator
_WITH_KERNEL = (_OPS.CONV_2D, _OPS.DEPTHWISE_CONV_2D, _OPS.FULLY_CONNECTED)
_INT8_KERNEL = (_OPS.CONV_2D, _OPS.FULLY_CONNECTED)


def quantize_kernels(model, kernels, only=None):
    """Mode `dyn_conv`: int8 kernels of convolutions and dense layers.

    Activations stay float32; the runtime quantizes the input of such a layer
    as it goes. XNNPACK does not take depthwise kernels in int8 when
    activations are float: the trunk's are stored so, to be shared, and a
    DEQUANTIZE operator makes them float when the model is loaded.

    Args:
        model: A `schema.ModelT`, changed in place.
        kernels: `{layer: float32 kernel}` of the trunk.
        only: int8 kernels: no others are quantized. Default: all are.
    """
    only = only and {kernel.tobytes() for kernel in only}
    for graph in model.subgraphs:
        first = []
        for op in graph.operators:
            if code_of(model, op) == _OPS.DEPTHWISE_CONV_2D:
                values = data_of(model, graph.tensors[op.inputs[1]])
                if as_multiple(values, kernels, 3)[0] is not None:
                    grid = int8_grid(values, 3)
                    first.append(dequantized(model, graph, op, *grid))
            if code_of(model, op) not in _INT8_KERNEL:
                continue
            tensor = graph.tensors[op.inputs[1]]
            if tensor.type != schema.TensorType.FLOAT32:
                continue  # of two operators: done
            integers, scales = int8_grid(data_of(model, tensor))
            if only is not None and integers.tobytes() not in only:
                continue
            set_data(model, tensor, integers)
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = scales
            tensor.quantization.zeroPoint = np.zeros(len(scales), np.int64)
        graph.operators = first + graph.operators


def dequantized(model, graph, op, integers, scales):
    """Gives a depthwise convolution an int8 kernel that is float in use.

    Returns:
        The DEQUANTIZE operator, which XNNPACK resolves at loading.
    """
    stored = add_tensor(model, graph, integers.shape, integers)
    found = schema.QuantizationParametersT()
    found.scale = scales
    found.zeroPoint = np.zeros(len(scales), np.int64)
    found.quantizedDimension = 3
    graph.tensors[stored].quantization = found
    op.inputs[1] = add_tensor(model, graph, integers.shape)
    return make_operator(
        model,
        _OPS.DEQUANTIZE,
        [stored],
        [int(op.inputs[1])],
        schema.DequantizeOptionsT(),
    )


def dense_as_convolutions(model):
    """Dense layers whose rows have scales of their own, as 1x1 convolutions.

    ```
    (rows, inputs) x (outputs, inputs)
        = (1, 1, rows, inputs) * (outputs, 1, 1, inputs)
    ```

    The bytes of the kernel are the same, and so are the answers. But a
    convolution has known one scale for each row since runtime 2.4, a dense
    layer with float activations since 2.17; iOS pods are older.

    Args:
        model: A `schema.ModelT`, changed in place.
    """
    for graph in model.subgraphs:
        operators = []
        for op in graph.operators:
            dense = code_of(model, op) == _OPS.FULLY_CONNECTED
            many = dense and scales_of(graph.tensors[op.inputs[1]]) > 1
            operators += _as_convolution(model, graph, op) if many else [op]
        graph.operators = operators


def _as_convolution(model, graph, op):
    x, kernel, *bias = (int(i) for i in op.inputs)
    y = int(op.outputs[0])
    scales = graph.tensors[kernel].quantization.scale
    outputs, *_, inputs = graph.tensors[kernel].shape
    graph.tensors[kernel].shape = np.array([outputs, 1, 1, inputs], np.int32)
    rows = int(np.prod(graph.tensors[x].shape)) // int(inputs)
    options = schema.Conv2DOptionsT()
    options.padding = schema.Padding.VALID
    options.strideW = options.strideH = 1
    options.fusedActivationFunction = op.builtinOptions.fusedActivationFunction
    before, x = _reshaped(model, graph, x, [1, 1, rows, inputs])
    after, y = _reshaped(model, graph, y, [1, 1, rows, outputs], back=True)
    # Runtimes want a convolution to have a bias.
    if not bias or bias[0] < 0:
        int8 = graph.tensors[x].type == schema.TensorType.INT8
        zeros = np.zeros(outputs, np.int32 if int8 else np.float32)
        bias = [add_tensor(model, graph, [outputs], zeros)]
        if int8:
            found = schema.QuantizationParametersT()
            found.scale = graph.tensors[x].quantization.scale[0] * scales
            found.zeroPoint = np.zeros(outputs, np.int64)
            graph.tensors[bias[0]].quantization = found
    conv = make_operator(
        model, _OPS.CONV_2D, [x, kernel, bias[0]], [y], options
    )
    return [*before, conv, *after]


def _reshaped(model, graph, index, shape, back=False):
    """A RESHAPE of a tensor to four dimensions (or back), if it is needed."""
    tensor = graph.tensors[index]
    if len(tensor.shape) == 4 and tensor.shape[-1] == shape[-1]:
        return [], index
    other = add_tensor(model, graph, shape, kind=tensor.type)
    graph.tensors[other].quantization = tensor.quantization
    source, target = (other, index) if back else (index, other)
    wanted = graph.tensors[target].shape
    options = schema.ReshapeOptionsT()
    options.newShape = np.asarray(wanted, np.int32)
    sizes = add_tensor(model, graph, [len(wanted)], options.newShape)
    op = make_operator(model, _OPS.RESHAPE, [source, sizes], [target], options)
    return [op], other


def halve_kernels(model):
    """Stores the float32 kernels in half precision, and their biases.

    A DEQUANTIZE operator stands before each, which XNNPACK resolves when the
    model is loaded: the network computes in float32. (LiteRT 1.1 to 1.3
    refuse a kernel in half precision beside a bias that is not.)

    Args:
        model: A `schema.ModelT`, changed in place.
    """
    for graph in model.subgraphs:
        first, halved = [], {}
        for op in graph.operators:
            if code_of(model, op) not in _WITH_KERNEL:
                continue
            kernel = graph.tensors[op.inputs[1]]
            constant = data_of(model, kernel) is not None
            if kernel.type != schema.TensorType.FLOAT32 or not constant:
                continue
            # What other operators read too (zeros, as a bias) stays as it is.
            for place, index in enumerate(int(i) for i in op.inputs):
                if place == 0 or index < 0:
                    continue
                if index not in halved:
                    halved[index], dequantize = _halved(model, graph, index)
                    first.append(dequantize)
                op.inputs[place] = halved[index]
        graph.operators = first + graph.operators


def _halved(model, graph, index):
    tensor = graph.tensors[index]
    values = data_of(model, tensor)
    if values is None:  # the converter's zeros
        values = np.zeros(tensor.shape, np.float32)
    stored = add_tensor(model, graph, values.shape, values.astype(np.float16))
    floats = add_tensor(model, graph, values.shape)
    options = schema.DequantizeOptionsT()
    return floats, make_operator(
        model, _OPS.DEQUANTIZE, [stored], [floats], options
    )
