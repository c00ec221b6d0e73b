"""Save one domain's slot alone: a small file, bound to its trunk by a hash."""

from keras_mdl.cli import options
from keras_mdl.cli.errors import InputError, bad_input
from keras_mdl.cli.heavy import quiet_import

HELP = "save one domain's slot to a small file"


def add_arguments(parser):
    """Flags of the command."""
    options.add_model(parser)
    parser.add_argument(
        "--domain", required=True, metavar="NAME", help="to save"
    )
    options.add_output(parser, "the domain", ".safetensors")


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

    model = open_model(args.model)
    if args.domain not in model:
        raise InputError(
            f"Unknown domain: {args.domain!r}. Domains of {args.model}: "
            f"{', '.join(map(repr, model))}"
        )
    model.save_domain(args.domain, args.out)
    digests = model.fingerprint()
    result = {
        "file": str(args.out),
        "domain": args.domain,
        "bytes": args.out.stat().st_size,
        "model_bytes": args.model.stat().st_size,
        "trunk": digests["trunk"],
        "fingerprint": digests[f"domains/{args.domain}"],
    }
    console.say(
        f"{args.domain}: {result['bytes'] / 1024:,.0f} KiB (the whole model: "
        f"{result['model_bytes'] / 1024:,.0f} KiB)"
    )
    return finish(args, parser, console, "save-domain", result)
