"""Train sharing methods side by side: methods x domains x seeds from a file.

FILE.yaml says what: a base, domains, methods and seeds (see below). For each
seed a base is trained, then each domain starts from it by each method. Rows
go to DIR/rows.csv as soon as they are there. A run that was stopped goes on
where it was when the command is given again; further seeds, domains and
methods may be added to the file, and only they are trained. In the end
DIR/summary.csv and DIR/report.html show accuracy, decathlon-like score S,
parameters, bytes, multiply-accumulates and time, and the picture of accuracy
against what a domain adds.

  name: first-look
  base: {data: embedded:shapes, epochs: 6}
  domains:                    # [NAME=]SPEC; paths relative to this file
    - embedded:digits
    - {data: signs=folder:photos/signs, flip: false}
  images: 20000               # seen per domain and method (or epochs: N)
  seeds: [0, 1]
  methods:                    # default: all
    pointwise_sharing:
    classifier_only: {learning_rate: 0.01}
    individual:

Either `images` or `epochs` is needed. Further keys: network (resnet26,
dense_resnet26), width, size, recipe, batch_size, processes; of base: recipe;
of data: flip, validation_fraction, on_bad_image, data_dir, download; of each
method: learning_rate, weight_decay, momentum, batch_size, epochs, cosine,
optimizer_name. Without them all methods train as the recipe says, which does
not suit all of them: a classifier alone wants a larger learning rate.
"""

import pathlib

from keras_mdl.cli import options
from keras_mdl.cli.errors import bad_input
from keras_mdl.cli.heavy import quiet_import

HELP = "methods x domains x seeds from a YAML file, resumable, with a report"


def add_arguments(parser):
    """Flags of the command."""
    parser.add_argument(
        "file", type=pathlib.Path, metavar="FILE.yaml", help="what to compare"
    )
    parser.add_argument(
        "--out",
        type=pathlib.Path,
        required=True,
        metavar="DIR",
        help="folder of the comparison: a new one, or one to go on with",
    )
    parser.add_argument(
        "--processes",
        type=options.positive_int,
        metavar="N",
        help="trainings at a time, one thread each (default: the file's, or "
        "one per core)",
    )


def run(args, console, parser):
    """Runs the command; returns the result for `--json`."""
    console.say("loading the deep-learning backend ...")
    quiet_import()
    from keras_mdl.report.compare_page import compare_text
    from keras_mdl.runs.compare import compare, read_settings
    from keras_mdl.runs.compare.run import check

    with bad_input():
        settings = read_settings(args.file)
        check(settings, args.out)
    found = compare(settings, args.out, args.processes, console.say)
    result = {
        "folder": str(args.out),
        "complete": not found.failures,
        "rows": len(found.rows),
        "failures": [str(f) for f in found.failures],
    }
    if found.summary is not None:
        console.say("\n" + compare_text(found.summary))
        console.say(found.summary.score_note)
        console.say(f"\nwrote {args.out / 'report.html'} and summary.csv")
        result["report"] = str(args.out / "report.html")
        result["isolated"] = found.summary.isolated
        result["summary"] = found.summary.to_dicts()
    if found.failures:
        console.result(result)
        raise RuntimeError(_told(found.failures))
    return result


def _told(failures):
    return (
        f"{len(failures)} of the jobs failed; the same command runs them "
        "again\n\n" + "\n\n".join(map(str, failures))
    )
