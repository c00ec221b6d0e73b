"""Mix a trained domain's depthwise filters with those of the other domains.

For each chosen layer a small gate looks at the image and weighs the trained
filters of all domains. Only the gates of the target train (--trains slot: also
its BatchNorm, last pointwise and head); the trunk and all other domains stay
bit-identical. The weights are printed, and the accuracy of the hard slot, of
the gates, and of the gates folded into ordinary filters (--collapse writes
that one: no cost in use).
"""

from keras_mdl.cli import options
from keras_mdl.cli.errors import InputError, bad_input
from keras_mdl.cli.heavy import quiet_import

HELP = "soft sharing: mix other domains' filters into one domain"
VARIATION = 0.1
_PHASES = {"gates": "gate", "slot": "gate_and_slot"}


def add_arguments(parser):
    """Flags of the command."""
    options.add_model(parser)
    options.add_data(parser)
    parser.add_argument(
        "--target", required=True, metavar="DOMAIN", help="domain to improve"
    )
    parser.add_argument(
        "--layers",
        nargs="+",
        default=["all"],
        metavar="L",
        help="all, early, middle, late, or layer names and patterns such as "
        "'stage3_*' (default: all)",
    )
    parser.add_argument(
        "--sources",
        nargs="+",
        metavar="DOMAIN",
        help="domains to mix in (default: all others)",
    )
    parser.add_argument(
        "--trains",
        choices=tuple(_PHASES),
        default="gates",
        help="gates: the gates alone, as the paper says; slot: also "
        "BatchNorm, last pointwise and head, as the released code does "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--own-weight",
        type=options.fraction,
        metavar="P",
        help="weight of the domain's own filters at the start, for example "
        "0.9 (default: about the same for all, as released)",
    )
    parser.add_argument(
        "--collapse",
        action="store_true",
        help="write the model with the gates folded into ordinary filters",
    )
    parser.add_argument(
        "--max-variation",
        type=options.positive_float,
        metavar="V",
        help="with --collapse: keep gates whose mixed filters vary more "
        f"between images, as a part of their size (default: {VARIATION})",
    )
    options.add_output(parser, "the model with the gated domain", ".keras")
    options.add_size(parser)
    options.add_training(parser, "quick-gate", dropout=False)


def run(args, console, parser):
    """Runs the command; returns the result for `--json`."""
    from keras_mdl.runs.directory import refuse_existing
    from keras_mdl.runs.records import record_path

    if args.max_variation is not None and not args.collapse:
        raise InputError("--max-variation needs --collapse")
    max_variation = args.max_variation or VARIATION
    with bad_input():
        refuse_existing(
            args.out, record_path(args.out), overwrite=args.overwrite
        )
    quiet_import()

    from keras_mdl.cli import loading
    from keras_mdl.cli.results import finish, fit_result
    from keras_mdl.models.gating import choose_layers
    from keras_mdl.runs.isolation import IsolationTable
    from keras_mdl.runs.saving import save_checked
    from keras_mdl.runs.soft_sharing import share

    recipe = loading.open_recipe(args, _PHASES[args.trains], console)
    model = loading.open_model(args.model)
    size = loading.size_of(model, args)
    layers = args.layers[0] if len(args.layers) == 1 else args.layers
    with bad_input():
        choose_layers(model, layers)
        model.with_gate(args.target, layers, args.sources, args.own_weight)
    data = loading.open_data(args, args.data, size, args.target)
    loading.require_training_split(data)
    loading.require_classes(model, data)
    isolation = IsolationTable()
    isolation.record("before", model.fingerprint())
    console.say(str(data))
    found = share(
        model,
        data,
        recipe,
        size,
        layers,
        args.sources,
        args.own_weight,
        args.seed,
        loading.tensorboard(args, args.target),
        console.verbose,
    )
    console.say(f"\n{found}")
    collapse = args.collapse and found.variation <= max_variation
    if args.collapse and not collapse:
        # The trained gates are not thrown away for it.
        console.warn(
            f"not collapsed: filters vary by {found.variation:.3f} of their "
            f"size between images, more than --max-variation "
            f"{max_variation}. {args.out} keeps the gates; in Python "
            "`model.collapsed` folds them, which an export needs"
        )
    chosen = found.collapsed if collapse else found.gated
    isolation.record(
        f"{args.target} shared softly",
        chosen.fingerprint(),
        [f"domains/{args.target}"],
    )
    save_checked(chosen, args.out, isolation)
    console.say(f"\n{isolation}")
    result = {
        **fit_result(args.out, chosen, args.target, found.fit),
        **found.to_dict(),
        "collapsed": collapse,
        "isolated": isolation.isolated,
    }
    return finish(args, parser, console, "share", result)
