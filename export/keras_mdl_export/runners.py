"""Networks ready to run: each a function from one image to its scores."""

import contextlib

import numpy as np

from keras_mdl_export.strict_json import shortened


class Expected:
    """What the manifest says about a network's input and output.

    Args:
        what: The file, for messages.
        signatures: The names of its signatures: of the domains in it.
        shape: Of the input, `(1, height, width, 3)`.
        dtype: Of the input, by name.
        classes: How many scores there are.
    """

    def __init__(self, what, signatures, shape, dtype, classes):
        self.what = what
        self.signatures = sorted(signatures)
        self.input = (tuple(shape), dtype)
        self.output = ((1, classes), "float32")

    def check_signatures(self, received):
        """Refuses a file of other domains: two may have equal shapes.

        Raises:
            ValueError: If these are not the names of its signatures.
        """
        if sorted(received) != self.signatures:
            raise ValueError(
                f"{self.what} should have the signatures {self.signatures}. "
                f"Received: {shortened(sorted(received))}"
            )

    def one(self, details, kind):
        """The only one of a network's inputs or outputs.

        Args:
            details: The runtime's list of them.
            kind: `"input"` or `"output"`.

        Raises:
            ValueError: If there are several, or it has another shape or
                dtype than the manifest says.
        """
        received = [
            (tuple(int(s) for s in d["shape"]), np.dtype(d["dtype"]).name)
            for d in details
        ]
        if received != [getattr(self, kind)]:
            raise ValueError(
                f"{self.what} should have one {kind} of (shape, dtype) "
                f"{getattr(self, kind)}. Received: {received}"
            )
        return details[0]


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
    expected.check_signatures(signatures)
    return found


def signature_runner(interpreter, name, expected):
    """Runs one signature of an interpreter."""
    with _refused(expected.what):
        runner = interpreter.get_signature_runner(name)
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    expected.one([*inputs.values()], "input")
    expected.one([*outputs.values()], "output")
    (image,), (scores,) = inputs, outputs

    def run(pixels):
        with _refused(expected.what):
            return runner(**{image: pixels})[scores][0]

    return run


class CompiledRunner:
    """Runs a file on LiteRT's `CompiledModel`.

    Args:
        content: The bytes of the file.
        expected: Its `Expected` input and output.
        threads: How many threads it computes with.
        weight_cache: Path of a file for the weights as XNNPACK lays them
            out.

    Raises:
        ValueError: If LiteRT refuses the file.
    """

    def __init__(self, content, expected, threads, weight_cache):
        from ai_edge_litert.compiled_model import (
            CompiledModel,
            CpuOptions,
            Options,
        )

        # `CompiledModel` takes broken flatbuffers and crashes; the interpreter
        # verifies them first. It is built for that alone.
        open_interpreter(content, threads, expected)
        cpu = CpuOptions(num_threads=threads)
        cpu.xnnpack_weight_cache_path = str(weight_cache)
        options = Options(cpu_options=cpu)
        self._content = content  # the model may point into it
        with _refused(expected.what):
            model = CompiledModel.from_buffer(content, options=options)
            (name,) = expected.signatures
            inputs = model.get_input_tensor_details(name)
            outputs = model.get_output_tensor_details(name)
        expected.one([*inputs.values()], "input")
        expected.one([*outputs.values()], "output")
        self._model, self._classes = model, expected.output[0][1]
        self._what = expected.what
        self._inputs = model.create_input_buffers(0)
        self._outputs = model.create_output_buffers(0)

    def __call__(self, pixels):
        with _refused(self._what):
            self._inputs[0].write(pixels)
            self._model.run_by_index(0, self._inputs, self._outputs)
            return self._outputs[0].read(self._classes, np.float32)


@contextlib.contextmanager
def _refused(what):
    # The runtime's errors about a file are of several types.
    try:
        yield
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"LiteRT refuses {what}: {error}") from error
