"""All domains in one file, a signature each, equal bytes stored once."""

import copy

from keras_mdl_export.flatbuffer import schema


def merge(models):
    """One `schema.ModelT` with a subgraph and a signature for each domain.

    Args:
        models: `{domain: schema.ModelT}`, each with one signature named as
            the domain.

    Returns:
        A new tree. Pack it with the trunk as tail.
    """
    models = {name: copy.deepcopy(m) for name, m in models.items()}
    merged = copy.deepcopy(next(iter(models.values())))
    merged.operatorCodes, merged.subgraphs = [], []
    merged.signatureDefs, merged.metadata = [], []
    merged.buffers = [schema.BufferT()]  # the empty one, by definition
    known = {}
    for model in models.values():
        buffers = [_buffer(merged, known, b) for b in model.buffers]
        codes = [_code(merged, c) for c in model.operatorCodes]
        for graph in model.subgraphs:
            for tensor in graph.tensors:
                tensor.buffer = buffers[tensor.buffer]
            for op in graph.operators:
                op.opcodeIndex = codes[op.opcodeIndex]
        for signature in model.signatureDefs:
            signature.subgraphIndex += len(merged.subgraphs)
        merged.subgraphs += model.subgraphs
        merged.signatureDefs += model.signatureDefs
    return merged


def _buffer(merged, known, buffer):
    if buffer.data is None or not len(buffer.data):
        return 0
    key = buffer.data.tobytes()
    if key not in known:
        known[key] = len(merged.buffers)
        merged.buffers.append(buffer)
    return known[key]


def _code(merged, code):
    def key(c):
        return (
            max(c.builtinCode, c.deprecatedBuiltinCode),
            c.version,
            c.customCode,
        )

    for index, other in enumerate(merged.operatorCodes):
        if key(other) == key(code):
            return index
    merged.operatorCodes.append(code)
    return len(merged.operatorCodes) - 1
