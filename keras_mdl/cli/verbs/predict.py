"""Classify image files with one domain of a saved network.

Takes every format that Pillow reads: colour, grey, with transparency, 16 bit
or CMYK. Images are resized and cropped as in evaluation.
"""

import pathlib

from keras_mdl.cli import options
from keras_mdl.cli.errors import InputError
from keras_mdl.cli.heavy import quiet_import

HELP = "classify image files"


def add_arguments(parser):
    """Flags of the command."""
    parser.add_argument(
        "images",
        nargs="+",
        type=pathlib.Path,
        metavar="IMAGE",
        help="image files",
    )
    options.add_model(parser)
    parser.add_argument(
        "--domain", required=True, metavar="NAME", help="of the model"
    )
    parser.add_argument(
        "--top",
        type=options.positive_int,
        default=3,
        metavar="N",
        help="classes to show, best first (default: %(default)s)",
    )
    options.add_size(parser)


def run(args, console, parser):
    """Runs the command; returns the result for `--json`."""
    quiet_import()
    from keras_mdl.cli import loading
    from keras_mdl.runs.fitting import probabilities

    model = loading.open_model(args.model)
    if args.domain not in model:
        raise InputError(
            f"Unknown domain: {args.domain!r}. Domains of {args.model}: "
            f"{', '.join(map(repr, model))}"
        )
    size = loading.size_of(model, args)
    images = [loading.open_image(path) for path in args.images]
    domain = model.domains[args.domain]
    rows = []
    for path, row in zip(
        args.images,
        probabilities(model[args.domain], domain, images, size),
        strict=True,
    ):
        best = row.argsort(kind="stable")[::-1][: args.top]
        rows.append(
            {
                "image": str(path),
                "predictions": [
                    {
                        "class": domain.classes[i],
                        "probability": round(float(row[i]), 6),
                    }
                    for i in best
                ],
            }
        )
        shown = ", ".join(
            f"{p['class']} {100 * p['probability']:.1f} %"
            for p in rows[-1]["predictions"]
        )
        console.say(f"{path}: {shown}")
    return {
        "model": str(args.model), "domain": args.domain, "images": rows,
    }  # fmt: skip
