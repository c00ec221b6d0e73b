"""Which version of an operator, and which runtime, a finished file needs.

A runtime that lacks the version of an operator refuses the file. One that is
told too low a version runs it, and answers wrongly without an error: TFLite
2.14 reads the first of many scales for all rows of a dense layer. So versions
are derived here, for every operator, from the file as it is written.

The rules are those of `op_version.cc` and `runtime_version.cc` in
tflite/converter/tools/versioning (github.com/google-ai-edge/LiteRT), for the
operators of image classifiers. For any other operator the version that the
converter wrote is kept: nothing here changes such an operator.
"""

import numpy as np

from keras_mdl_export.flatbuffer import (
    add_buffer,
    code_of,
    scales_of,
    schema,
)

RUNTIME = b"min_runtime_version"
_OPS = schema.BuiltinOperator
_TYPES = schema.TensorType
_NAMES = {v: k for k, v in vars(_OPS).items() if isinstance(v, int)}
# The first runtime that has version 1, 2, 3 ... of an operator.
_RUNTIMES = {
    "ADD": "1.5.0 1.14.0 2.4.0 2.6.0",
    "AVERAGE_POOL_2D": "1.5.0 1.14.0 2.3.0",
    "CAST": "1.5.0 2.7.0 2.8.0 2.9.0 2.12.0",
    "CONCATENATION": "1.5.0 1.14.0 2.3.0",
    "CONV_2D": "1.5.0 1.14.0 1.14.0 2.3.0 2.4.0 2.9.0",
    "DEPTHWISE_CONV_2D": "1.5.0 1.12.0 1.14.0 2.2.0 2.3.0 2.3.0",
    "DEQUANTIZE": "1.13.1 1.14.0 1.15.0 2.2.0 2.7.0",
    "DIV": "1.6.0 2.3.0",
    "ELU": "1.14.0",
    "EXPAND_DIMS": "1.10.0",
    "FULLY_CONNECTED": "1.5.0 1.10.0 1.14.0 1.14.0 2.0.0 2.1.0 2.3.0 2.3.0 "
    "2.3.0 2.11.0 2.15.0 2.17.0",
    "GELU": "2.9.0 2.9.0",
    "HARD_SWISH": "1.15.0",
    "LEAKY_RELU": "1.13.1 2.3.0",
    "LOGISTIC": "1.14.0 1.14.0 2.3.0",
    "MAX_POOL_2D": "1.5.0 1.14.0 2.3.0",
    "MAXIMUM": "1.14.0 1.14.0 2.3.0",
    "MEAN": "1.6.0 1.14.0 2.4.0",
    "MINIMUM": "1.14.0 1.14.0 2.3.0",
    "MUL": "1.5.0 1.14.0 1.15.0",
    "PAD": "1.5.0 1.14.0 2.4.0 2.6.0",
    "PADV2": "1.9.0 1.14.0 2.4.0 2.6.0",
    "QUANTIZE": "1.14.0 1.15.0 2.7.0",
    "RELU": "1.5.0 2.1.0",
    "RELU6": "1.5.0 1.14.0",
    "RESHAPE": "1.5.0",
    "RSQRT": "1.10.0 2.5.0",
    "SOFTMAX": "1.5.0 1.14.0",
    "SQUARED_DIFFERENCE": "1.13.1 2.5.0",
    "SQUEEZE": "1.6.0",
    "STRIDED_SLICE": "1.6.0 1.14.0",
    "SUB": "1.6.0 1.14.0 2.3.0",
    "SUM": "1.10.0 1.15.0",
    "TANH": "1.14.0 1.14.0",
    "TRANSPOSE": "1.6.0 1.14.0 1.15.0 2.3.0",
}
_ALWAYS_1 = {"ELU", "EXPAND_DIMS", "HARD_SWISH", "RESHAPE", "SQUEEZE",
             "LEAKY_RELU", "DIV"}  # fmt: skip


def set_versions(model, written=None):
    """Writes every operator's version, and the runtime that the file needs.

    Args:
        model: A finished `schema.ModelT`, changed in place.
        written: The runtime that operators without a rule need; default what
            the file says.
    """
    written = runtime_of(model) if written is None else written
    codes, known = [], {}
    for graph in model.subgraphs:
        for op in graph.operators:
            code = model.operatorCodes[op.opcodeIndex]
            version = _version(model, graph, op)
            key = (code_of(model, op), version, code.customCode)
            if key not in known:
                known[key] = len(codes)
                codes.append(_code(*key))
            op.opcodeIndex = known[key]
    model.operatorCodes = codes
    model.metadata = [m for m in model.metadata or [] if m.name != RUNTIME]
    entry = schema.MetadataT()
    entry.name = RUNTIME
    text = _needed_runtime(model, written).encode().ljust(16, b"\0")
    entry.buffer = add_buffer(model, np.frombuffer(text, np.uint8))
    model.metadata.append(entry)


def wrong_versions(model):
    """What is wrong with the versions of a file: a list of sentences.

    Args:
        model: A `schema.ModelT`, as it was read from the file.
    """
    wrong = []
    for graph in model.subgraphs:
        for op in graph.operators:
            has = model.operatorCodes[op.opcodeIndex].version
            needs = _version(model, graph, op)
            if has != needs:
                name = _NAMES[code_of(model, op)]
                wrong.append(f"{name} says version {has} and needs {needs}")
    has, needs = runtime_of(model), _needed_runtime(model, "")
    if order(has) < order(needs):
        wrong.append(f"the file says runtime {has or 'none'}, needs {needs}")
    return wrong


def _version(model, graph, op):
    name = _NAMES[code_of(model, op)]
    if name not in _RUNTIMES:
        return model.operatorCodes[op.opcodeIndex].version
    if name in _ALWAYS_1:
        return 1
    inputs = [graph.tensors[i] for i in op.inputs if i >= 0]
    outputs = [graph.tensors[i] for i in op.outputs]
    if name in _SPECIAL:
        return _SPECIAL[name](op, inputs, outputs)
    if name in ("PAD", "PADV2", "TRANSPOSE") and len(inputs[0].shape) > 4:
        return 4
    if name in ("SUB", "MAXIMUM", "MINIMUM") and (
        max(len(t.shape) for t in inputs) > 4
        and not np.array_equal(inputs[0].shape, inputs[1].shape)
    ):
        return 3
    eight = (_TYPES.INT8, _TYPES.UINT8) if name == "RELU" else (_TYPES.INT8,)
    return 2 if inputs[0].type in eight else 1


def _conv(op, inputs, outputs):
    image, kernel = inputs[:2]
    if image.shape[3] != kernel.shape[3]:
        return 6  # grouped
    kinds = (image.type, kernel.type)
    if kinds == (_TYPES.FLOAT32, _TYPES.INT8):
        return 5 if scales_of(kernel) == kernel.shape[0] else 2
    return 3 if kinds == (_TYPES.INT8, _TYPES.INT8) else 1


def _depthwise(op, inputs, outputs):
    image, kernel = inputs[:2]
    kinds = (image.type, kernel.type)
    if kinds == (_TYPES.FLOAT32, _TYPES.INT8):
        return 6 if scales_of(kernel) == kernel.shape[3] else 4
    if kinds == (_TYPES.INT8, _TYPES.INT8):
        return 3
    options = op.builtinOptions
    dilated = (options.dilationWFactor, options.dilationHFactor) != (1, 1)
    return 2 if dilated else 1


def _dense(op, inputs, outputs):
    image, kernel = inputs[:2]
    hybrid = (image.type, kernel.type) == (_TYPES.FLOAT32, _TYPES.INT8)
    if hybrid and scales_of(kernel) == kernel.shape[0]:
        return 12
    if len(op.inputs) == 2:
        return 6
    if op.builtinOptions.keepNumDims:
        return 5
    if hybrid:
        return 9 if op.builtinOptions.asymmetricQuantizeInputs else 3
    return 4 if image.type == _TYPES.INT8 else 1


def _mul(op, inputs, outputs):
    scales = [_scale(t) for t in (*inputs, *outputs)]
    if all(scales) and scales[0] * scales[1] / scales[2] >= 1:
        return 3
    return 2 if inputs[0].type == _TYPES.INT8 else 1


def _cast(op, inputs, outputs):
    kinds = {inputs[0].type, outputs[0].type}
    if _TYPES.FLOAT16 in kinds:
        return 5
    return 3 if _TYPES.INT8 in kinds else 1


def _dequantize(op, inputs, outputs):
    if inputs[0].type == _TYPES.FLOAT16:
        return 3
    if inputs[0].type == _TYPES.INT8:
        return 5 if scales_of(inputs[0]) > 1 else 2
    return 1


def _quantize(op, inputs, outputs):
    return 3 if scales_of(outputs[0]) > 1 else 1


_SPECIAL = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "MUL": _mul,
    "CAST": _cast,
    "DEQUANTIZE": _dequantize,
    "QUANTIZE": _quantize,
}


def _scale(tensor):
    return float(tensor.quantization.scale[0]) if scales_of(tensor) else 0.0


def _code(builtin, version, custom):
    code = schema.OperatorCodeT()
    code.builtinCode = builtin
    # Old runtimes read the old field, which ends at 127.
    code.deprecatedBuiltinCode = min(builtin, 127)
    code.version, code.customCode = version, custom
    return code


def _needed_runtime(model, written):
    found = []
    for code in model.operatorCodes:
        name = _NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]
        # Of an operator without a rule the converter knows the runtime.
        known = dict(enumerate(_RUNTIMES.get(name, "").split(), 1))
        found.append(known.get(code.version, written))
    return max(found, key=order)


def runtime_of(model):
    """The least runtime that a file names, such as `"2.4.0"`, or `""`."""
    for entry in model.metadata or []:
        if entry.name == RUNTIME:
            data = bytes(model.buffers[entry.buffer].data)
            return data.rstrip(b"\0").decode("ascii", "replace")
    return ""


def order(text):
    """Sorts versions such as `"2.10.0"`."""
    return [int(part) for part in text.split(".") if part.isdigit()]
