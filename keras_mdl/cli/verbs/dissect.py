"""`keras-mdl dissect`."""

import pathlib
import shutil

from keras_mdl.cli import backend, flags, outputs
from keras_mdl.cli.errors import InputError, bad_input
from keras_mdl.cli.saved import open_trunk


def dissect(
    model: flags.Model,
    *,
    out: pathlib.Path,
    domain: list[str] | None = None,
    probe: str = "embedded",
    layers: list[str] | None = None,
    images: flags.PositiveInt | None = None,
    categories: list[str] | None = None,
    quantile: flags.Fraction = 0.005,
    detects: flags.Fraction = 0.04,
    batch_size: flags.PositiveInt = 32,
    size: flags.Size | None = None,
    seed: flags.SeedInt = 0,
    overwrite: flags.Overwrite = False,
    console: flags.Shown,
):
    """Which concepts the units of a network detect (Network Dissection).

    For depthwise and pointwise outputs of late layers, domains side by side:
    how many units detect a colour, texture, part, object or scene, how many
    distinct ones, and how many chance gives (the same masks against the labels
    of other images). DIR/report.html shows them with the images that excite
    the best units; DIR/layers.csv and units.csv have the numbers. A command
    that was stopped goes on where it was when it is given again.

    MODEL is a file, or the name of a pretrained network (efficientnet_lite0).

    Args:
        out: folder to write
        domain: of the model (default: all)
        probe: embedded: pictures drawn by this package, with exact masks; or
            the folder of a Broden data set (index.csv, label.csv, images/)
        layers: numbers of separable convolutions, both halves of each, or
            names of layers (default: 18, 20 and 22 of 25, or as deep)
        images: to draw, for --probe embedded (default: 1000)
        categories: of Broden to use (default: all)
        quantile: part of a unit's activations above its threshold
        detects: IoU from which a unit is a detector
        batch_size: images at a time
        seed: of the control
    """
    from keras_mdl.files import refuse_folder

    with bad_input():
        refuse_folder(out, "layers.csv", overwrite)
    saved = open_trunk(model, size)
    names = list(domain or saved.domains)
    for name in names:
        saved.domain(name)
    if images and probe != "embedded":
        raise InputError("--images is for --probe embedded")
    with outputs.reserved(out):
        dissecting = backend.quiet_import("keras_mdl.runs.dissecting")
        with bad_input():
            found = dissecting.open_probe(probe, images, categories)
        console.say(f"{len(found):,} images, {len(found.concepts)} concepts")
        loaded = saved.load()
        with bad_input():
            for name in names:
                dissecting.check_layers(loaded[name], layers)
        return _run(console, out, overwrite, loaded, names, found, {
            "model": model, "probe": probe, "layers": layers, "images": images,
            "quantile": quantile, "detects": detects,
            "batch_size": batch_size, "seed": seed,
        })  # fmt: skip


def _run(console, out, overwrite, model, names, probe, settings):
    from keras_mdl.files import atomic_folder
    from keras_mdl.report.dissect_page import dissect_sections, layer_rows
    from keras_mdl.report.sections import write_sections
    from keras_mdl.report.text import format_table
    from keras_mdl.runs import dissecting
    from keras_mdl.runs.environment import describe_environment

    state = out.with_name(f".{out.name}.unfinished")
    options = ("quantile", "detects", "batch_size", "seed")
    probed = dissecting.dissect_domains(
        model, names, probe, settings["layers"], state, say=console.say,
        **{name: settings[name] for name in options},
    )  # fmt: skip
    rows = layer_rows(probed, probe.categories)
    with atomic_folder(out, "layers.csv", overwrite) as folder:
        dissecting.write_tables(folder, probed, probe.categories)
        write_sections(
            folder / "report.html",
            f"What units of {settings['model'].name} detect",
            f"{len(probe):,} images, {len(probe.concepts)} concepts.",
            dissect_sections(
                probed, probe.categories, probe.name, settings["quantile"]
            ),
            settings,
            describe_environment(),
        )  # fmt: skip
    shutil.rmtree(state)
    shown = list(rows[0])[:8]
    console.say(
        "\n" + format_table(
            [[n.replace("_", " ") for n in shown],
             *([row[n] for n in shown] for row in rows)], "<<<>")
    )  # fmt: skip
    found, chance = (
        sum(row[key] for row in rows)
        for key in ("unique_detectors", "unique_by_chance")
    )
    if 2 * chance > found:
        console.warn(
            f"chance alone finds {chance} of the {found} unique detectors: "
            f"{len(probe):,} images are too few to say what units detect"
        )
    console.say(f"\nwrote {out / 'report.html'}, layers.csv and units.csv")
    return {"folder": str(out), "layers": rows}
