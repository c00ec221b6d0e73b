"""From the converter's file to ours: mode, output, and nothing superfluous."""

import numpy as np

from keras_mdl_export import weights
from keras_mdl_export.coarsening import coarsen
from keras_mdl_export.flatbuffer import (
    add_tensor,
    make_operator,
    schema,
    unpack,
)
from keras_mdl_export.private_bits import FULL
from keras_mdl_export.unfolding import unfold_scales
from keras_mdl_export.versions import RUNTIME, set_versions


def finish(content, mode, kernels, output, trunk, bits=FULL, only_trunk=False):
    """One converted network in the form of its mode.

    Args:
        content: Bytes of the converted file: float32, or full int8.
        mode: A `modes.Mode`.
        kernels: `{layer: float32 kernel}` of the trunk.
        output: `"probabilities"` or `"logits"`.
        trunk: `{layer: kernel}` as the files hold them.
        bits: `PrivateBits` of all else.
        only_trunk: Whether nothing but the trunk's kernels becomes int8.

    Returns:
        A `schema.ModelT`.
    """
    model = unpack(content)
    if mode.unfold:
        unfold_scales(model, kernels)
    if mode.kernels == "int8" and not mode.int8_activations:
        weights.quantize_kernels(
            model, kernels, list(trunk.values()) if only_trunk else None
        )
    weights.dense_as_convolutions(model)
    if bits != FULL:
        coarsen(model, trunk, bits)
    if mode.halves:
        weights.halve_kernels(model)
    if output == "probabilities":
        append_softmax(model)
    set_versions(model)
    slim(model)
    return model


def append_softmax(model):
    """Turns the output `logits` into `probabilities`, in float32."""
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    logits = int(graph.outputs[0])
    index = add_tensor(model, graph, graph.tensors[logits].shape)
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    graph.operators.append(
        make_operator(
            model,
            schema.BuiltinOperator.SOFTMAX,
            [logits],
            [index],
            options,
        )
    )
    graph.outputs = np.array([index], np.int32)
    signature.outputs[0].name = b"probabilities"
    signature.outputs[0].tensorIndex = index


def slim(model):
    """Drops what no runtime reads: long names, ranges, the converter's notes.

    Inner tensors get the shortest names that differ: other tools (tf2onnx)
    need some.
    """
    model.description = None
    model.metadata = [m for m in model.metadata or [] if m.name == RUNTIME]
    for graph in model.subgraphs:
        _drop_unused_tensors(model, graph)
        graph.name = None
        ends = {int(i) for i in (*graph.inputs, *graph.outputs)}
        names = {
            entry.tensorIndex: entry.name
            for s in model.signatureDefs
            for entry in (*s.inputs, *s.outputs)
        }
        for index, tensor in enumerate(graph.tensors):
            tensor.name = (
                names[index]
                if index in ends and index in names
                else np.base_repr(index, 36).encode()
            )
            tensor.shapeSignature = None  # sizes are fixed
            quantization = tensor.quantization
            if quantization is not None:
                quantization.min = quantization.max = None
                if quantization.scale is None:
                    tensor.quantization = None
    _drop_unused_buffers(model)


def _drop_unused_tensors(model, graph):
    used = {int(i) for i in (*graph.inputs, *graph.outputs)}
    for op in graph.operators:
        used |= {int(i) for i in (*op.inputs, *op.outputs) if i >= 0}
    places = {old: new for new, old in enumerate(sorted(used))}
    places[-1] = -1  # no tensor
    graph.tensors = [graph.tensors[i] for i in sorted(used)]
    for holder in (graph, *graph.operators):
        holder.inputs = np.array(
            [places[int(i)] for i in holder.inputs], np.int32
        )
        holder.outputs = np.array(
            [places[int(i)] for i in holder.outputs], np.int32
        )
    for signature in model.signatureDefs:
        for entry in (*signature.inputs, *signature.outputs):
            entry.tensorIndex = places[entry.tensorIndex]


def _drop_unused_buffers(model):
    # Buffer 0 is the empty one, by the format's definition.
    used = {0: 0}
    kept = [model.buffers[0]]
    for holder in (
        *(t for g in model.subgraphs for t in g.tensors),
        *model.metadata,
    ):
        if holder.buffer not in used:
            buffer = model.buffers[holder.buffer]
            empty = buffer.data is None or not len(buffer.data)
            used[holder.buffer] = 0 if empty else len(kept)
            if not empty:
                kept.append(buffer)
        holder.buffer = used[holder.buffer]
    model.buffers = kept
