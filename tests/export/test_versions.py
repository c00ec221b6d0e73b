"""The rules of versions, one by one, and what they make of a small file.

`test_export.py` looks at every operator of every mode's files.
"""

import numpy as np
import pytest
import tiny_tflite
from ai_edge_litert.interpreter import Interpreter
from keras_mdl_export import weights
from keras_mdl_export.finishing import slim
from keras_mdl_export.flatbuffer import (
    add_tensor,
    code_of,
    make_operator,
    pack,
    schema,
    unpack,
)
from keras_mdl_export.versions import runtime_of, set_versions, wrong_versions

OPS, TYPES = schema.BuiltinOperator, schema.TensorType


def small_file(dtype="float32", **kernels):
    """The float file of `tiny_tflite`, as a tree."""
    return unpack(tiny_tflite.tflite(kernels, dtype))


def with_scales(graph, index, scales):
    tensor = graph.tensors[index]
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale = np.full(scales, 0.5, np.float32)


@pytest.mark.parametrize(
    ("name", "kinds", "scales", "options", "version", "runtime"),
    [
        # op_version.cc: type of input and kernel, scales of the kernel (4
        # output channels, 3 for each output of a depthwise one)
        ("CONV_2D", "ff", 0, {}, 1, "1.5.0"),
        ("CONV_2D", "fi", 1, {}, 2, "1.14.0"),
        ("CONV_2D", "fi", 4, {}, 5, "2.4.0"),
        ("CONV_2D", "ii", 4, {}, 3, "1.14.0"),
        ("CONV_2D grouped", "ff", 0, {}, 6, "2.9.0"),
        ("CONV_2D grouped", "fi", 4, {}, 6, "2.9.0"),
        ("DEPTHWISE_CONV_2D", "ff", 0, {}, 1, "1.5.0"),
        ("DEPTHWISE_CONV_2D", "ff", 0, {"dilationWFactor": 2}, 2, "1.12.0"),
        ("DEPTHWISE_CONV_2D", "fi", 1, {}, 4, "2.2.0"),
        ("DEPTHWISE_CONV_2D", "fi", 3, {}, 6, "2.3.0"),
        ("DEPTHWISE_CONV_2D", "ii", 3, {}, 3, "1.14.0"),
        ("FULLY_CONNECTED", "ff", 0, {}, 1, "1.5.0"),
        ("FULLY_CONNECTED", "ff", 0, {"keepNumDims": True}, 5, "2.0.0"),
        ("FULLY_CONNECTED", "fi", 1, {}, 3, "1.14.0"),
        (
            "FULLY_CONNECTED", "fi", 1,
            {"asymmetricQuantizeInputs": True}, 9, "2.3.0",
        ),
        ("FULLY_CONNECTED", "fi", 4, {}, 12, "2.17.0"),
        ("FULLY_CONNECTED", "ii", 4, {}, 4, "1.14.0"),
        ("DEQUANTIZE", "hf", 0, {}, 3, "1.15.0"),
        ("DEQUANTIZE", "if", 0, {}, 2, "1.14.0"),
        ("ADD", "ff", 0, {}, 1, "1.5.0"),
        ("ADD", "ii", 0, {}, 2, "1.14.0"),
        ("MUL", "ff", 0, {}, 1, "1.5.0"),
        ("MUL", "ii", 0, {}, 2, "1.14.0"),
        ("SOFTMAX", "ff", 0, {}, 1, "1.5.0"),
        ("SOFTMAX", "ii", 0, {}, 2, "1.14.0"),
        ("RESHAPE", "ff", 0, {}, 1, "1.5.0"),
    ],
)  # fmt: skip
def test_each_rule(name, kinds, scales, options, version, runtime):
    name, _, grouped = name.partition(" ")
    model = schema.ModelT()
    model.subgraphs, model.operatorCodes = [schema.SubGraphT()], []
    model.buffers, (graph,) = [schema.BufferT()], model.subgraphs
    graph.tensors, graph.operators = [], []
    first, second = (
        {"f": TYPES.FLOAT32, "i": TYPES.INT8, "h": TYPES.FLOAT16}[k]
        for k in kinds
    )
    shapes = {
        "CONV_2D": [4, 1, 1, 3],
        "DEPTHWISE_CONV_2D": [1, 3, 3, 3],
        "FULLY_CONNECTED": [4, 3],
    }
    image = [1, 5, 5, 6 if grouped else 3]
    x = add_tensor(model, graph, image, kind=first)
    kernel = add_tensor(model, graph, shapes.get(name, [3]), kind=second)
    bias = add_tensor(model, graph, [4])
    y = add_tensor(model, graph, [1, 5, 5, 4], kind=first)
    if scales:
        with_scales(graph, kernel, scales)
    kind = {
        "CONV_2D": schema.Conv2DOptionsT,
        "DEPTHWISE_CONV_2D": schema.DepthwiseConv2DOptionsT,
        "FULLY_CONNECTED": schema.FullyConnectedOptionsT,
    }.get(name)
    found = kind and kind()
    for key, value in options.items():
        setattr(found, key, value)
    inputs = [x] if name in ("DEQUANTIZE", "SOFTMAX") else [x, kernel, bias]
    outputs = [kernel] if name == "DEQUANTIZE" else [y]
    op = make_operator(model, getattr(OPS, name), inputs, outputs, found)
    graph.operators.append(op)
    set_versions(model)
    assert model.operatorCodes[op.opcodeIndex].version == version
    assert runtime_of(model) == runtime
    assert wrong_versions(model) == []


def test_dense_layers_become_convolutions_that_answer_the_same():
    own = tiny_tflite.kernels(1, 5)[1] / 100
    model = small_file(a=own)
    weights.quantize_kernels(model, {})
    weights.dense_as_convolutions(model)
    set_versions(model)
    slim(model)
    codes = [code_of(model, op) for op in model.subgraphs[0].operators]
    assert OPS.FULLY_CONNECTED not in codes
    assert codes.count(OPS.CONV_2D) == 2
    assert runtime_of(model) == "2.4.0"
    interpreter = Interpreter(model_content=pack(model), num_threads=1)
    run = interpreter.get_signature_runner("a")
    size = tiny_tflite.SIZE
    images = np.random.default_rng(0).integers(0, 256, (20, size, size, 3))
    for image in images.astype("float32"):
        scores = run(image=image[None])["scores"]
        expected = tiny_tflite.answer(
            image[None], tiny_tflite.kernels(1, 5)[0], own
        )
        np.testing.assert_allclose(scores, expected, atol=0.02)


def test_half_precision_takes_the_bias_along():
    # LiteRT 1.1 to 1.3 refuse a kernel in half precision beside another bias.
    model = small_file(a=tiny_tflite.kernels(1, 5)[1] / 100)
    graph = model.subgraphs[0]
    shared = add_tensor(model, graph, [5], np.zeros(5, np.float32))
    head = [
        op
        for op in graph.operators
        if code_of(model, op) == OPS.FULLY_CONNECTED
    ][1]
    head.inputs[2] = shared
    weights.halve_kernels(model)
    set_versions(model)
    before = {
        int(op.outputs[0]): graph.tensors[op.inputs[0]].type
        for op in graph.operators
        if code_of(model, op) == OPS.DEQUANTIZE
    }
    assert [before[int(i)] for i in head.inputs[1:]] == [TYPES.FLOAT16] * 2
    slim(model)
    Interpreter(model_content=pack(model), num_threads=1).allocate_tensors()


def test_an_operator_without_a_rule_keeps_the_converters_version():
    model = small_file("uint8", a=tiny_tflite.kernels(1, 5)[1])
    for code in model.operatorCodes:
        if code.builtinCode == OPS.MEAN:
            code.version = 3
    set_versions(model, "2.11.0")
    versions = {c.builtinCode: c.version for c in model.operatorCodes}
    assert versions[OPS.MEAN] == 3
    assert versions[OPS.FULLY_CONNECTED] == 1
    assert runtime_of(model) == "2.11.0"
