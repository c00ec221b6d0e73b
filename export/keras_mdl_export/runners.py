"""Networks ready to run: each a function from one image to its scores."""

import contextlib
import pathlib
import shutil
import tempfile
import weakref

import numpy as np

from keras_mdl_export.external_check import GROUP


class Expected:
    """What the manifest says about a network's input and output.

    Args:
        what: The file, for messages.
        shape: Of the input, `(1, height, width, 3)`.
        dtype: Of the input, by name.
        classes: How many scores there are.
    """

    def __init__(self, what, shape, dtype, classes):
        self.what = what
        self.input = (tuple(shape), dtype)
        self.output = ((1, classes), "float32")

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


def open_interpreter(content, threads, what):
    """LiteRT's interpreter for the bytes of a file.

    Args:
        content: The bytes.
        threads: How many threads it computes with.
        what: The file's name, for messages.

    Raises:
        ValueError: If LiteRT refuses the file.
    """
    from ai_edge_litert.interpreter import Interpreter

    with _refused(what):
        return Interpreter(model_content=content, num_threads=threads)


def interpreter_runner(interpreter, expected):
    """Runs the only network of an interpreter."""
    with _refused(expected.what):
        interpreter.allocate_tensors()
    image = expected.one(interpreter.get_input_details(), "input")["index"]
    scores = expected.one(interpreter.get_output_details(), "output")["index"]

    def run(pixels):
        interpreter.set_tensor(image, pixels)
        interpreter.invoke()
        return interpreter.get_tensor(scores)[0]

    return run


def signature_runner(interpreter, name, expected):
    """Runs one signature of an interpreter that has several."""
    with _refused(expected.what):
        runner = interpreter.get_signature_runner(name)
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    expected.one([*inputs.values()], "input")
    expected.one([*outputs.values()], "output")
    (image,), (scores,) = inputs, outputs

    def run(pixels):
        return runner(**{image: pixels})[scores][0]

    return run


class CompiledRunner:
    """Runs a file on LiteRT's `CompiledModel`.

    Args:
        content: The bytes of the file.
        expected: Its `Expected` input and output.
        threads: How many threads it computes with.
        trunk: The bytes the file reads from `trunk.bin` beside it, or
            `None`. Both are then written to a private folder, so that the
            runtime reads what was checked; it goes with this object.
        weight_cache: Path of a file for the weights as XNNPACK lays them
            out, or `None`.

    Raises:
        ValueError: If LiteRT refuses the file.
    """

    def __init__(
        self, content, expected, threads, trunk=None, weight_cache=None
    ):
        from ai_edge_litert.compiled_model import (
            CompiledModel,
            CpuOptions,
            Options,
        )

        # `CompiledModel` takes broken flatbuffers and crashes; the interpreter
        # verifies them first. It is built for that alone.
        open_interpreter(content, threads, expected.what)
        cpu = CpuOptions(num_threads=threads)
        if weight_cache is not None:
            cpu.xnnpack_weight_cache_path = str(weight_cache)
        options = Options(cpu_options=cpu)
        self._content = content  # the model may point into it
        with _refused(expected.what):
            if trunk is None:
                model = CompiledModel.from_buffer(content, options=options)
            else:
                path = self._private_folder(content, trunk)
                model = CompiledModel.from_file(str(path), options=options)
            (name,) = model.get_signature_list()
            inputs = model.get_input_tensor_details(name)
            outputs = model.get_output_tensor_details(name)
        expected.one([*inputs.values()], "input")
        expected.one([*outputs.values()], "output")
        self._model, self._classes = model, expected.output[0][1]
        self._inputs = model.create_input_buffers(0)
        self._outputs = model.create_output_buffers(0)

    def __call__(self, pixels):
        self._inputs[0].write(pixels)
        self._model.run_by_index(0, self._inputs, self._outputs)
        return self._outputs[0].read(self._classes, np.float32)

    def _private_folder(self, content, trunk):
        folder = tempfile.mkdtemp(prefix="keras_mdl_export.")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        path = pathlib.Path(folder, "model.tflite")
        path.write_bytes(content)
        path.with_name(GROUP).write_bytes(trunk)
        return path


@contextlib.contextmanager
def _refused(what):
    # The runtime's errors about a file are of several types.
    try:
        yield
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"LiteRT refuses {what}: {error}") from error
