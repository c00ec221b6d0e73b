"""Add a domain to a trained network, and train its slot alone.

The trunk and all other domains stay bit-identical; this is checked after the
training and again on the saved file, and a model that fails is not written.
--method individual trains a copy of the whole network instead, for
comparison; the result then holds the new domain alone.
"""

from keras_mdl.cli import options
from keras_mdl.cli.errors import InputError, bad_input
from keras_mdl.cli.heavy import quiet_import

HELP = "add a domain to a trained network; nothing else changes"


def add_arguments(parser):
    """Flags of the command."""
    options.add_model(parser)
    options.add_data(parser)
    parser.add_argument(
        "--name",
        metavar="NAME",
        help="of the new domain (default: that of the data)",
    )
    options.add_output(parser, "the wider model", ".keras")
    parser.add_argument(
        "--method",
        default="pointwise_sharing",
        metavar="NAME",
        help="way of sharing, of keras_mdl.training.METHODS; an unknown name "
        "lists them (default: %(default)s, the proposed one)",
    )
    parser.add_argument(
        "--init-from",
        metavar="DOMAIN",
        help="domain whose slot the new one starts from (default: the first)",
    )
    options.add_depthwise(parser, "as the domain that the slot starts from")
    options.add_size(parser)
    options.add_training(parser, "quick-domain")


def run(args, console, parser):
    """Runs the command; returns the result for `--json`."""
    from keras_mdl.runs.directory import refuse_existing
    from keras_mdl.runs.records import record_path

    with bad_input():
        refuse_existing(
            args.out, record_path(args.out), overwrite=args.overwrite
        )
    quiet_import()
    import keras

    from keras_mdl.cli import loading
    from keras_mdl.cli.results import finish, fit_result
    from keras_mdl.runs.fitting import fit
    from keras_mdl.runs.isolation import IsolationTable
    from keras_mdl.runs.saving import save_checked
    from keras_mdl.training import get_method

    keras.utils.set_random_seed(args.seed)
    with bad_input():
        method = get_method(args.method)
    recipe = loading.open_recipe(args, method.phase, console)
    model = loading.open_model(args.model)
    size = loading.size_of(model, args)
    data = loading.open_data(args, args.data, size, args.name)
    loading.require_training_split(data)
    name = data.domain.name
    callbacks = loading.tensorboard(args, name)
    if name in model:
        raise InputError(
            f"The model has a domain {name!r} already: give the new one "
            "another --name"
        )
    isolation = IsolationTable()
    if not method.alone:
        isolation.record("before", model.fingerprint())
    with bad_input():
        wider, view = method.start(
            model,
            data.domain,
            dropout=loading.dropout_of(args, recipe, name),
            init_from=args.init_from,
            depthwise=args.depthwise,
        )
    console.say(str(data))
    done = fit(
        view,
        recipe,
        data,
        size,
        args.seed,
        callbacks,
        console.verbose,
    )
    isolation.record(
        f"{name} trained", wider.fingerprint(), [f"domains/{name}"]
    )
    save_checked(wider, args.out, isolation)
    console.say(f"\n{wider.summary_by_domain()}\n\n{isolation}")
    if method.alone:
        console.say(f"\n{name} has a network of its own: nothing is shared")
    result = {
        **fit_result(args.out, wider, name, done),
        "method": method.name,
        "isolated": isolation.isolated,
        "isolation": isolation.to_dicts(),
    }
    return finish(args, parser, console, "add-domain", result)
