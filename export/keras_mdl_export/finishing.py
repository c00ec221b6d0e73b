"""From the converter's file to ours: mode, output, and nothing superfluous."""

import numpy as np

from keras_mdl_export import weights
from keras_mdl_export.flatbuffer import (
    add_tensor,
    make_operator,
    schema,
    unpack,
)


def finish(content, mode, kernels, output):
    """One converted network in the form of its mode.

    Args:
        content: Bytes of the converted file: float32, or full int8.
        mode: A `modes.Mode`.
        kernels: `{layer: float32 kernel}` of the trunk.
        output: `"probabilities"` or `"logits"`.

    Returns:
        A `schema.ModelT`.
    """
    model = unpack(content)
    if mode.unfold:
        weights.unfold_scales(model, kernels)
    if mode.kernels == "int8" and not mode.int8_activations:
        weights.quantise_kernels(model)
    if mode.halves:
        weights.halve_kernels(model)
    if output == "probabilities":
        append_softmax(model)
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
    """Drops what no runtime reads: names, ranges, notes of the converter."""
    model.description = None
    model.metadata = [
        m for m in model.metadata or [] if m.name == b"min_runtime_version"
    ]
    for graph in model.subgraphs:
        graph.name = None
        ends = {int(i) for i in (*graph.inputs, *graph.outputs)}
        names = {
            entry.tensorIndex: entry.name
            for s in model.signatureDefs
            for entry in (*s.inputs, *s.outputs)
        }
        for index, tensor in enumerate(graph.tensors):
            tensor.name = names.get(index) if index in ends else None
            tensor.shapeSignature = None  # sizes are fixed
            quantization = tensor.quantization
            if quantization is not None:
                quantization.min = quantization.max = None
                if quantization.scale is None:
                    tensor.quantization = None
    _drop_unused_buffers(model)


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
