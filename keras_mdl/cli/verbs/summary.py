"""What a saved network shares, and what each domain costs."""

from keras_mdl.cli import options
from keras_mdl.cli.heavy import quiet_import

HELP = "domains, parameters and bytes of a saved network"
_SHOWN = 6


def add_arguments(parser):
    """Flags of the command."""
    options.add_model(parser)


def run(args, console, parser):
    """Runs the command; returns the result for `--json`."""
    quiet_import()
    from keras_mdl.cli.loading import open_model

    model = open_model(args.model)
    config = model.get_config()
    shape = "x".join("any" if n is None else str(n)
                     for n in config["input_shape"])  # fmt: skip
    console.say(
        f"{args.model}: {model.name}, images {shape} {config['input_dtype']}\n"
    )
    for name, domain in model.domains.items():
        more = ", ..." if domain.num_classes > _SHOWN else ""
        console.say(
            f"{name}: {domain.num_classes} classes "
            f"({', '.join(domain.classes[:_SHOWN])}{more})"
        )
    rows = model.summary_by_domain()
    digests = model.fingerprint()
    console.say(f"\n{rows}\n\ntrunk {digests['trunk']}")
    return {
        "model": str(args.model),
        "network": model.name,
        "input_shape": config["input_shape"],
        "input_dtype": config["input_dtype"],
        "domains": [d.to_config() for d in model.domains.values()],
        "parameters": rows.to_dicts(),
        "fingerprint": digests,
    }
