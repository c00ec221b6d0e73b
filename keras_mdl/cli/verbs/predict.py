"""`keras-mdl predict`."""

import pathlib

from keras_mdl.cli import flags, inputs
from keras_mdl.cli.errors import InputError
from keras_mdl.cli.saved import open_saved


def predict(
    *images: pathlib.Path,
    model: flags.Model | None = None,
    domain: str,
    top: flags.PositiveInt = 3,
    size: flags.Size | None = None,
    console: flags.Shown,
):
    """Classify image files with one domain of a saved network.

    Takes every format that Pillow reads: colour, grey, with transparency, 16
    bit or CMYK. Images are resized and cropped as in evaluation.

    Args:
        images: image files; before them the model, unless --model is given
        domain: of the model
        top: classes to show, best first
    """
    if model is None and images:
        model, *images = images
    if model is None or not images:
        raise InputError(
            "required: IMAGE; keras-mdl predict MODEL.keras IMAGE ... "
            "--domain NAME"
        )
    saved = open_saved(model)
    classes = saved.domain(domain).classes
    size = saved.size(size)
    pictures = [inputs.open_image(path) for path in images]
    loaded = saved.load()
    from keras_mdl.runs import fitting

    found = fitting.probabilities(
        loaded[domain], loaded.domains[domain], pictures, size
    )
    rows = []
    for path, row in zip(images, found, strict=True):
        best = [
            {"class": classes[i], "probability": round(float(row[i]), 6)}
            for i in row.argsort(kind="stable")[::-1][:top]
        ]
        rows.append({"image": str(path), "predictions": best})
        shown = (f"{b['class']} {100 * b['probability']:.1f} %" for b in best)
        console.say(f"{path}: {', '.join(shown)}")
    return {"model": str(model), "domain": domain, "images": rows}
