"""All domains in one file, a signature each, equal bytes stored once."""

import copy

from keras_mdl_export.flatbuffer import schema
from keras_mdl_export.versions import order, runtime_of, set_versions


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
        first = len(merged.operatorCodes)
        merged.operatorCodes += model.operatorCodes
        for graph in model.subgraphs:
            for tensor in graph.tensors:
                tensor.buffer = buffers[tensor.buffer]
            for op in graph.operators:
                op.opcodeIndex += first
        for signature in model.signatureDefs:
            signature.subgraphIndex += len(merged.subgraphs)
        merged.subgraphs += model.subgraphs
        merged.signatureDefs += model.signatureDefs
    set_versions(merged, max(map(runtime_of, models.values()), key=order))
    return merged


def _buffer(merged, known, buffer):
    if buffer.data is None or not len(buffer.data):
        return 0
    key = buffer.data.tobytes()
    if key not in known:
        known[key] = len(merged.buffers)
        merged.buffers.append(buffer)
    return known[key]
