"""Train a base network on one domain; further domains can be added to it.

Everything trains: the trunk and the domain's own slot. The model is written
when the training has ended; an existing file is kept unless --overwrite is
given. `keras-mdl add-domain` goes on from there.
"""

from keras_mdl.cli import options
from keras_mdl.cli.errors import bad_input
from keras_mdl.cli.heavy import quiet_import

HELP = "train a base network on one domain"


def add_arguments(parser):
    """Flags of the command."""
    options.add_data(parser)
    parser.add_argument(
        "--domain",
        metavar="NAME",
        help="of the domain (default: that of the data)",
    )
    options.add_output(parser, "the model", ".keras")
    group = parser.add_argument_group("network")
    group.add_argument(
        "--network",
        default="resnet26",
        metavar="NAME",
        help="kind of network; an unknown name lists them (default: "
        "%(default)s)",
    )
    group.add_argument(
        "--width",
        type=options.positive_float,
        default=0.25,
        metavar="W",
        help="multiplier of all channel numbers (default: %(default)s; the "
        "paper's network has 1)",
    )
    group.add_argument(
        "--size",
        type=options.positive_int,
        default=32,
        metavar="PIXELS",
        help="side of the square images, divisible by 8 (default: "
        "%(default)s; the paper has 72)",
    )
    options.add_depthwise(group)
    options.add_training(parser, "quick-base")


def run(args, console, parser):
    """Runs the command; returns the result for `--json`."""
    from keras_mdl.cli.results import finish, fit_result
    from keras_mdl.runs.directory import refuse_existing

    with bad_input():
        refuse_existing(*_outputs(args), overwrite=args.overwrite)
    quiet_import()
    import keras

    from keras_mdl.cli import loading
    from keras_mdl.runs.fitting import fit
    from keras_mdl.runs.isolation import IsolationTable
    from keras_mdl.runs.networks import build_network
    from keras_mdl.runs.saving import save_checked

    keras.utils.set_random_seed(args.seed)
    recipe = loading.open_recipe(args, "base", console)
    data = loading.open_data(args, args.data, args.size, args.domain)
    loading.require_training_split(data)
    name = data.domain.name
    callbacks = loading.tensorboard(args, name)
    with bad_input():
        model = build_network(
            args.network,
            [data.domain],
            args.size,
            args.width,
            loading.dropout_of(args, recipe, name),
            args.depthwise or "plain",
        )
    console.say(str(data))
    view = model.for_domain(name, phase="base")
    done = fit(
        view,
        recipe,
        data,
        args.size,
        args.seed,
        callbacks,
        console.verbose,
    )
    isolation = IsolationTable()
    isolation.record(f"{name} trained", model.fingerprint())
    save_checked(model, args.out, isolation)
    result = fit_result(args.out, model, name, done)
    console.say(f"\n{model.summary_by_domain()}")
    return finish(args, parser, console, "train", result)


def _outputs(args):
    from keras_mdl.runs.records import record_path

    return args.out, record_path(args.out)
