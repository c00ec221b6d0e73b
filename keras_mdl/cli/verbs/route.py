"""`keras-mdl route`."""

from keras_mdl.cli import flags, inputs, outputs
from keras_mdl.cli.errors import InputError, bad_input
from keras_mdl.cli.saved import open_saved


@outputs.writes_file
def route(
    model: flags.Model,
    *,
    data: flags.Specs,
    out: flags.RouterOut,
    others: list[str] | None = None,
    router: flags.RouterFile | None = None,
    base: str | None = None,
    layer: str | None = None,
    rejected: flags.Fraction = 0.05,
    images: flags.PositiveInt = 1000,
    size: flags.Size | None = None,
    reading: flags.Reading = flags.READING,
    overwrite: flags.Overwrite = False,
    console: flags.Shown,
):
    """Fit a router: which domain an image is of, or none of them.

    It looks at an image through the first half of one domain's network and
    compares it with the training images of every domain (split train; 50 at
    the least). Shown is what becomes of images that it was not fitted to
    (split validation). The model is only read. `predict` and `export` take the
    file; with --router domains are added to one, and what it knows of the
    others stays bit-identical.

    Args:
        others: NAME=SPEC of images of other things, which shall be none of
            these; the more like what will come, the better
        base: domain whose network looks (default: the first, or that of
            --router)
        layer: of the base's network (default: the last of at most 128
            channels)
        rejected: part of its own images that a domain may lose to none
        images: training images of each domain at most
    """
    saved = open_saved(model)
    if base is not None:
        saved.domain(base)
    if router and (base, layer, rejected) != (None, None, 0.05):
        raise InputError("--base, --layer and --rejected are those of --router")
    size = saved.size(size)
    opened = {}
    for spec, one in zip(
        [*data, *(others or ())],
        inputs.open_data(console, [*data, *(others or ())], size, reading),
        strict=True,
    ):
        if one.domain.name in opened:
            raise InputError(f"Two SPECs are for {one.domain.name!r}")
        if len(opened) < len(data):
            one = inputs.matched(one, saved, spec, partial=True)
        inputs.require_labels(one, "train")
        opened[one.domain.name] = one
    loaded = saved.load()
    import numpy as np

    from keras_mdl.report.text import format_table, percent
    from keras_mdl.routing import Router, require_images
    from keras_mdl.runs import fitting
    from keras_mdl.runs.exporting import evenly_spread

    with bad_input():
        require_images(
            {n: min(images, one.size("train")) for n, one in opened.items()}
        )
        if router is not None:
            fitted = inputs.open_router(router, loaded)
        else:
            fitted = Router.fit(loaded, {}, None, base, layer, rejected)
        for i, (name, one) in enumerate(opened.items()):
            x, _ = evenly_spread(one, "train", size, images)
            # One after the other: the images of all may not fit into memory.
            parts = ({name: x}, {}) if i < len(data) else ({}, {name: x})
            fitted = fitted.with_domains(loaded, *parts)
    rows, table = [], [["images of", "here", "elsewhere", "none", "images"]]
    for name, one in opened.items():
        if not fitting.has_labels(one, "validation"):
            continue
        x, _ = evenly_spread(one, "validation", size, images)
        gone = [r.domain for r in fitted.route(loaded, x)]
        none = float(np.mean([d is None for d in gone]))
        here = float(np.mean([d == name for d in gone]))
        rows.append({"images_of": name, "here": here,
                     "elsewhere": 1 - here - none, "none": none,
                     "images": len(x)})  # fmt: skip
        shown = [percent(v) for v in (here, 1 - here - none, none)]
        table.append([name, *shown, str(len(x))])
    outputs.keep(out, overwrite, fitted.save)
    size_kb = out.stat().st_size / 1000
    console.say(
        f"{format_table(table)}\n\nlayer {fitted.layer} of {fitted.base}, "
        f"{len(fitted.domains)} domains, {size_kb:,.0f} kB"
    )
    return {
        "router": str(out),
        "base": fitted.base,
        "layer": fitted.layer,
        "domains": list(fitted.domains),
        "bytes": out.stat().st_size,
        "validation": rows,
    }
