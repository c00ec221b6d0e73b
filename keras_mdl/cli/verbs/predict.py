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
    domain: str | None = None,
    router: flags.RouterFile | None = None,
    top: flags.PositiveInt = 3,
    csv: flags.Table | None = None,
    on_bad_image: flags.OnBadFile = "error",
    size: flags.Size | None = None,
    overwrite: flags.Overwrite = False,
    console: flags.Shown,
):
    """Classify image files, or all images of folders, with one domain.

    With --router each image goes to the domain that it is of, or to none.
    Takes every format that Pillow reads: colour, grey, with transparency, 16
    bit or CMYK. Images are resized and cropped as in evaluation. The columns
    of --csv are image (with --router also domain, empty for none, and margin,
    below 0 for none), class_1, probability_1, class_2 and so on, best first.

    Args:
        images: image files, or folders of them at any depth; before them the
            model, unless --model is given
        domain: of the model, unless a router finds it
        top: classes to show, best first
    """
    if model is None and images:
        model, *images = images
    if model is None or not images:
        raise InputError(
            "required: IMAGE; keras-mdl predict MODEL.keras IMAGE ... "
            "--domain NAME"
        )
    if (domain is None) == (router is None):
        raise InputError("Give --domain NAME or --router FILE, one of them")
    if csv is not None:
        from keras_mdl.runs.directory import refuse_existing

        with bad_input():
            refuse_existing(csv, overwrite=overwrite)
    saved = open_saved(model)
    if domain is not None:
        saved.domain(domain)
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
    router = router and inputs.open_router(router, loaded)
    rows = []
    while portion:
        found = _answers(loaded, domain, router, portion, size, top)
        for (path, _), row in zip(portion, found, strict=True):
            rows.append({"image": str(path), **row})
            if csv is None:
                console.say(f"{path}: {_shown(row)}")
        portion = list(itertools.islice(pictures, _PORTION))
    if csv is not None:
        from keras_mdl.runs.records import write_csv

        table = [_flat(row) for row in rows]
        outputs.keep(csv, overwrite, lambda p: write_csv(p, table))
        console.say(f"wrote {csv}: {len(rows)} images")
    return {"model": str(model), "domain": domain, "images": rows}


def _answers(loaded, domain, router, portion, size, top):
    """A dict for each image: its best classes, and where the router sent it."""
    from keras_mdl.runs import fitting

    images = [picture for _, picture in portion]
    rows, goes = [{} for _ in images], [domain] * len(images)
    if router is not None:
        pixels = fitting.fitted_pixels(images, size)
        routes = router.route(loaded, pixels)
        goes = [r.domain for r in routes]
        rows = [
            {"domain": r.domain, "nearest": r.nearest,
             "margin": round(r.margin, 3), "predictions": []}
            for r in routes
        ]  # fmt: skip
    for name in dict.fromkeys(g for g in goes if g is not None):
        places = [i for i, g in enumerate(goes) if g == name]
        known = loaded.domains[name]
        found = fitting.probabilities(
            loaded[name], known, [images[i] for i in places], size
        )
        for i, row in zip(places, found, strict=True):
            rows[i]["predictions"] = [
                {
                    "class": known.classes[k],
                    "probability": round(float(row[k]), 6),
                }
                for k in row.argsort(kind="stable")[::-1][:top]
            ]
    return rows


def _shown(row):
    best = ", ".join(
        f"{b['class']} {100 * b['probability']:.1f} %"
        for b in row["predictions"]
    )
    if "nearest" not in row:
        return best
    if row["domain"] is None:
        return f"none of these (most like {row['nearest']})"
    return f"{row['domain']}: {best}"


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
    flat = {k: row[k] for k in ("image", "domain", "margin") if k in row}
    for rank, best in enumerate(row["predictions"], 1):
        flat[f"class_{rank}"] = best["class"]
        flat[f"probability_{rank}"] = best["probability"]
    return flat
