"""`keras-mdl score`."""

import pathlib

from keras_mdl.cli import flags
from keras_mdl.cli.backend import quiet_import
from keras_mdl.cli.errors import InputError, bad_input


def score(
    *accuracies: str,
    csv: pathlib.Path | None = None,
    columns: list[str] | None = None,
    results: pathlib.Path | None = None,
    annotations: flags.Annotations | None = None,
    split: flags.Split = "validation",
    reference: list[str] | None = None,
    percent: flags.Switch = False,
    partial: flags.Switch = False,
    console: flags.Shown,
):
    """The Visual Decathlon score of accuracies, or of a file of predictions.

    Accuracies are fractions in [0, 1] (--percent: 0 to 100), as
    DOMAIN=ACCURACY or from a CSV file with a column `domain` and one or more
    columns of accuracies. Domains are called as in the challenge
    (vgg-flowers) or in the papers (Flwr). Or --results grades a file that
    `keras-mdl submit` wrote, with labels from --annotations.

    With --reference, or a column `reference`, the domains are yours: the same
    formula, S over D domains, where your references earn 250 points each.

    Args:
        accuracies: DOMAIN=ACCURACY, for example dtd=0.57
        csv: accuracies as a table
        columns: columns of --csv to score (default: accuracy, or all)
        results: predictions in the challenge's format
        split: of --results; labels of `test` are read from KEY_test.json
        reference: DOMAIN=ACCURACY: accuracies that earn 250 points, for
            domains of your own
        percent: all numbers are percent
        partial: allow fewer than the ten domains of the decathlon
    """
    given = [bool(accuracies), csv is not None, results is not None]
    if sum(given) != 1:
        raise InputError(
            "Give one of: accuracies as DOMAIN=ACCURACY, --csv FILE, or "
            f"--results FILE.json. Received: {sum(given)} of them"
        )
    # Flags that would silently do nothing are refused.
    if results is not None and annotations is None:
        raise InputError(
            "--results needs labels: give --annotations DIR (see --help)"
        )
    for flag, value, needs, needed in (
        ("--columns", columns, "--csv", csv),
        ("--annotations", annotations, "--results", results),
    ):
        if value is not None and needed is None:
            raise InputError(f"{flag} belongs to {needs}, which is not given")
    for flag, value in (("--reference", reference), ("--percent", percent)):
        if results is not None and value:
            raise InputError(f"{flag} belongs to accuracies, not to --results")
    quiet_import("keras_mdl.score")
    from keras_mdl.score import parse_pairs, read_table

    references = None
    with bad_input():
        if results is not None:
            graded = _graded(results, annotations, split, partial)
            found = {str(results): graded}
        elif csv is not None:
            found, references = read_table(csv, columns, percent)
        else:
            found = {"accuracy": parse_pairs(accuracies, percent)}
        if reference:
            if references is not None:
                raise InputError(
                    f"{csv} has a column `reference` already: leave out "
                    "--reference, or the column"
                )
            references = parse_pairs(reference, percent)
        if references is not None and partial:
            raise InputError(
                "--partial is about the ten domains of the decathlon; "
                "references of your own are for the domains that you give"
            )
        scores = {
            name: _score(values, references, partial)
            for name, values in found.items()
        }
    for name, value in scores.items():
        heading = f"{name}\n\n" if len(scores) > 1 else ""
        console.say(f"{heading}{value}\n")
    return {"scores": [{"name": n, **s.to_dict()} for n, s in scores.items()]}


def _score(accuracies, references, partial):
    from keras_mdl.score import decathlon_score, score_over_domains

    if references is not None:
        return score_over_domains(accuracies, references)
    return decathlon_score(accuracies, partial)


def _graded(path, annotations, split, partial):
    from keras_mdl.score import (
        KEYS,
        accuracies_of,
        domains_in,
        read_annotations,
        read_results,
    )

    results = read_results(path)
    # A file with fewer domains is to be refused for those that it lacks.
    keys = domains_in(results) if partial else KEYS
    notes = [
        read_annotations(annotations, key, split, labelled=True) for key in keys
    ]
    return accuracies_of(results, notes, partial)
