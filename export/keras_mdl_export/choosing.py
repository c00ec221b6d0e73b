"""The coarsest private numbers that keep a domain's answers."""

import json
import pathlib
from dataclasses import asdict, dataclass

import numpy as np

from keras_mdl_export.flatbuffer import pack
from keras_mdl_export.private_bits import AUTO, FULL, LADDER, PrivateBits


@dataclass(frozen=True)
class Chosen:
    """How finely a domain's own numbers are stored, and why.

    Attributes:
        bits: `PrivateBits`.
        images: On how many training images that was chosen; 0: on none.
        lost: Part of them that lost their right class (without labels: that
            changed their class), against full numbers.
    """

    bits: PrivateBits
    images: int = 0
    lost: float = 0.0

    def to_dict(self):
        """Plain values for JSON."""
        return {
            **asdict(self.bits),
            "images": self.images,
            "lost": round(self.lost, 6),
        }


def choose(contents, finished, wanted, images, limit, work, say):
    """The coarsest private numbers that keep each domain's answers.

    Files of all rungs of the ladder run on LiteRT, in another process.

    Args:
        contents: `{domain: bytes from the converter}`.
        finished: Makes a `schema.ModelT` of them, given `bits`.
        wanted: `PrivateBits` for every domain, or `"auto"`.
        images: `{domain: (images, labels or None)}` to choose on: of those
            that a training may look at, and none that the export is
            verified on. Domains without any keep full numbers.
        limit: Part of the images that may be lost.
        work: A folder to work in.
        say: Function that shows a line of progress.

    Returns:
        `{domain: Chosen}`.

    Raises:
        ProcessError: If a file cannot be loaded or run.
    """
    from keras_mdl.processes import ProcessError, ProcessExecutor

    if wanted != AUTO:
        return dict.fromkeys(contents, Chosen(wanted))
    work, names = pathlib.Path(work), [n for n in contents if n in images]
    if not names:
        return dict.fromkeys(contents, Chosen(FULL))
    say("  choosing how coarse private numbers are")
    for i, name in enumerate(names):
        x, labels = images[name]
        labels = -1 if labels is None else labels
        np.savez(work / f"choose{i}.npz", x=x, labels=labels)
        for rung, bits in LADDER.items():
            content = pack(finished(contents[name], bits=bits))
            (work / f"choose{i}.{rung}.tflite").write_bytes(content)
    with ProcessExecutor(1, work / "log") as executor:
        try:
            executor.submit(
                run_candidates, str(work), len(names), list(LADDER), limit
            ).result()
        except ProcessError as error:
            raise ProcessError(
                f"Choosing how coarse private numbers are {error}"
            ) from None
    found = json.loads((work / "chosen.json").read_text())
    chosen = {
        name: Chosen(LADDER[rung], len(images[name][0]), lost)
        for name, (rung, lost) in zip(names, found, strict=True)
    }
    return {name: chosen.get(name, Chosen(FULL)) for name in contents}


def run_candidates(work, count, rungs, limit):
    """What `choose` does in another process; writes chosen.json."""
    work, chosen = pathlib.Path(work), []
    for i in range(count):
        with np.load(work / f"choose{i}.npz") as found:
            x, labels = found["x"], found["labels"]
        files = {rung: work / f"choose{i}.{rung}.tflite" for rung in rungs}
        full = np.array([*classes_of(files[rungs[0]], x)])
        counted = (labels < 0) | (full == labels)
        for rung in reversed(rungs):
            lost = _lost(files[rung], x, full, counted, limit * len(x))
            if lost is not None:
                break
        chosen.append((rung, lost / len(x)))
    (work / "chosen.json").write_text(json.dumps(chosen))


def _lost(path, x, full, counted, most):
    """How many counted images get another class; `None`: more than `most`."""
    lost, pairs = 0, zip(classes_of(path, x), full, counted, strict=True)
    for found, expected, counts in pairs:
        lost += bool(counts and found != expected)
        if lost > most + 1e-9:
            return None
    return lost


def classes_of(path, x):
    """The class of one image after the other."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    (image,) = interpreter.get_input_details()
    (scores,) = interpreter.get_output_details()
    for pixels in x:
        interpreter.set_tensor(
            image["index"], pixels[None].astype(image["dtype"])
        )
        interpreter.invoke()
        yield int(interpreter.get_tensor(scores["index"])[0].argmax())
