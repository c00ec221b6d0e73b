"""TFLite classifiers of a few hundred bytes, built without TensorFlow.

The network of a domain: mean over the pixels, a linear layer with the shared
kernel, a linear layer with the domain's own kernel, softmax.
"""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

SIZE = 8
FEATURES = 16
_CODES = ("MEAN", "FULLY_CONNECTED", "SOFTMAX", "CAST")
_TYPES = {"float32": "FLOAT32", "uint8": "UINT8", "int32": "INT32"}


def kernels(seed, classes):
    """The shared kernel (always the same) and a domain's own kernel."""
    shared = np.random.default_rng(0).normal(size=(FEATURES, 3))
    own = np.random.default_rng(seed).normal(size=(classes, FEATURES))
    return shared.astype("float32"), own.astype("float32")


def answer(images, shared, own):
    """What the network of these kernels answers, in NumPy."""
    pooled = np.asarray(images, "float64").mean(axis=(1, 2))
    logits = pooled @ shared.T.astype("float64") @ own.T.astype("float64")
    scores = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return scores / scores.sum(axis=-1, keepdims=True)


def tflite(domains, dtype="float32"):
    """The flatbuffer of one network per domain; the trunk is its tail.

    Args:
        domains: Mapping from names to the domain's own kernel.
        dtype: Of the input: `"float32"` or `"uint8"`.

    Returns:
        The bytes.
    """
    builder = flatbuffers.Builder(1024)
    trunk, _ = kernels(0, 2)
    model = _Model(builder, trunk, dtype)
    for name, own in domains.items():
        model.add(name, own)
    return model.finish()


class _Model:
    def __init__(self, builder, trunk, dtype):
        self.builder, self.dtype = builder, dtype
        self.graphs, self.signatures = [], []
        # A builder fills the file from its end: what comes first is last.
        vector = builder.CreateNumpyVector(_bytes(trunk))
        self.buffers = [schema.BufferT(), _Written(vector)]

    def add(self, name, own):
        tensors, operators = [], []

        def tensor(label, shape, dtype, values=None, **more):
            if values is not None:
                self.buffers.append(schema.BufferT(data=_bytes(values)))
                more["buffer"] = len(self.buffers) - 1
            kind = getattr(schema.TensorType, _TYPES[dtype])
            tensors.append(
                schema.TensorT(shape=list(shape), type=kind, name=label, **more)
            )
            return len(tensors) - 1

        def operator(code, inputs, output, options):
            kind = type(options).__name__[:-1]
            operators.append(
                schema.OperatorT(
                    opcodeIndex=_CODES.index(code),
                    inputs=inputs,
                    outputs=[output],
                    builtinOptionsType=getattr(schema.BuiltinOptions, kind),
                    builtinOptions=options,
                )
            )
            return output

        classes = len(own)
        image = x = tensor("image", (1, SIZE, SIZE, 3), self.dtype)
        if self.dtype != "float32":
            y = tensor("cast", (1, SIZE, SIZE, 3), "float32")
            x = operator("CAST", [x], y, schema.CastOptionsT())
        axes = tensor("axes", (2,), "int32", np.array([1, 2], "int32"))
        y = tensor("pooled", (1, 3), "float32")
        x = operator("MEAN", [x, axes], y, schema.ReducerOptionsT())
        shared = tensor("shared", (FEATURES, 3), "float32", buffer=1)
        y = tensor("features", (1, FEATURES), "float32")
        x = operator(
            "FULLY_CONNECTED",
            [x, shared, -1],
            y,
            schema.FullyConnectedOptionsT(),
        )
        head = tensor("own", own.shape, "float32", own)
        y = tensor("logits", (1, classes), "float32")
        x = operator(
            "FULLY_CONNECTED",
            [x, head, -1],
            y,
            schema.FullyConnectedOptionsT(),
        )
        y = tensor("scores", (1, classes), "float32")
        x = operator("SOFTMAX", [x], y, schema.SoftmaxOptionsT(beta=1.0))
        self.graphs.append(
            schema.SubGraphT(
                tensors=tensors,
                inputs=[image],
                outputs=[x],
                operators=operators,
                name=name,
            )
        )
        self.signatures.append(
            schema.SignatureDefT(
                inputs=[schema.TensorMapT("image", image)],
                outputs=[schema.TensorMapT("scores", x)],
                signatureKey=name,
                subgraphIndex=len(self.graphs) - 1,
            )
        )

    def finish(self):
        codes = [getattr(schema.BuiltinOperator, c) for c in _CODES]
        model = schema.ModelT(
            version=3,
            operatorCodes=[
                schema.OperatorCodeT(
                    deprecatedBuiltinCode=c, builtinCode=c, version=1
                )
                for c in codes
            ],
            subgraphs=self.graphs,
            buffers=self.buffers,
            signatureDefs=self.signatures,
        )
        self.builder.Finish(model.Pack(self.builder), b"TFL3")
        return bytes(self.builder.Output())


class _Written(schema.BufferT):
    """A buffer whose data already stand in the file."""

    def __init__(self, vector):
        super().__init__()
        self.vector = vector

    def Pack(self, builder):
        schema.BufferStart(builder)
        schema.BufferAddData(builder, self.vector)
        return schema.BufferEnd(builder)


def _bytes(array):
    return np.frombuffer(array.tobytes(), "uint8")
