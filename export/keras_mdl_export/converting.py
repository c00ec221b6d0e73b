"""Conversion in processes of their own, a few domains each."""

import math
import os
import pathlib

import keras
import numpy as np

from keras_mdl_export import processes

_DOMAINS_A_PROCESS = 4  # then it ends and its memory is given back


def convert_all(model, folder, mode, input_dtype, calibration, say=print):
    """Each domain of a model through TensorFlow's converter.

    Args:
        model: A `keras_mdl.MultiDomainModel` of ordinary slots.
        folder: An empty folder to work in.
        mode: A `Mode`.
        input_dtype: Of the images.
        calibration: `{domain: images}`; used for int8 activations.
        say: Function that shows a line of text.

    Returns:
        `{domain: bytes of a TFLite file that computes logits}`.

    Raises:
        ProcessError: With the reason that the converter gave.
    """
    folder = pathlib.Path(folder)
    path = folder / "model.keras"
    model.save(path)
    images = None
    if mode.int8_activations:
        images = str(folder / "calibration.npz")
        # By number: NumPy does not take every name.
        np.savez(images, *(calibration[name] for name in model))
    backbone = keras.saving.deserialize_keras_object(
        model.get_config()["backbone"]
    )
    job = {
        "model": str(path),
        # It registers itself with Keras when its module is imported.
        "module": backbone.__module__,
        "input_dtype": input_dtype,
        "calibration": images,
        "folder": str(folder),
    }
    names, cores = list(model), os.cpu_count() or 1
    size = min(_DOMAINS_A_PROCESS, max(2, math.ceil(len(names) / cores)))
    waiting = [names[i : i + size] for i in range(0, len(names), size)]
    running = []
    try:
        while waiting or running:
            while waiting and len(running) < min(cores, 4):
                group = waiting.pop(0)
                say(f"  converting {', '.join(group)}")
                handle = processes.start(
                    "keras_mdl_export.worker",
                    folder,
                    f"convert-{group[0]}",
                    {**job, "domains": group},
                    # Whatever trained the model: only TensorFlow's graphs
                    # can be converted.
                    KERAS_BACKEND="tensorflow",
                )
                running.append((handle, group))
            handle, group = running[0]
            processes.wait(handle, f"The conversion of {', '.join(group)}")
            running.pop(0)
    finally:
        for handle, _ in running:
            processes.stop(handle)
    return {n: (folder / f"{n}.tflite").read_bytes() for n in names}
