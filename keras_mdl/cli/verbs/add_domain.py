"""`keras-mdl add-domain`."""

from keras_mdl.cli import backend, cards, flags, inputs, outputs
from keras_mdl.cli.errors import InputError, bad_input
from keras_mdl.cli.saved import open_trunk


@outputs.writes_file
def add_domain(
    model: flags.Model,
    *,
    data: flags.Spec,
    out: flags.TrainedOut | None = None,
    name: str | None = None,
    method: str = "pointwise_sharing",
    init_from: str | None = None,
    depthwise: flags.Depthwise | None = None,
    size: flags.Size | None = None,
    recipe: flags.Recipe | None = None,
    dropout: flags.Dropout | None = None,
    reading: flags.Reading = flags.READING,
    training: flags.Training = flags.TRAINING,
    check: flags.Check = False,
    overwrite: flags.Overwrite = False,
    resume: flags.Resume = False,
    console: flags.Shown,
):
    """Add a domain to a trained network, and train its slot alone.

    MODEL is a file that `train` or this command has written, or the name of a
    pretrained network (efficientnet_lite0): photographs of few classes make a
    useful classifier in minutes then.

    The trunk and all other domains stay bit-identical; this is checked after
    the training and again on the saved file, and a model that fails is not
    written. --method individual trains a copy of the whole network instead,
    for comparison; the result then holds the new domain alone.

    Args:
        name: of the new domain (default: that of the data)
        method: way of sharing, of keras_mdl.training.METHODS; an unknown name
            lists them
        init_from: domain whose slot the new one starts from (default: first)
    """
    ready = ready_to_add(
        model, data, name, method, init_from, depthwise, size, recipe,
        dropout, reading, training, console, check,
    )  # fmt: skip
    done = inputs.fitted(ready, out, training, console, check)
    if check:
        return outputs.checked(ready, done)
    name, wider, isolation = ready.name, ready.model, ready.isolation
    isolation.record(
        f"{name} trained", wider.fingerprint(), [f"domains/{name}"]
    )
    outputs.save_model(wider, out, isolation, overwrite)
    console.say(f"\n{wider.summary_by_domain()}\n\n{isolation}")
    if ready.method.alone:
        console.say(f"\n{name} has a network of its own: nothing is shared")
    facts = cards.facts_of(ready, data, ready.method.name, training, done)
    return {
        **outputs.trained(out, wider, name, done, facts),
        "method": ready.method.name,
        "isolated": isolation.isolated,
        "isolation": isolation.to_dicts(),
    }


def ready_to_add(
    model, data, name, method, init_from, depthwise, size, recipe, dropout,
    reading, training, console, check=False,
):  # fmt: skip
    """The images and a network with a slot for them, as `inputs.Ready`."""
    saved = open_trunk(model, size)
    side = saved.side(size)
    if init_from is not None:
        saved.domain(init_from)
    found, findings = inputs.open_training_data(
        console, data, side or inputs.OPEN_SIDE, reading, training, name, check
    )
    name = found.domain.name
    if name in saved.domains:
        raise InputError(
            f"The model has a domain {name!r} already: give the new one "
            "another --name"
        )
    backend.load_backend()
    inputs.use_devices(training, console)
    loaded = saved.load()
    import keras

    from keras_mdl.runs.isolation import IsolationTable
    from keras_mdl.training import get_method

    keras.utils.set_random_seed(training.seed)
    with bad_input(name="method"):
        way = get_method(method)
    if recipe is None:
        pretrained = loaded.keeps_statistics
        recipe = "photo-domain" if pretrained else "quick-domain"
    chosen = inputs.open_recipe(recipe, loaded.suited(way.phase), training)
    if side is None and (
        training.flip is not None or inputs.published_side(chosen, name) == 0
    ):
        saved.size()  # says that --size is needed
    isolation = IsolationTable()
    if not way.alone:
        isolation.record("before", loaded.fingerprint())
    with bad_input():
        wider, view = way.start(
            loaded,
            found.domain,
            dropout=chosen.dropout(name) if dropout is None else dropout,
            init_from=init_from,
            depthwise=depthwise,
        )
    return inputs.Ready(
        wider, view, chosen, found, findings, side, size, way, isolation
    )
