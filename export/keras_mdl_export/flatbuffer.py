"""TFLite files as objects, and back to bytes with a shared tail."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

IDENTIFIER = b"TFL3"
_ALIGNMENT = 16  # of weights; the runtime reads them where they lie
_TAIL_ALIGNMENT = 64  # of the trunk's weights, a cache line


def unpack(content):
    """A TFLite file as a `schema.ModelT` tree.

    Args:
        content: Bytes of the file.

    Raises:
        ValueError: If they are no TFLite file.
    """
    if content[4:8] != IDENTIFIER:
        raise ValueError(
            f"Expected a TFLite file (identifier {IDENTIFIER!r}). "
            f"Received: {bytes(content[4:8])!r}"
        )
    return schema.ModelT.InitFromPackedBuf(bytearray(content))


def pack(model, tail=()):
    """A `schema.ModelT` tree as bytes that end in `tail_bytes(tail)`.

    Flatbuffers are written from the end: what is created first stands last.
    The vectors of `tail` are created first, so files with the same tail end in
    the same bytes, however much they differ before them. They are ordinary
    files all the same: no runtime needs to know.

    Equal vectors (kernels, scales, zero points) are stored once.

    Args:
        model: A `schema.ModelT`.
        tail: uint8 arrays; a buffer of the model with the same bytes is
            stored there.
    """
    builder = _SharingBuilder(1 << 20)
    builder.create_tail(tail)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def tail_bytes(tail):
    """The bytes at the end of every file that is packed with `tail`."""
    builder = _SharingBuilder(1 << 20)
    return builder.create_tail(tail)


def tail_offsets(tail):
    """Where in `tail_bytes(tail)` the data of each array begin."""
    builder = _SharingBuilder(1 << 20)
    size = len(builder.create_tail(tail))
    # A vector's offset (from the end) is that of its length, 4 bytes.
    return [size - builder.CreateNumpyVector(a) + 4 for a in tail]


class _SharingBuilder(flatbuffers.Builder):
    """Stores equal NumPy vectors once, and aligns weights."""

    def __init__(self, size):
        super().__init__(size)
        self._known = {}

    def create_tail(self, arrays):
        for array in arrays:
            self._create_bytes(array, _TAIL_ALIGNMENT)
        if arrays:
            self.Prep(_TAIL_ALIGNMENT, 0)
        return bytes(self.Bytes[self.head :])

    def CreateNumpyVector(self, x):
        if x.dtype == np.uint8:
            return self._create_bytes(x, _ALIGNMENT)
        key = (x.dtype.str, x.tobytes())
        if key not in self._known:
            self._known[key] = super().CreateNumpyVector(x)
        return self._known[key]

    def _create_bytes(self, x, alignment):
        key = (x.dtype.str, x.tobytes())
        if key not in self._known:
            self.StartVector(1, x.size, alignment)
            self.head -= x.size
            self.Bytes[self.head : self.head + x.size] = key[1]
            # What `EndVector` writes before the data: their number.
            self.vectorNumElems = x.size
            self._known[key] = self.EndVector()
        return self._known[key]


# === Reading and changing the tree ===


def code_of(model, op):
    """The builtin code of an operator."""
    code = model.operatorCodes[op.opcodeIndex]
    return max(code.builtinCode, code.deprecatedBuiltinCode)


def constant_of(model, graph, index):
    """The tensor that holds the constant of another, if there is one.

    In half precision a DEQUANTIZE operator stands between.
    """
    for op in graph.operators:
        if int(op.outputs[0]) == index and (
            code_of(model, op) == schema.BuiltinOperator.DEQUANTIZE
        ):
            return graph.tensors[op.inputs[0]]
    return graph.tensors[index]


def data_of(model, tensor):
    """The constant of a tensor as an array, or `None`."""
    data = model.buffers[tensor.buffer].data
    if data is None or not len(data):
        return None
    return np.asarray(data).view(DTYPES[tensor.type]).reshape(tensor.shape)


def scales_of(tensor):
    """How many scales the numbers of a tensor have; 0 for plain ones."""
    found = tensor.quantization and tensor.quantization.scale
    return 0 if found is None else len(found)


def set_data(model, tensor, values):
    """Gives a tensor a new constant, in a buffer of its own."""
    values = np.ascontiguousarray(values)
    tensor.type = next(k for k, v in DTYPES.items() if v == values.dtype)
    tensor.buffer = add_buffer(model, values)
    return tensor


def add_buffer(model, values):
    """Adds a buffer with the bytes of an array; returns its index."""
    buffer = schema.BufferT()
    buffer.data = np.ascontiguousarray(values).view(np.uint8).reshape(-1)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def add_tensor(model, graph, shape, values=None, kind=None):
    """Adds a tensor to a subgraph; returns its index.

    Args:
        model: The `schema.ModelT`.
        graph: One of its subgraphs.
        shape: Of the tensor.
        values: Its constant, or `None` for what an operator computes.
        kind: `schema.TensorType`; default float32, or that of `values`.
    """
    tensor = schema.TensorT()
    tensor.shape = np.asarray(shape, np.int32)
    tensor.type = schema.TensorType.FLOAT32 if kind is None else kind
    if values is not None:
        set_data(model, tensor, values)
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def make_operator(model, builtin, inputs, outputs, options=None):
    """An operator; `options` is an object such as `schema.AddOptionsT()`.

    Its version is written at the end: see `versions`.
    """
    op = schema.OperatorT()
    code = schema.OperatorCodeT()
    code.builtinCode = builtin
    op.opcodeIndex = len(model.operatorCodes)
    model.operatorCodes.append(code)
    op.inputs = np.asarray(inputs, np.int32)
    op.outputs = np.asarray(outputs, np.int32)
    if options is not None:
        name = type(options).__name__.removesuffix("T")
        op.builtinOptionsType = getattr(schema.BuiltinOptions, name)
        op.builtinOptions = options
    return op


DTYPES = {
    schema.TensorType.FLOAT32: np.dtype("float32"),
    schema.TensorType.FLOAT16: np.dtype("float16"),
    schema.TensorType.INT8: np.dtype("int8"),
    schema.TensorType.UINT8: np.dtype("uint8"),
    schema.TensorType.INT32: np.dtype("int32"),
    schema.TensorType.INT64: np.dtype("int64"),
    schema.TensorType.BOOL: np.dtype("bool"),
}
