"""`keras-mdl predict`."""

import itertools
import pathlib

from keras_mdl.cli import flags, inputs, outputs
from keras_mdl.cli.errors import InputError, bad_input
from keras_mdl.cli.saved import open_saved

_PORTION = 512  # images that are in memory at a time


def predict(
    *images: pathlib.Path,
    model: flags.Model | None = None,
    domain: str,
    top: flags.PositiveInt = 3,
    csv: flags.Table | None = None,
    on_bad_image: flags.OnBadFile = "error",
    size: flags.Size | None = None,
    overwrite: flags.Overwrite = False,
    console: flags.Shown,
):
    """Classify image files, or all images of folders, with one domain.

    Takes every format that Pillow reads: colour, grey, with transparency, 16
    bit or CMYK. Images are resized and cropped as in evaluation. The columns
    of --csv are image, class_1, probability_1, class_2 and so on, best first.

    Args:
        images: image files, or folders of them at any depth; before them the
            model, unless --model is given
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
    if csv is not None:
        from keras_mdl.runs.directory import refuse_existing

        with bad_input():
            refuse_existing(csv, overwrite=overwrite)
    saved = open_saved(model)
    classes = saved.domain(domain).classes
    size = saved.size(size)
    paths = _files(images)
    if on_bad_image == "error" and len(paths) > _PORTION:
        for path in paths:  # a bad one is not found after half of the work
            inputs.open_image(path)
    pictures = _pictures(paths, on_bad_image, console)
    portion = list(itertools.islice(pictures, _PORTION))
    if not portion:
        raise InputError(f"None of {len(paths)} images can be read")
    loaded = saved.load()
    from keras_mdl.runs import fitting

    rows = []
    while portion:
        found = fitting.probabilities(
            loaded[domain], loaded.domains[domain],
            [picture for _, picture in portion], size,
        )  # fmt: skip
        for (path, _), row in zip(portion, found, strict=True):
            best = [
                {"class": classes[i], "probability": round(float(row[i]), 6)}
                for i in row.argsort(kind="stable")[::-1][:top]
            ]
            rows.append({"image": str(path), "predictions": best})
            shown = (
                f"{b['class']} {100 * b['probability']:.1f} %" for b in best
            )
            if csv is None:
                console.say(f"{path}: {', '.join(shown)}")
        portion = list(itertools.islice(pictures, _PORTION))
    if csv is not None:
        from keras_mdl.runs.records import write_csv

        table = [_flat(row) for row in rows]
        outputs.keep(csv, overwrite, lambda p: write_csv(p, table))
        console.say(f"wrote {csv}: {len(rows)} images")
    return {"model": str(model), "domain": domain, "images": rows}


def _files(paths):
    """The image files of the paths given, those of folders included."""
    from keras_mdl.data.folder_index import image_files

    found = []
    for path in paths:
        inner = image_files(path) if path.is_dir() else [path]
        if not inner:
            raise InputError(f"No images in the folder {path}")
        found += inner
    return found


def _pictures(paths, on_bad_image, console):
    """Yields `(path, image)`; with `skip` those that can be read."""
    for path in paths:
        try:
            yield path, inputs.open_image(path)
        except InputError as error:
            if on_bad_image == "error":
                raise
            console.warn(error)


def _flat(row):
    flat = {"image": row["image"]}
    for rank, best in enumerate(row["predictions"], 1):
        flat[f"class_{rank}"] = best["class"]
        flat[f"probability_{rank}"] = best["probability"]
    return flat
