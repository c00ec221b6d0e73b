"""Accuracy of a saved network on labelled images.

Each SPEC is evaluated with the domain of the same name in the model; name it
with NAME=SPEC, or with --domain for a single SPEC.
"""

from keras_mdl.cli import options
from keras_mdl.cli.errors import InputError
from keras_mdl.cli.heavy import quiet_import

HELP = "accuracy of a saved network on labelled images"


def add_arguments(parser):
    """Flags of the command."""
    options.add_model(parser)
    options.add_data(parser, several=True)
    parser.add_argument(
        "--domain", metavar="NAME", help="of the model (for one SPEC)"
    )
    parser.add_argument(
        "--split",
        default="validation",
        metavar="NAME",
        help="of the data (default: %(default)s)",
    )
    parser.add_argument(
        "--batch-size",
        type=options.positive_int,
        default=64,
        metavar="N",
        help="images at a time (default: %(default)s)",
    )
    options.add_size(parser)


def run(args, console, parser):
    """Runs the command; returns the result for `--json`."""
    if args.domain is not None and len(args.data) > 1:
        raise InputError(
            "--domain is for one SPEC; name several as NAME=SPEC. "
            f"Received: {len(args.data)} specifications"
        )
    quiet_import()
    from keras_mdl.cli import loading
    from keras_mdl.report.text import format_table, percent
    from keras_mdl.runs.fitting import evaluate, has_labels

    model = loading.open_model(args.model)
    size = loading.size_of(model, args)
    found = []
    for spec in args.data:
        data = loading.open_data_of(args, spec, size, model, args.domain)
        _check_classes(model.domains[data.domain.name], data.domain, console)
        if not has_labels(data, args.split):
            known = [s for s in data.splits if has_labels(data, s)]
            raise InputError(
                f"{spec} has no labelled split {args.split!r}. "
                f"Labelled splits: {', '.join(known) or 'none'}"
            )
        found.append(data)
    rows = []
    for data in found:
        name = data.domain.name
        done = evaluate(model[name], data, size, args.split, args.batch_size)
        rows.append(
            {
                "domain": name,
                "split": args.split,
                "images": len(done.labels),
                "accuracy": round(done.accuracy, 6),
                "loss": round(done.loss, 6),
            }
        )
    table = [["domain", "split", "images", "accuracy", "loss"]] + [
        [
            r["domain"],
            r["split"],
            str(r["images"]),
            percent(r["accuracy"]),
            f"{r['loss']:.3f}",
        ]
        for r in rows
    ]
    console.say(format_table(table, "<<>"))
    return {"model": str(args.model), "results": rows}


def _check_classes(expected, received, console):
    if expected.num_classes != received.num_classes:
        raise InputError(
            f"Domain {expected.name!r} of the model has "
            f"{expected.num_classes} classes. Received: data with "
            f"{received.num_classes}"
        )
    if expected.classes == received.classes:
        return
    if set(expected.classes) == set(received.classes):
        raise InputError(
            f"The classes of {expected.name!r} have another order in the data "
            "than in the model: every accuracy would be wrong. Expected: "
            f"{', '.join(expected.classes[:8])}, ..."
        )
    console.warn(
        f"the class names of {expected.name!r} differ between model and data "
        f"({expected.classes[0]!r}, ... and {received.classes[0]!r}, ...); "
        "labels are compared by position"
    )
