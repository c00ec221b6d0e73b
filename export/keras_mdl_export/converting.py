"""Conversion in processes of their own, a few domains each."""

import math
import os
import pathlib

import keras
import numpy as np

from keras_mdl.processes import ProcessError, ProcessExecutor

_DOMAINS_A_PROCESS = 4  # then it ends and its memory is given back
_IMAGES = 200  # more find no other ranges, and take as long as they are many


def convert_all(
    model, folder, mode, input_dtype, calibration, say=print, routed=None
):
    """Each domain of a model through TensorFlow's converter.

    Args:
        model: A `keras_mdl.MultiDomainModel` of ordinary slots.
        folder: An empty folder to work in.
        mode: A `Mode`.
        input_dtype: Of the images.
        calibration: `{domain: images}`; for int8 activations, at most
            200 of each domain, spread evenly.
        say: Function that shows a line of text.
        routed: A `routed.Routed`; its scores are logits too.

    Returns:
        `{domain: bytes of a TFLite file that computes logits}`; the router's
        under `"router"`.

    Raises:
        ProcessError: With the reason that the converter gave.
    """
    folder = pathlib.Path(folder)
    model.save(folder / "model.keras")
    if mode.int8_activations:
        # By number: NumPy does not take every name.
        images = (_spread(calibration[name]) for name in model)
        np.savez(folder / "calibration.npz", *images)
    backbone = keras.saving.deserialize_keras_object(
        model.get_config()["backbone"]
    )
    module = backbone.__module__  # it registers itself when it is imported
    names, cores = list(model), os.cpu_count() or 1
    size = min(_DOMAINS_A_PROCESS, max(2, math.ceil(len(names) / cores)))
    groups = [names[i : i + size] for i in range(0, len(names), size)]
    with ProcessExecutor(min(cores, 4), folder / "log") as executor:
        running = []
        for group in groups:
            running.append(
                executor.submit(
                    "keras_mdl_export.worker:convert_domains",
                    str(folder),
                    module,
                    group,
                    input_dtype,
                )
            )
        if routed is not None:
            routed.router.save(folder / "router.safetensors")
            routed.base.save(folder / "router.keras")
            groups, names = [*groups, ["router"]], [*names, "router"]
            running.append(
                executor.submit(
                    "keras_mdl_export.worker:convert_router",
                    str(folder),
                    module,
                    input_dtype,
                )
            )
        for group, future in zip(groups, running, strict=True):
            say(f"  converting {', '.join(group)}")
            try:
                future.result()
            except ProcessError as error:
                raise ProcessError(
                    f"The conversion of {', '.join(group)} {error}"
                ) from None
    return {n: (folder / f"{n}.tflite").read_bytes() for n in names}


def _spread(images):
    chosen = np.linspace(0, len(images) - 1, min(len(images), _IMAGES))
    return images[chosen.round().astype(int)]
