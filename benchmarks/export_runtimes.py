"""Exported files on runtimes that were really tried, old and new.

    python benchmarks/export_runtimes.py --environments DIR

Each release gets an environment of its own in DIR (made once; needs a network
and a Python that the release has wheels for). There the files of every mode,
and of coarser private numbers, answer 50 images: a small ResNet-26, 32x32
pixels, random numbers. Rows go to
`results/export_runtimes.csv`: images with the class that Keras gives, the
largest difference of a probability, or why the runtime refuses the file.

The environment of `tflite-runtime` also serves a test:
`KERAS_MDL_OLD_RUNTIME=DIR/tflite-runtime-2.14.0/bin/python make test`.
"""

import argparse
import csv
import json
import pathlib
import subprocess
import sys
import tempfile

import keras
import numpy as np
from environment import environment
from export_size import with_numbers
from keras_mdl_export import export
from keras_mdl_export.modes import MODES

import keras_mdl

RESULTS = pathlib.Path(__file__).parent / "results" / "export_runtimes.csv"
IMAGES, SIZE = 50, 32
CHILD = pathlib.Path(__file__).with_name("export_runtimes_child.py")
FILES = {
    **{mode: (mode, "full") for mode in MODES},
    "dyn_conv coarse": ("dyn_conv", "coarse"),
    "int8 coarse": ("int8", "coarse"),
}
# (package, releases, what else it needs, how `CHILD` runs it)
OLD_NUMPY = ["numpy<2"]
RUNTIMES = [
    ("tflite-runtime", ["2.14.0"], OLD_NUMPY, "tflite"),
    ("ai-edge-litert", ["1.0.1", "1.1.2", "1.2.0", "1.3.0", "1.4.0"],
     OLD_NUMPY, "litert"),
    ("ai-edge-litert", ["2.0.3", "2.1.6", "2.2.0", "2.3.0"], [], "litert"),
    ("tensorflow-cpu", ["2.17.1", "2.20.0"], [], "tf.lite"),
    ("mediapipe", ["0.10.14", "0.10.21", "1.2.3"], [], "mediapipe"),
    ("onnxruntime", ["1.20.1"],
     ["tf2onnx==1.17.0", "tensorflow-cpu==2.17.1", "onnx<1.18"], "onnx"),
]  # fmt: skip


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--environments", type=pathlib.Path, required=True)
    args = p.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        expected = make_files(folder)
        for package, releases, needs, how in RUNTIMES:
            for release in releases:
                name = f"{package}-{release}"
                python = installed(args.environments / name, package, release,
                                   needs)  # fmt: skip
                found = tried(python, how, folder)
                for mode, result in found.items():
                    row = row_of(result, expected)
                    rows.append(
                        {"package": package, "release": release, "mode": mode,
                         **row, **environment()}
                    )  # fmt: skip
                    print(rows[-1], flush=True)
    with open(RESULTS, "w", newline="") as f:
        writer = csv.DictWriter(f, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def make_files(folder):
    """Exports one domain in every mode; returns what Keras answers."""
    classes = {"a": [f"class{i}" for i in range(10)]}
    model = with_numbers(
        keras_mdl.build_resnet26(classes, (SIZE, SIZE, 3), width=0.25)
    )
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (120, SIZE, SIZE, 3)).astype("uint8")
    for name, (mode, bits) in FILES.items():
        export(model, folder / name, mode=mode, calibration={"a": images},
               forms=["models"], min_agreement=0.0,
               private_bits=bits)  # fmt: skip
    np.save(folder / "images.npy", images[:IMAGES])
    (folder / "modes.json").write_text(json.dumps([*FILES]))
    logits = model["a"](images[:IMAGES].astype("float32"))
    return keras.ops.convert_to_numpy(keras.ops.softmax(logits))


def installed(path, package, release, needs):
    """The Python of an environment with that release, made if missing."""
    python = path / "bin" / "python"
    if not (path / "done").exists():
        subprocess.run([sys.executable, "-m", "venv", path], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "-q", f"{package}=={release}",
             *needs],
            check=True,
        )  # fmt: skip
        (path / "done").touch()
    return python


def tried(python, how, folder):
    """`{mode: result}`; a crash of the runtime is one too."""
    (folder / "found.json").unlink(missing_ok=True)
    done = subprocess.run(
        [python, CHILD, how, folder], capture_output=True, text=True
    )
    found = {}
    if (folder / "found.json").exists():
        found = json.loads((folder / "found.json").read_text())
    for mode in FILES:
        words = " ".join(done.stderr.split())[-300:]
        found.setdefault(mode, {"refused": f"crash: {words}"})
    return found


def row_of(result, expected):
    row = {"images": IMAGES, "same_class": "", "max_error": "", "refused": ""}
    if "refused" in result:
        return {**row, "refused": result["refused"]}
    scores = np.array(result["scores"])
    same = scores.argmax(1) == expected.argmax(1)
    error = np.abs(scores - expected).max()
    return {**row, "same_class": same.sum(), "max_error": round(error, 5)}


if __name__ == "__main__":
    main()
