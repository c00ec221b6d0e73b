"""`keras-mdl explain`."""

import pathlib
from typing import Literal

from keras_mdl.cli import backend, flags, inputs, outputs
from keras_mdl.cli.errors import InputError, bad_input
from keras_mdl.cli.saved import open_trunk

_MARKER = "explanations.csv"


def explain(
    *images: pathlib.Path,
    model: flags.Model,
    out: pathlib.Path,
    domain: list[str] | None = None,
    method: Literal[
        "gradcam", "gradcam++", "layercam", "scorecam", "saliency", "smoothgrad"
    ] = "gradcam++",
    layer: str | None = None,
    label: str | None = None,
    top: flags.PositiveInt = 3,
    size: flags.Size | None = None,
    overwrite: flags.Overwrite = False,
    console: flags.Shown,
):
    """Where in an image a network sees what it answers.

    Writes a heat map over each image for its most probable class (or --label),
    by every domain side by side: DIR/NAME.DOMAIN.png, DIR/report.html and
    DIR/explanations.csv. It also measures whether the method shows what the
    network has learnt: its maps are compared with those of the same network
    with shuffled weights. Needs the extra `analysis` and TensorFlow.

    Args:
        images: image files
        out: folder to write
        domain: of the model (default: all)
        method: how evidence is traced back
        layer: whose maps are weighed (default: the last)
        label: class to explain (for one domain)
        top: classes to show, best first
    """
    from keras_mdl.files import refuse_folder

    if not images:
        raise InputError(
            "required: IMAGE; keras-mdl explain IMAGE ... --model MODEL.keras "
            "--out DIR"
        )
    with bad_input():
        refuse_folder(out, _MARKER, overwrite)
    saved = open_trunk(model, size)
    names = list(domain or saved.domains)
    for name in names:
        classes = saved.domain(name).classes
        if label is not None and (len(names) > 1 or label not in classes):
            raise InputError(
                f"--label is a class of one --domain. Received: {label!r}; "
                f"{name} has {', '.join(classes)}"
            )
    size = saved.size(size)
    pictures = [inputs.open_image(path) for path in images]
    with outputs.reserved(out):
        loaded = saved.load()
        attributions = backend.quiet_import("keras_mdl.analysis.attributions")
        with bad_input():
            for name in names:
                attributions.check(loaded[name], method, layer)
        from keras_mdl.runs.explaining import explanations

        found = explanations(
            loaded, names, pictures, size, method, layer, label, top
        )
        similar = {
            name: attributions.depends_on_weights(
                loaded[name],
                [e.pixels for e in found if e.domain == name],
                method,
                layer,
            )
            for name in names
        }
        rows = _write(out, overwrite, images, found, similar, {
            "model": model, "method": method, "layer": layer, "label": label,
        })  # fmt: skip
    for row in rows:
        console.say(
            f"{row['image']}, {row['domain']}: {row['class']} "
            f"{100 * row['probability']:.1f} % -> {row['picture']}"
        )
    console.say(f"\n{_sanity(similar)}\nwrote {out / 'report.html'}")
    return {
        "folder": str(out), "explanations": rows,
        "similarity_to_random_weights": similar,
    }  # fmt: skip


def _write(out, overwrite, images, found, similar, settings):
    """Writes the folder; returns its rows."""
    from PIL import Image

    from keras_mdl.files import atomic_folder
    from keras_mdl.report.sections import Section, Shot, write_sections
    from keras_mdl.runs.environment import describe_environment
    from keras_mdl.runs.records import write_csv

    rows, sections = [], []
    with atomic_folder(out, _MARKER, overwrite) as folder:
        for i, path in enumerate(images):
            own = [e for e in found if e.image == i]
            shots = [Shot(own[0].picture, "as the network sees it")]
            for e in own:
                # Several images may have one name.
                name = f"{i + 1}-{path.stem}.{e.domain}.png"
                Image.fromarray(e.overlay).save(folder / name)
                said = ", ".join(f"{c} {100 * p:.1f} %"
                                 for c, p in e.predictions)  # fmt: skip
                shots.append(Shot(e.overlay, f"{e.domain}: {said}"))
                rows.append({
                    "image": str(path), "domain": e.domain, "class": e.label,
                    "probability": round(e.probability, 6),
                    "picture": str(out / name),
                })  # fmt: skip
            heading = "/".join(path.parts[-2:])
            sections.append(Section(heading, shots=shots, large=True))
        write_csv(folder / _MARKER, rows)
        write_sections(
            folder / "report.html",
            f"What {settings['model'].name} looks at",
            f"Where {settings['method']} finds the evidence for the class. "
            + _sanity(similar),
            sections,
            settings,
            describe_environment(),
        )
    return rows


def _sanity(similar):
    values = ", ".join(f"{d} {value:.2f}" for d, value in similar.items())
    return (
        "Rank correlation with the maps of the same network with shuffled "
        f"weights (near 0: the maps show what was learnt): {values}."
    )
