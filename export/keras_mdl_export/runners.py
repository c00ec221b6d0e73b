"""Networks ready to run: each a function from one image to its scores."""

import contextlib
from dataclasses import dataclass

import numpy as np

from keras_mdl_export.strict_json import shortened


@dataclass(frozen=True)
class Expected:
    """What the manifest says about a file and the networks in it.

    Attributes:
        what: The file, for messages.
        signatures: The names of its signatures: of the domains in it.
        shape: Of the input, `(1, height, width, 3)`.
        dtype: Of the input, by name.
        classes: How many scores there are.
    """

    what: str
    signatures: list
    shape: tuple
    dtype: str
    classes: int

    def check(self, kind, received):
        """Refuses what is not as the manifest says.

        Args:
            kind: `"signatures"`, `"input"` or `"output"`.
            received: The names, or the runtime's details of all inputs or
                outputs.

        Raises:
            ValueError: If they differ.
        """
        expected = {
            "signatures": sorted(self.signatures),
            "input": [(self.shape, self.dtype)],
            "output": [((1, self.classes), "float32")],
        }[kind]
        if kind == "signatures":  # two domains may have equal shapes
            received = sorted(received)
        else:
            received = [
                (tuple(map(int, d["shape"])), np.dtype(d["dtype"]).name)
                for d in received
            ]
        if received != expected:
            raise ValueError(
                f"{self.what} should have the {kind} {shortened(expected)}. "
                f"Received: {shortened(received)}"
            )


def open_interpreter(content, threads, expected):
    """LiteRT's interpreter for the bytes of a file.

    Args:
        content: The bytes.
        threads: How many threads it computes with.
        expected: The file's `Expected`.

    Raises:
        ValueError: If LiteRT refuses the file, or it has other signatures.
    """
    from ai_edge_litert.interpreter import Interpreter

    with _refused(expected.what):
        found = Interpreter(model_content=content, num_threads=threads)
        signatures = found.get_signature_list()
    expected.check("signatures", signatures)
    return found


def signature_runner(interpreter, name, expected):
    """Runs one signature of an interpreter."""
    with _refused(expected.what):
        runner = interpreter.get_signature_runner(name)
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    expected.check("input", inputs.values())
    expected.check("output", outputs.values())
    (image,), (scores,) = inputs, outputs

    def run(pixels):
        with _refused(expected.what):
            return runner(**{image: pixels})[scores][0]

    return run


def cached_runner(content, threads, expected, weight_cache):
    """Runs a file of one signature on LiteRT's `CompiledModel`.

    Args:
        content: The bytes of the file.
        threads: How many threads it computes with.
        expected: The file's `Expected`.
        weight_cache: Path of a file for the weights as XNNPACK lays them
            out.

    Raises:
        ValueError: If LiteRT refuses the file, or it is not as expected.
    """
    from ai_edge_litert.compiled_model import CompiledModel, CpuOptions, Options

    # `CompiledModel` takes broken flatbuffers and crashes; the interpreter
    # verifies them first. It is built for that alone.
    open_interpreter(content, threads, expected)
    cpu = CpuOptions(num_threads=threads)
    cpu.xnnpack_weight_cache_path = str(weight_cache)
    (name,) = expected.signatures
    with _refused(expected.what):
        model = CompiledModel.from_buffer(
            content, options=Options(cpu_options=cpu)
        )
        found = model.get_input_tensor_details(name)
        expected.check("input", found.values())
        found = model.get_output_tensor_details(name)
        expected.check("output", found.values())
        inputs, outputs = (
            model.create_input_buffers(0),
            model.create_output_buffers(0),
        )

    def run(pixels, kept=content):  # the model may point into the bytes
        with _refused(expected.what):
            inputs[0].write(pixels)
            model.run_by_index(0, inputs, outputs)
            return outputs[0].read(expected.classes, np.float32)

    return run


@contextlib.contextmanager
def _refused(what):
    # The runtime's errors about a file are of several types.
    try:
        yield
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"LiteRT refuses {what}: {error}") from error
