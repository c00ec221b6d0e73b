"""`keras-mdl find-rate`."""

import pathlib
from typing import Annotated

from keras_mdl.cli import flags, inputs, outputs
from keras_mdl.cli.errors import bad_input
from keras_mdl.cli.verbs.add_domain import ready_to_add
from keras_mdl.cli.verbs.train import ready_to_train


@outputs.writes_file
def find_rate(
    model: flags.Model | None = None,
    *,
    data: flags.Spec,
    out: Annotated[pathlib.Path, flags.ending(".png")],
    low: flags.PositiveFloat = 1e-5,
    high: flags.PositiveFloat = 1.0,
    steps: flags.PositiveInt = 200,
    name: str | None = None,
    method: str = "pointwise_sharing",
    init_from: str | None = None,
    network: str = "resnet26",
    width: flags.PositiveFloat | None = None,
    depthwise: flags.Depthwise | None = None,
    size: flags.Size | None = None,
    recipe: flags.Recipe | None = None,
    dropout: flags.Dropout | None = None,
    reading: flags.Reading = flags.READING,
    training: flags.Training = flags.TRAINING,
    overwrite: flags.Overwrite = False,
    console: flags.Shown,
):
    """Find a learning rate: a few steps under one that grows, and a picture.

    Without MODEL for `train`, with MODEL for `add-domain`, which the flags
    are those of. A copy trains on training images under a rate that grows
    from --low to --high; a tenth of the rate by which most of the loss's fall
    is over is suggested (--learning-rate). The picture shows the losses;
    their table goes to NAME.csv. No model is written or changed.

    Args:
        out: picture to write, NAME.png
        low: first rate
        high: last rate; the test ends before it where the loss explodes
        steps: how many
        name: of the new domain (default: that of the data)
        method: with MODEL: way of sharing, of keras_mdl.training.METHODS
        init_from: with MODEL: domain whose slot the new one starts from
        network: without MODEL: kind of network
        width: without MODEL: multiplier of all channel numbers
    """
    from keras_mdl.runs.directory import refuse_existing

    table = out.with_suffix(".csv")
    with bad_input():
        refuse_existing(table, overwrite=overwrite)
    if model is None:
        ready = ready_to_train(
            data, name, network, width, size, depthwise,
            recipe or "quick-base", dropout, reading, training, console,
        )  # fmt: skip
    else:
        ready = ready_to_add(
            model, data, name, method, init_from, depthwise, size, recipe,
            dropout, reading, training, console,
        )  # fmt: skip
    from keras_mdl.report.rate_figure import write_rate_figure
    from keras_mdl.runs.fitting import training_batches
    from keras_mdl.runs.records import write_csv
    from keras_mdl.training import find_rate as find

    inputs.say_data(console, ready.data, ready.findings)
    _, batches, weights, _ = training_batches(
        ready.view, ready.recipe, ready.data, seed=training.seed,
        say=console.say, **ready.pipeline(training),
    )  # fmt: skip
    with bad_input():
        test = find(
            ready.view, ready.recipe, batches, low, high, steps, weights
        )
    columns = ("rate", "loss", "smoothed")
    rows = zip(test.rates, test.losses, test.smoothed, strict=True)
    write_csv(table, [dict(zip(columns, row, strict=True)) for row in rows])
    write_rate_figure(out, test)
    if not test.conclusive:
        console.warn(
            "the loss fell by no more than batches differ, so the suggestion "
            "is a guess: take more --steps or a larger --batch-size"
        )
    elif not test.diverged:
        console.warn(f"the loss still fell at --high {high}: try a higher one")
    console.say(
        f"\nwrote the losses to {table}\nsuggested: --learning-rate "
        f"{test.suggested:.2g} (recipe "
        f"{ready.recipe.name}, which has {ready.recipe.learning_rate:g})"
    )
    return {
        "suggested": test.suggested,
        "conclusive": test.conclusive,
        "diverged": test.diverged,
        "steps": len(test.rates),
        "table": str(table),
    }
