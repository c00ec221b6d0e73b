"""Runs exported files on the runtime of another environment.

`export_runtimes.py` starts it there; nothing of ours is installed.
"""

import json
import pathlib
import subprocess
import sys

import numpy as np

HOW, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
IMAGES = np.load(FOLDER / "images.npy")


def main():
    """Writes `found.json`: the scores of each mode, or the refusal."""
    found = {}
    for mode in json.loads((FOLDER / "modes.json").read_text()):
        path = str(FOLDER / mode / "models" / "a.tflite")
        try:
            scores = [[float(v) for v in s] for s in RUN[HOW](path)]
            found[mode] = {"scores": scores}
        except Exception as error:
            text = getattr(error, "stderr", None) or str(error)
            text = text.decode() if isinstance(text, bytes) else text
            found[mode] = {"refused": " ".join(text.split())[-300:]}
        (FOLDER / "found.json").write_text(json.dumps(found))


def tflite(path):
    from tflite_runtime.interpreter import Interpreter

    return interpreted(Interpreter, path)


def litert(path):
    from ai_edge_litert.interpreter import Interpreter

    return interpreted(Interpreter, path)


def tf_lite(path):
    import tensorflow

    return interpreted(tensorflow.lite.Interpreter, path)


def interpreted(kind, path):
    interpreter = kind(model_path=path, num_threads=1)
    interpreter.allocate_tensors()
    (image,) = interpreter.get_input_details()
    (scores,) = interpreter.get_output_details()
    for pixels in IMAGES:
        interpreter.set_tensor(image["index"], pixels[None])
        interpreter.invoke()
        yield interpreter.get_tensor(scores["index"])[0]


def mediapipe(path):
    from mediapipe import Image, ImageFormat
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.ImageClassifierOptions(BaseOptions(model_asset_path=path))
    with vision.ImageClassifier.create_from_options(options) as classifier:
        for pixels in IMAGES:
            image = Image(image_format=ImageFormat.SRGB, data=pixels)
            (found,) = classifier.classify(image).classifications
            # The labels are those of the file.
            scores = {
                int(c.category_name[5:]): c.score for c in found.categories
            }
            yield [scores[i] for i in range(len(scores))]


def onnx(path):
    import onnxruntime

    subprocess.run(
        [sys.executable, "-m", "tf2onnx.convert", "--tflite", path,
         "--output", f"{path}.onnx", "--opset", "17"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    session = onnxruntime.InferenceSession(f"{path}.onnx")
    (image,) = session.get_inputs()
    for pixels in IMAGES:
        yield session.run(None, {image.name: pixels[None]})[0][0]


RUN = {
    "tflite": tflite,
    "litert": litert,
    "tf.lite": tf_lite,
    "mediapipe": mediapipe,
    "onnx": onnx,
}

if __name__ == "__main__":
    main()
