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
        lost: Accuracy lost on them, or probability of the right class,
            whatever is more, against full numbers; see `choose`.
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

    ```
    accuracy lost = mean(right(full) - right)     right: 1 or 0 per image
    probability lost = mean(p_full - p)           p: of the right class
    ```

    Both may be at most `limit`. Some hundred images that fall either way by
    chance are no loss, so one standard error of the mean is left to the
    first. Without labels the class that full numbers give is the right one.
    Files of all rungs of the ladder run on LiteRT, in another process.

    Args:
        contents: `{domain: bytes from the converter}`.
        finished: Makes a `schema.ModelT` of them, given `bits`.
        wanted: `PrivateBits` for every domain, or `"auto"`.
        images: `{domain: (images, labels or None)}` to choose on: of those
            that a training may look at, and none that the export is
            verified on. Domains without any keep full numbers.
        limit: The most that may be lost.
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
        full = probabilities(files[rungs[0]], x)
        right = full.argmax(1) if (labels < 0).any() else labels
        for rung in reversed(rungs[1:]):
            lost, sure = loss_of(full, probabilities(files[rung], x), right)
            if sure <= limit:
                break
        else:
            rung, lost = rungs[0], 0.0
        chosen.append((rung, lost))
    (work / "chosen.json").write_text(json.dumps(chosen))


def loss_of(full, found, right):
    """`(lost, surely lost)`: of accuracy or probability, whatever is more."""
    rows = np.arange(len(right))
    fallen = (full.argmax(1) == right) * 1.0 - (found.argmax(1) == right)
    error = fallen.std() / len(right) ** 0.5
    accuracy, p = fallen.mean(), (full - found)[rows, right].mean()
    return float(max(accuracy, p)), float(max(accuracy - error, p))


def probabilities(path, x):
    """What a file answers, `(n, classes)` float64, logits or not."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    (image,) = interpreter.get_input_details()
    (scores,) = interpreter.get_output_details()
    found = []
    for pixels in x:
        interpreter.set_tensor(
            image["index"], pixels[None].astype(image["dtype"])
        )
        interpreter.invoke()
        found.append(interpreter.get_tensor(scores["index"])[0])
    found = np.array(found, np.float64)
    if scores["name"].endswith("logits"):
        found = np.exp(found - found.max(1, keepdims=True))
        found /= found.sum(1, keepdims=True)
    return found
