"""Add a saved domain to the network whose trunk it was trained on.

The trunk's hash is in the domain's file: another trunk is refused.
"""

import pathlib

from keras_mdl.cli import options
from keras_mdl.cli.errors import bad_input
from keras_mdl.cli.heavy import quiet_import

HELP = "add a saved domain to a network with the same trunk"


def add_arguments(parser):
    """Flags of the command."""
    options.add_model(parser)
    parser.add_argument(
        "--domain-file",
        required=True,
        type=pathlib.Path,
        metavar="FILE.safetensors",
        help="as save-domain wrote it",
    )
    options.add_output(parser, "the wider model", ".keras")


def run(args, console, parser):
    """Runs the command; returns the result for `--json`."""
    from keras_mdl.runs.directory import refuse_existing
    from keras_mdl.runs.records import record_path

    with bad_input():
        refuse_existing(
            args.out, record_path(args.out), overwrite=args.overwrite
        )
    quiet_import()
    from keras_mdl.cli.loading import open_model
    from keras_mdl.cli.results import finish
    from keras_mdl.runs.isolation import IsolationTable
    from keras_mdl.runs.saving import save_checked

    model = open_model(args.model)
    with bad_input():
        wider = model.load_domain(args.domain_file)
    isolation = IsolationTable()
    isolation.record("before", model.fingerprint())
    added = [name for name in wider if name not in model]
    isolation.record(f"{added[0]} loaded", wider.fingerprint())
    save_checked(wider, args.out, isolation)
    console.say(f"{wider.summary_by_domain()}\n\n{isolation}")
    result = {
        "model": str(args.out),
        "added": added[0],
        "domains": list(wider),
        "isolated": isolation.isolated,
        "isolation": isolation.to_dicts(),
    }
    return finish(args, parser, console, "load-domain", result)
