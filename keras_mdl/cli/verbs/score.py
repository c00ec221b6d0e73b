"""The Visual Decathlon score of accuracies, or of a file of predictions.

Accuracies are fractions in [0, 1] (--percent: 0 to 100), as DOMAIN=ACCURACY or
from a CSV file with a column `domain` and one or more columns of accuracies.
Domains are called as in the challenge (vgg-flowers) or in the papers (Flwr).
Or --results grades a file that `keras-mdl submit` wrote, with labels from
--annotations.

With --reference, or a column `reference`, the domains are yours: the same
formula, S over D domains, where your references earn 250 points each.
"""

import pathlib

from keras_mdl.cli.errors import InputError, bad_input
from keras_mdl.cli.verbs.submit import add_annotations

HELP = "decathlon score of accuracies or of a results.json"


def add_arguments(parser):
    """Flags of the command."""
    parser.add_argument(
        "accuracies",
        nargs="*",
        metavar="DOMAIN=ACCURACY",
        help="for example dtd=0.57",
    )
    parser.add_argument(
        "--csv", type=pathlib.Path, metavar="FILE", help="accuracies as a table"
    )
    parser.add_argument(
        "--columns",
        nargs="+",
        metavar="NAME",
        help="columns of --csv to score (default: accuracy, or all)",
    )
    parser.add_argument(
        "--results",
        type=pathlib.Path,
        metavar="FILE.json",
        help="predictions in the challenge's format",
    )
    add_annotations(parser, required=False)
    parser.add_argument(
        "--split",
        choices=("train", "validation", "test"),
        default="validation",
        help="of --results; labels of `test` are read from KEY_test.json "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--reference",
        nargs="+",
        metavar="DOMAIN=ACCURACY",
        help="accuracies that earn 250 points, for domains of your own",
    )
    parser.add_argument(
        "--percent", action="store_true", help="all numbers are percent"
    )
    parser.add_argument(
        "--partial",
        action="store_true",
        help="allow fewer than the ten domains of the decathlon",
    )


def run(args, console, parser):
    """Runs the command; returns the result for `--json`."""
    given = [bool(args.accuracies), args.csv is not None,
             args.results is not None]  # fmt: skip
    if sum(given) != 1:
        raise InputError(
            "Give one of: accuracies as DOMAIN=ACCURACY, --csv FILE, or "
            f"--results FILE.json. Received: {sum(given)} of them"
        )
    _check_flags(args)
    with bad_input():
        scores = _scores(args)
    for name, score in scores.items():
        heading = f"{name}\n\n" if len(scores) > 1 else ""
        console.say(f"{heading}{score}\n")
    return {
        "scores": [{"name": n, **s.to_dict()} for n, s in scores.items()]
    }  # fmt: skip


def _check_flags(args):
    """Flags that would silently do nothing are refused."""
    if args.results is not None and args.annotations is None:
        raise InputError(
            "--results needs labels: give --annotations DIR (see --help)"
        )
    for flag, value, needs in (
        ("--columns", args.columns, "--csv"),
        ("--annotations", args.annotations, "--results"),
    ):
        if value is not None and getattr(args, needs[2:]) is None:
            raise InputError(f"{flag} belongs to {needs}, which is not given")
    for flag in ("reference", "percent"):
        if args.results is not None and getattr(args, flag):
            raise InputError(
                f"--{flag} belongs to accuracies, not to --results"
            )


def _scores(args):
    """`{name: Score}`."""
    from keras_mdl.score import parse_pairs, read_table

    references = None
    if args.results is not None:
        found = {str(args.results): _graded(args)}
    elif args.csv is not None:
        found, references = read_table(args.csv, args.columns, args.percent)
    else:
        found = {"accuracy": parse_pairs(args.accuracies, args.percent)}
    if args.reference:
        if references is not None:
            raise InputError(
                f"{args.csv} has a column `reference` already: leave out "
                "--reference, or the column"
            )
        references = parse_pairs(args.reference, args.percent)
    if references is not None and args.partial:
        raise InputError(
            "--partial is about the ten domains of the decathlon; references "
            "of your own are for the domains that you give"
        )
    return {n: _score(a, references, args.partial) for n, a in found.items()}


def _score(accuracies, references, partial):
    from keras_mdl.score import decathlon_score, score_over_domains

    if references is not None:
        return score_over_domains(accuracies, references)
    return decathlon_score(accuracies, partial)


def _graded(args):
    from keras_mdl.score import (
        KEYS,
        accuracies_of,
        domains_in,
        read_annotations,
        read_results,
    )

    results = read_results(args.results)
    # A file with fewer domains is to be refused for those that it lacks.
    keys = domains_in(results) if args.partial else KEYS
    notes = [
        read_annotations(args.annotations, key, args.split, labelled=True)
        for key in keys
    ]
    return accuracies_of(results, notes, args.partial)
