"""Which version of an operator, and which runtime, a finished file needs.

A runtime that lacks the version of an operator refuses the file. One that is
told too low a version runs it, and answers wrongly without an error: TFLite
2.14 reads the first of many scales for all rows of a dense layer. So versions
are derived here, for every operator, from the file as it is written.

The rules are those of `op_version.cc` and `runtime_version.cc` in
tflite/converter/tools/versioning (github.com/google-ai-edge/LiteRT), for the
operators that an export adds or changes. The others stay as TensorFlow's
converter wrote them, by the same rules.
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
_FLOAT, _HALF, _INT8 = (
    schema.TensorType.FLOAT32,
    schema.TensorType.FLOAT16,
    schema.TensorType.INT8,
)
_NAMES = {v: k for k, v in vars(_OPS).items() if isinstance(v, int)}
# The first runtime that has version 1, 2, 3 ... of an operator.
_RUNTIMES = {
    "ADD": "1.5.0 1.14.0",
    "CONV_2D": "1.5.0 1.14.0 1.14.0 2.3.0 2.4.0 2.9.0",
    "DEPTHWISE_CONV_2D": "1.5.0 1.12.0 1.14.0 2.2.0 2.3.0 2.3.0",
    "DEQUANTIZE": "1.13.1 1.14.0 1.15.0 2.2.0 2.7.0",
    "FULLY_CONNECTED": "1.5.0 1.10.0 1.14.0 1.14.0 2.0.0 2.1.0 2.3.0 2.3.0 "
    "2.3.0 2.11.0 2.15.0 2.17.0",
    "MUL": "1.5.0 1.14.0 1.15.0",
    "RESHAPE": "1.5.0",
    "SOFTMAX": "1.5.0 1.14.0",
}


def set_versions(model, written=None):
    """Writes every operator's version, and the runtime that the file needs.

    Args:
        model: A finished `schema.ModelT`, changed in place.
        written: The least runtime, by TensorFlow's converter; default what
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
    tensors = [graph.tensors[i] for i in (*op.inputs, *op.outputs) if i >= 0]
    first, second = tensors[:2]
    int8, half = first.type == _INT8, first.type == _HALF
    hybrid = (first.type, second.type) == (_FLOAT, _INT8)
    options, scales = op.builtinOptions, scales_of(second)
    if name == "RESHAPE":
        return 1
    if name == "DEQUANTIZE":
        return 3 if half else 1 + int8 * (4 if scales_of(first) > 1 else 1)
    if name == "MUL":
        found = [t.quantization.scale[0] for t in tensors if scales_of(t)]
        if len(found) == 3 and found[0] * found[1] / found[2] >= 1:
            return 3
    elif name == "CONV_2D":
        if first.shape[3] != second.shape[3]:
            return 6  # grouped
        if hybrid:
            return 5 if scales == second.shape[0] else 2
        return 3 if int8 else 1
    elif name == "DEPTHWISE_CONV_2D":
        if hybrid:
            return 6 if scales == second.shape[3] else 4
        dilated = (options.dilationWFactor, options.dilationHFactor) != (1, 1)
        return 3 if int8 else 1 + dilated
    elif name == "FULLY_CONNECTED":
        if hybrid and scales == second.shape[0]:
            return 12
        if len(op.inputs) == 2 or options.keepNumDims:
            return 6 if len(op.inputs) == 2 else 5
        if hybrid:
            return 9 if options.asymmetricQuantizeInputs else 3
        return 4 if int8 else 1
    return 2 if int8 else 1


def _code(builtin, version, custom):
    code = schema.OperatorCodeT()
    code.builtinCode = builtin
    # Old runtimes read the old field, which ends at 127.
    code.deprecatedBuiltinCode = min(builtin, 127)
    code.version, code.customCode = version, custom
    return code


def _needed_runtime(model, written):
    found = [written]
    for code in model.operatorCodes:
        name = _NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]
        known = dict(enumerate(_RUNTIMES.get(name, "").split(), 1))
        found.append(known.get(code.version, ""))
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
