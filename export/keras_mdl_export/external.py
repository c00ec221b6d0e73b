"""LiteRT's external weights: a file that reads the trunk from beside it."""

import copy

from keras_mdl_export.external_check import GROUP
from keras_mdl_export.flatbuffer import schema, tail_offsets


def with_external_trunk(model, tail):
    """A tree whose tensors of the trunk point into `trunk.bin`.

    Only LiteRT's `CompiledModel` reads such files, not the older interpreter
    and not the browser's runtime. It maps `trunk.bin` once for all domains,
    and it does not check what it reads: check the hash before.

    Args:
        model: A `schema.ModelT` of one domain; it is left as it is.
        tail: The trunk's kernels as uint8 arrays, in the order of
            `trunk.bin`.

    Returns:
        A new tree. Pack it without a tail.
    """
    model = copy.deepcopy(model)
    places = {
        a.tobytes(): (offset, a.size)
        for a, offset in zip(tail, tail_offsets(tail), strict=True)
    }
    group = schema.ExternalBufferGroupT()
    group.name = GROUP
    model.externalBufferGroups, model.externalBuffers = [group], []
    ids = {}
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            data = model.buffers[tensor.buffer].data
            if data is None or data.tobytes() not in places:
                continue
            place = places[data.tobytes()]
            if place not in ids:
                buffer = schema.ExternalBufferT()
                buffer.id = ids[place] = len(ids) + 1  # 0 means none
                buffer.offset, buffer.length = place
                model.externalBuffers.append(buffer)
            tensor.externalBuffer = ids[place]
            tensor.buffer = 0
    used = {t.buffer for g in model.subgraphs for t in g.tensors}
    used |= {m.buffer for m in model.metadata or []}
    for index, buffer in enumerate(model.buffers):
        if index not in used:
            buffer.data = None
    return model
