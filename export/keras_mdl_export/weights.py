"""How the constants of a converted float32 network are stored, by mode."""

import numpy as np

from keras_mdl_export.flatbuffer import (
    add_tensor,
    code_of,
    data_of,
    make_operator,
    schema,
    set_data,
)

_OPS = schema.BuiltinOperator
_WITH_KERNEL = (_OPS.CONV_2D, _OPS.DEPTHWISE_CONV_2D, _OPS.FULLY_CONNECTED)
_INT8_KERNEL = (_OPS.CONV_2D, _OPS.FULLY_CONNECTED)
# Where the rounding of float32 arithmetic may separate a folded kernel from
# the product that it is.
_TOLERANCE = 1e-4


def int8_grid(kernel):
    """The int8 grid of a kernel, symmetric, one scale per output channel.

    ```
    scale[n] = max |kernel[n]| / 127        kernel[n] ~ scale[n] * integers[n]
    ```

    Args:
        kernel: Output channels first.

    Returns:
        `(integers, scales)`, int8 and float32. A row of zeros has scale 1.
    """
    rows = np.asarray(kernel, np.float64).reshape(len(kernel), -1)
    scales = (np.abs(rows).max(1) / 127).astype(np.float32)
    scales[scales == 0] = 1
    integers = np.rint(rows / scales[:, None]).clip(-127, 127)
    return integers.astype(np.int8).reshape(kernel.shape), scales


def quantise_kernels(model):
    """Mode `dyn_conv`: int8 kernels of convolutions and dense layers.

    Activations stay float32; the runtime quantises the input of such a layer
    as it goes. Depthwise kernels are not quantised: XNNPACK does not take
    their int8 form when activations are float.

    Args:
        model: A `schema.ModelT`, changed in place.
    """
    for graph in model.subgraphs:
        for op in graph.operators:
            if code_of(model, op) not in _INT8_KERNEL:
                continue
            tensor = graph.tensors[op.inputs[1]]
            if tensor.type != schema.TensorType.FLOAT32:
                continue  # of two operators: done
            integers, scales = int8_grid(data_of(model, tensor))
            set_data(model, tensor, integers)
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = scales
            tensor.quantization.zeroPoint = np.zeros(len(scales), np.int64)
            if code_of(model, op) == _OPS.FULLY_CONNECTED:
                op.builtinOptions.asymmetricQuantizeInputs = True


def unfold_scales(model, kernels):
    """Takes BatchNorm's factor out of the trunk's kernels again.

    A converted convolution holds `a[n] * K[n]`: the trunk's kernel with the
    factor of one domain in it. Here it gets `K` back, bit for bit, and the
    factor and bias follow as two operators: `y = a * conv(x, K) + b`. That
    costs 1-3 % of the time and shares the trunk between domains without any
    quantisation.

    Args:
        model: A float32 `schema.ModelT`, changed in place.
        kernels: `{layer: float32 kernel}`, output channels first.
    """
    for graph in model.subgraphs:
        operators = []
        for op in graph.operators:
            operators.append(op)
            if code_of(model, op) != _OPS.CONV_2D:
                continue
            tensor = graph.tensors[op.inputs[1]]
            kernel, factor = _as_multiple(data_of(model, tensor), kernels)
            if kernel is not None:
                set_data(model, tensor, kernel)
                operators += _scale_and_bias(model, graph, op, factor)
        graph.operators = operators


def _as_multiple(folded, kernels):
    for kernel in kernels.values():
        if kernel.shape != folded.shape:
            continue
        axes = tuple(range(1, kernel.ndim))
        size = (kernel.astype(np.float64) ** 2).sum(axes)
        factor = (folded.astype(np.float64) * kernel).sum(axes) / np.where(
            size == 0, 1, size
        )
        shape = (-1,) + (1,) * (kernel.ndim - 1)
        gap = np.abs(folded - factor.reshape(shape) * kernel)
        if gap.max() <= _TOLERANCE * np.abs(folded).max():
            return kernel, factor.astype(np.float32)
    return None, None


def _scale_and_bias(model, graph, op, factor):
    bias = data_of(model, graph.tensors[op.inputs[2]])
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
    return [
        make_operator(
            model,
            _OPS.MUL,
            [plain, add_tensor(model, graph, factor.shape, factor)],
            [scaled],
            schema.MulOptionsT(),
        ),
        make_operator(
            model,
            _OPS.ADD,
            [scaled, add_tensor(model, graph, bias.shape, bias)],
            [output],
            add,
        ),
    ]


def halve_kernels(model):
    """Stores all float32 kernels in half precision.

    A DEQUANTIZE operator stands before each, which XNNPACK resolves when the
    model is loaded: the network computes in float32.

    Args:
        model: A `schema.ModelT`, changed in place.
    """
    for graph in model.subgraphs:
        first, halved = [], {}
        for op in graph.operators:
            if code_of(model, op) not in _WITH_KERNEL:
                continue
            index = int(op.inputs[1])
            floats = graph.tensors[index].type == schema.TensorType.FLOAT32
            if floats and index not in halved:
                values = data_of(model, graph.tensors[index])
                stored = add_tensor(
                    model, graph, values.shape, values.astype(np.float16)
                )
                halved[index] = stored
                graph.tensors[index].buffer = 0
                first.append(
                    make_operator(
                        model,
                        _OPS.DEQUANTIZE,
                        [stored],
                        [index],
                        schema.DequantizeOptionsT(),
                        version=3,
                    )
                )
        graph.operators = first + graph.operators
