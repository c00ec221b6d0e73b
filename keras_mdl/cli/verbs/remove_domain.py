"""Remove a domain from a network; the rest stays bit-identical."""

from keras_mdl.cli import options
from keras_mdl.cli.errors import bad_input
from keras_mdl.cli.heavy import quiet_import

HELP = "remove a domain; the rest stays bit-identical"


def add_arguments(parser):
    """Flags of the command."""
    options.add_model(parser)
    parser.add_argument(
        "--domain", required=True, metavar="NAME", help="to remove"
    )
    options.add_output(parser, "the narrower model", ".keras")


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
        narrower = model.without_domain(args.domain)
    isolation = IsolationTable()
    isolation.record("before", model.fingerprint())
    isolation.record(
        f"{args.domain} removed",
        narrower.fingerprint(),
        removed=[f"domains/{args.domain}"],
    )
    save_checked(narrower, args.out, isolation)
    console.say(f"{narrower.summary_by_domain()}\n\n{isolation}")
    result = {
        "model": str(args.out),
        "removed": args.domain,
        "domains": list(narrower),
        "isolated": isolation.isolated,
        "isolation": isolation.to_dicts(),
    }
    return finish(args, parser, console, "remove-domain", result)
