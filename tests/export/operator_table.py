"""What operators need, written from `op_version.cc` by hand.

For the operators that exports have; it knows nothing of
`keras_mdl_export.versions`.
"""

from keras_mdl_export.flatbuffer import schema

FLOAT, HALF, INT8, UINT8, INT32 = (
    getattr(schema.TensorType, n)
    for n in ("FLOAT32", "FLOAT16", "INT8", "UINT8", "INT32")
)
# (operator, type of the first input, of the kernel, scales of the kernel) to
# (version, first runtime). `many`: one scale for each output channel.
EXPECTED = {
    ("ADD", FLOAT): (1, "1.5.0"),
    ("ADD", INT8): (2, "1.14.0"),
    ("AVERAGE_POOL_2D", FLOAT): (1, "1.5.0"),
    ("AVERAGE_POOL_2D", INT8): (2, "1.14.0"),
    ("CAST", UINT8): (1, "1.5.0"),
    ("CONV_2D", FLOAT, FLOAT, "none"): (1, "1.5.0"),
    ("CONV_2D", FLOAT, INT8, "many"): (5, "2.4.0"),
    ("CONV_2D", INT8, INT8, "many"): (3, "1.14.0"),
    ("DEPTHWISE_CONV_2D", FLOAT, FLOAT, "none"): (1, "1.5.0"),
    ("DEPTHWISE_CONV_2D", INT8, INT8, "many"): (3, "1.14.0"),
    ("DEQUANTIZE", HALF): (3, "1.15.0"),
    ("DEQUANTIZE", INT8): (2, "1.14.0"),
    ("FULLY_CONNECTED", FLOAT, FLOAT, "none"): (1, "1.5.0"),
    ("HARD_SWISH", FLOAT): (1, "1.15.0"),
    ("HARD_SWISH", INT8): (1, "1.15.0"),
    ("LOGISTIC", FLOAT): (1, "1.14.0"),
    ("LOGISTIC", INT8): (2, "1.14.0"),
    ("MEAN", FLOAT): (1, "1.6.0"),
    ("MEAN", INT8): (2, "1.14.0"),
    ("MUL", FLOAT): (1, "1.5.0"),
    ("MUL", INT8): (2, "1.14.0"),
    ("PAD", FLOAT): (1, "1.5.0"),
    ("PAD", INT8): (2, "1.14.0"),
    ("QUANTIZE", FLOAT): (1, "1.14.0"),
    ("QUANTIZE", UINT8): (1, "1.14.0"),
    ("RESHAPE", FLOAT): (1, "1.5.0"),
    ("RESHAPE", INT8): (1, "1.5.0"),
    ("SOFTMAX", FLOAT): (1, "1.5.0"),
}
NAMES = {
    v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)
}


def described(model, graph, op):
    """What of an operator decides its version, in the words of `EXPECTED`."""
    code = model.operatorCodes[op.opcodeIndex]
    name = NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]
    first, *others = [graph.tensors[i] for i in op.inputs if i >= 0]
    if name not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return code.version, (name, first.type)
    kernel = others[0]
    scales = kernel.quantization and kernel.quantization.scale
    scales = 0 if scales is None else len(scales)
    channels = kernel.shape[3 if name.startswith("DEPTH") else 0]
    kind = {0: "none", int(channels): "many"}.get(scales, scales)
    return code.version, (name, first.type, kernel.type, kind)


def runtime_in(model):
    (entry,) = (m for m in model.metadata if m.name == b"min_runtime_version")
    return bytes(model.buffers[entry.buffer].data).rstrip(b"\0").decode()
