"""Write TFLite files for phones and browsers that share one trunk.

Each SPEC names the images of one domain of the model: they calibrate (split
train, --mode int8) and verify (split validation) its file. Every file is run
on LiteRT and compared with the Keras model; if a domain loses more than
--max-accuracy-drop, or shares less of the trunk than --min-shared, nothing is
written. USAGE.md in the folder has the lines that an app needs.
"""

import pathlib

from keras_mdl.cli import options
from keras_mdl.cli.errors import InputError, bad_input
from keras_mdl.cli.heavy import quiet_import

HELP = "TFLite files for phones and browsers that share one trunk"


def add_arguments(parser):
    """Flags of the command."""
    options.add_model(parser)
    options.add_data(parser, several=True)
    parser.add_argument(
        "--out",
        required=True,
        type=pathlib.Path,
        metavar="DIR",
        help="folder to write; it appears when everything is verified",
    )
    options.add_overwrite(parser)
    parser.add_argument(
        "--mode",
        default="dyn_conv",
        metavar="MODE",
        help="dyn_conv: int8 kernels, float activations; int8: int8 "
        "throughout; float16, float32: shared with BatchNorm unfolded; "
        "float16_folded, float32_folded: nothing shared (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--forms",
        nargs="+",
        metavar="FORM",
        help="models, parts, external, bundle, packs (default: all)",
    )
    parser.add_argument(
        "--input-dtype",
        choices=("uint8", "float32"),
        default="uint8",
        help="of the images, in 0..255 either way (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        choices=("probabilities", "logits"),
        default="probabilities",
        help="of the networks (default: %(default)s)",
    )
    parser.add_argument(
        "--pack-base",
        metavar="DOMAIN",
        help="domain whose file the receiver of a pack has (default: it has "
        "the trunk)",
    )
    parser.add_argument(
        "--calibration-images",
        type=options.positive_int,
        default=200,
        metavar="N",
        help="of each domain, for --mode int8 (default: %(default)s)",
    )
    parser.add_argument(
        "--verify-images",
        type=options.positive_int,
        default=1000,
        metavar="N",
        help="of each domain at most (default: %(default)s)",
    )
    parser.add_argument(
        "--max-accuracy-drop",
        type=options.fraction,
        default=0.02,
        metavar="P",
        help="accepted for each domain (default: %(default)s)",
    )
    parser.add_argument(
        "--min-agreement",
        type=options.fraction,
        default=0.9,
        metavar="P",
        help="part of the images that must get the class that Keras gives "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--min-shared",
        type=options.fraction,
        default=0.9,
        metavar="P",
        help="part of the trunk's bytes that each domain must share "
        "(default: %(default)s)",
    )


def run(args, console, parser):
    """Runs the command; returns the result for `--json`."""
    from keras_mdl_export.manifest import FILENAME

    from keras_mdl.files import refuse_folder
    from keras_mdl.runs.exporting import export_with_data, require_export

    with bad_input():
        refuse_folder(args.out, FILENAME, args.overwrite)
    require_export()
    quiet_import()
    from keras_mdl_export.checks import check_choices, check_model
    from keras_mdl_export.modes import get_mode

    from keras_mdl.cli import loading
    from keras_mdl.runs.fitting import image_size

    model = loading.open_model(args.model)
    with bad_input():
        mode = get_mode(args.mode)
        forms = check_choices(
            model,
            args.mode,
            args.input_dtype,
            args.output,
            args.forms,
            args.pack_base,
        )
        check_model(model)
        size = image_size(model)
    data = {}
    for spec in args.data:
        found = loading.open_data_of(args, spec, size, model)
        loading.require_classes(model, found)
        name = found.domain.name
        if name in data:
            raise InputError(f"Two SPECs of --data are for the domain {name!r}")
        data[name] = found
    if missing := [n for n in model if n not in data]:
        raise InputError(
            "Every domain is verified on images of its own. Missing in "
            f"--data: {', '.join(missing)}"
        )
    if mode.int8_activations:
        _require_enough(data, args.calibration_images)
    report = export_with_data(
        model,
        data,
        args.out,
        size,
        args.calibration_images,
        args.verify_images,
        mode=mode.name,
        forms=forms,
        input_dtype=args.input_dtype,
        output=args.output,
        pack_base=args.pack_base,
        min_shared=args.min_shared,
        max_accuracy_drop=args.max_accuracy_drop,
        min_agreement=args.min_agreement,
        overwrite=args.overwrite,
        say=console.say,
    )
    console.say(f"\n{report}\n\nwrote {args.out} (read {args.out}/USAGE.md)")
    return report.to_dict()


def _require_enough(data, wanted):
    from keras_mdl_export.checks import MIN_CALIBRATION

    found = {n: min(wanted, d.size("train")) for n, d in data.items()}
    few = {n: k for n, k in found.items() if k < MIN_CALIBRATION}
    if few:
        raise InputError(
            "--mode int8 measures activations on at least "
            f"{MIN_CALIBRATION} training images of each domain "
            f"(--calibration-images). Received: {few}"
        )
