"""`keras-mdl train`."""

from keras_mdl.cli import backend, cards, flags, inputs, outputs
from keras_mdl.cli.errors import bad_input

_SIZE = 32


@outputs.writes_file
def train(
    *,
    data: flags.Spec,
    out: flags.TrainedOut | None = None,
    domain: str | None = None,
    network: str = "resnet26",
    width: flags.PositiveFloat | None = None,
    size: flags.PositiveInt | None = None,
    depthwise: flags.Depthwise | None = None,
    recipe: flags.Recipe = "quick-base",
    dropout: flags.Dropout | None = None,
    reading: flags.Reading = flags.READING,
    training: flags.Training = flags.TRAINING,
    check: flags.Check = False,
    overwrite: flags.Overwrite = False,
    resume: flags.Resume = False,
    console: flags.Shown,
):
    """Train a base network on one domain; further domains can be added to it.

    Everything trains: the trunk and the domain's own slot. The model is
    written when the training has ended; an existing file is kept unless
    --overwrite is given. `keras-mdl add-domain` goes on from there.

    Args:
        domain: name of the domain (default: that of the data)
        network: kind of network; an unknown name lists them
        width: multiplier of all channel numbers (default: 0.25); the paper's
            network has 1
        size: side of the square images in pixels, divisible by 8 (default:
            as published with the recipe, else 32)
    """
    ready = ready_to_train(
        data, domain, network, width, size, depthwise, recipe, dropout,
        reading, training, console, check,
    )  # fmt: skip
    done = inputs.fitted(ready, out, training, console, check)
    if check:
        return outputs.checked(ready, done)
    from keras_mdl.runs.isolation import IsolationTable

    name, model = ready.name, ready.model
    isolation = IsolationTable()
    isolation.record(f"{name} trained", model.fingerprint())
    outputs.save_model(model, out, isolation, overwrite)
    console.say(f"\n{model.summary_by_domain()}")
    facts = cards.facts_of(ready, data, "base", training, done)
    return outputs.trained(out, model, name, done, facts)


def ready_to_train(
    data, domain, network, width, size, depthwise, recipe, dropout, reading,
    training, console, check=False,
):  # fmt: skip
    """The images and a fresh network for them, as `inputs.Ready`."""
    found, findings = inputs.open_training_data(
        console, data, size or _SIZE, reading, training, domain, check
    )
    backend.load_backend()
    inputs.use_devices(training, console)
    import keras

    from keras_mdl.runs.networks import build_network

    keras.utils.set_random_seed(training.seed)
    chosen = inputs.open_recipe(recipe, "base", training)
    name = found.domain.name
    side = size or _SIZE
    if (size, training.flip) == (None, None):
        side = inputs.published_side(chosen, name)
        side = _SIZE if side == 0 else side
    if dropout is None:
        dropout = chosen.dropout(name)
    with bad_input(input_shape="size"):
        model = build_network(
            network, [found.domain], side, width, dropout, depthwise or "plain"
        )
    view = model.for_domain(name, phase="base")
    return inputs.Ready(model, view, chosen, found, findings, side, size)
