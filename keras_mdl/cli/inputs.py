"""What the commands read besides models: data, recipes, image files."""

import os
from dataclasses import dataclass

from keras_mdl.cli import outputs
from keras_mdl.cli.backend import load_backend
from keras_mdl.cli.errors import InputError, bad_input
from keras_mdl.cli.flags import SPEC

# To draw and resize for networks of open size: that of the published ones.
OPEN_SIDE = 72
_OF_RECIPES = ("epochs", "batch_size", "learning_rate", "weight_decay",
               "balance", "ema", "precision")  # fmt: skip


def open_data(
    console, specs, size, reading, flip=None, name=None, skip_bad=False
):
    """`DomainData` of each of the `specs` of `--data`, all images read.

    Nothing but TFDS needs TensorFlow here.
    """
    for spec in specs:  # before anything is loaded for it
        path = spec.rpartition("=")[2].removeprefix("folder:")
        if ":" not in path and not any(map(os.path.isdir, (path, spec))):
            found = "is a file" if os.path.exists(path) else "is not there"
            raise InputError(
                f"Expected a folder of images: {path} {found}. --data takes "
                f"{SPEC}"
            )
    from keras_mdl.data import load
    from keras_mdl.data.specs import options_of, reads_tfds

    given = {**vars(reading), "flip": flip}
    given = {k: v for k, v in given.items() if v is not None}
    found = []
    with bad_input(spec="data", name="domain"):
        taken = [options_of(spec) for spec in specs]
        for key in given:
            # A flag is for those of several data that it suits.
            if not any(key in options for options in taken):
                raise InputError(
                    f"--{key.replace('_', '-')} does not apply to --data "
                    f"{' '.join(specs)} (see --help)"
                )
        for spec, takes in zip(specs, taken, strict=True):
            options = {k: v for k, v in given.items() if k in takes}
            if spec.rpartition("=")[2].startswith("embedded:"):
                # Drawn at the size of the network rather than resized to it.
                options["size"] = max(size, 16)
            if skip_bad and "on_bad_image" in takes:
                options.setdefault("on_bad_image", "skip")
            if reads_tfds(spec):
                load_backend()  # it loads TensorFlow, with its notes
            with console.warnings():
                data = load(spec, **options)
            if data.skipped:
                more = ", ..." if len(data.skipped) > 5 else ""
                console.warn(
                    f"{len(data.skipped)} unreadable images left out: "
                    f"{', '.join(data.skipped[:5])}{more}"
                )
            found.append(data.renamed(name) if name else data)
    return found


def open_training_data(
    console, spec, size, reading, training, name=None, check=False
):
    """`open_data` of one specification to train on, looked through.

    With `check` bad images are told of rather than refused.

    Returns:
        The `DomainData`, and the `Finding`s for `say_data`.
    """
    (data,) = open_data(
        console, [spec], size, reading, training.flip, name, skip_bad=check
    )
    require_labels(data, "train")
    from keras_mdl.data import check as findings_of

    return data, findings_of(data)


def say_data(console, data, findings, check=False):
    """What there is to train on, and what is wrong with it.

    When nothing is left to refuse: an error comes alone.
    """
    for finding in findings:
        # (Those left out have been named.)
        if finding.kind != "unreadable":
            console.warn(finding)
    console.say(f"{data}\nwarnings: {len(findings)}" if check else str(data))


def require_labels(data, *splits):
    """Refuses data without labels in a split; says which have some."""
    known = [s for s in data.splits if data.labels(s) is not None]
    for split in splits:
        if split not in known:
            raise InputError(
                f"The images of {data.domain.name!r} have no labelled split "
                f"{split!r}. Labelled splits: {', '.join(known) or 'none'}"
            )


def matched(data, saved, spec, partial=False, warn=None):
    """Data with the labels of a model's domain: classes match by name.

    With `partial`, or `warn` to say which, the data may lack some classes.
    """
    name, classes = data.domain.name, data.domain.classes
    if name not in saved.domains:
        raise InputError(
            f"The model has no domain {name!r}; it has "
            f"{', '.join(map(repr, saved.domains))}. Say which one {spec} "
            "belongs to: NAME=SPEC"
        )
    domain = saved.domains[name]
    if classes == domain.classes:
        return data
    unknown = sorted(set(classes) - set(domain.classes))
    lacking = sorted(set(domain.classes) - set(classes))
    if unknown or (lacking and not (partial or warn)):
        raise InputError(
            f"The images have other classes than the domain {name!r}: "
            f"unknown {unknown[:8]}, missing {lacking[:8]}. Known classes: "
            f"{', '.join(map(repr, domain.classes))}"
        )
    if lacking and warn:
        warn(
            f"{len(lacking)} of {domain.num_classes} classes of {name!r} have "
            f"no images here: {', '.join(lacking[:8])}"
        )
    import numpy as np

    label_of = np.array([domain.classes.index(c) for c in classes], np.int32)
    splits = {}
    with bad_input():
        for split in data.splits:
            labels = data.labels(split)
            if labels is not None:
                labels = label_of[np.asarray(labels)]
            splits[split] = (data.images(split), labels)
    return type(data)(
        domain,
        splits,
        flip=data.flip,
        skipped=data.skipped,
        provenance=data.provenance,
    )


def open_recipe(name, phase, training):
    """The recipe of `--recipe` with the other training flags applied."""
    from keras_mdl.training import get_recipe

    with bad_input(name="recipe"):
        recipe = get_recipe(name)
    changes = {
        key: value
        for key in _OF_RECIPES
        if (value := getattr(training, key)) is not None
    }
    if training.weight_decay is not None:
        # Given by hand it holds for every domain.
        changes["decays"] = {}
    if training.epochs is not None:
        changes["least_steps"] = 0
        # Drops keep their place in the course of the training.
        scale = training.epochs / recipe.epochs
        changes["drops"] = tuple(
            sorted({max(1, round(d * scale)) for d in recipe.drops})
        )
    return recipe.replace(phase=phase, **changes)


def published_side(recipe, name):
    """Side of the images that a recipe was published with for a domain.

    Returns:
        `None` if it takes different ones, 0 if it has no pipeline for them.
    """
    from keras_mdl.data import published_pipeline

    published = published_pipeline(recipe.crops, name)
    if published is None:
        return 0
    crop = published.preprocess.train_crop
    same = crop and crop == published.preprocess.eval_crop
    return crop[0] if same else None


def use_devices(training, console):
    """Builds, trains and checks on `--devices` until the command ends."""
    if training.devices is not None:
        from keras_mdl.devices import data_parallel

        with bad_input():
            console.contexts.enter_context(data_parallel(training.devices))


def callbacks(training, domain):
    """The callbacks that the flags of a training ask for."""
    if training.tensorboard is None:
        return []
    import keras

    folder = training.tensorboard / domain
    return [keras.callbacks.TensorBoard(folder, write_graph=False)]


@dataclass(frozen=True)
class Ready:
    """What a command trains: a view, and images for it.

    Attributes:
        model: The `MultiDomainModel`.
        view: Its `DomainModel`.
        recipe: The `Recipe`, with the flags applied.
        data: `DomainData`.
        findings: What `keras_mdl.data.check` found.
        side: Of the images; `None` where the recipe says it.
        size: As given by the user.
        method: Way of sharing, of a further domain.
        isolation: `IsolationTable` of the model before.
    """

    model: object
    view: object
    recipe: object
    data: object
    findings: list
    side: int | None
    size: int | None
    method: object = None
    isolation: object = None

    @property
    def name(self):
        """Of the domain."""
        return self.data.domain.name

    def pipeline(self, training):
        """Options of `fitting.fit` that say what the network is given.

        The recipe chooses, unless `--flip` or `--size` have done so.
        """
        from keras_mdl.data import Preprocess

        options = {"pool": True, "size": self.side or OPEN_SIDE}
        if (training.flip, self.size) != (None, None):
            ours = getattr(Preprocess, self.recipe.augment)
            options["preprocess"] = ours(self.side)
        return options


def fitted(ready, out, training, console, check=False):
    """`keras_mdl.runs.fitting.fit` as the flags of a training say.

    With `check` it ends after ten steps.

    Returns:
        A `Fit`; with `check` the seconds that it would take.
    """
    from keras_mdl.runs import fitting
    from keras_mdl.runs.engine import format_duration
    from keras_mdl.runs.time_left import Measured, TimeLeft
    from keras_mdl.training import OtherTrainingError

    recipe, state, more = ready.recipe, None, []
    if not check:
        outputs.require_room(out, 4 * ready.view.count_params())
        state = outputs.state_of(out)
        more = callbacks(training, ready.name)
    else:
        recipe = recipe.replace(head_part=0.0)  # all of it at full cost
    say_data(console, ready.data, ready.findings, check)
    try:
        done = fitting.fit(
            ready.view,
            recipe,
            ready.data,
            seed=training.seed,
            callbacks=[TimeLeft(console.say, measure=check), *more],
            verbose=0 if check else console.verbose,
            say=console.say,
            state=state,
            **ready.pipeline(training),
        )
    except OtherTrainingError as error:
        raise InputError(str(error)) from error
    except Measured as measured:
        seconds = measured.seconds
    else:
        if not check:
            return done
        seconds = done.seconds
    console.say(
        f"\nabout {format_duration(seconds)}, and a minute or two to compile"
    )
    return round(seconds, 1)


def open_router(path, loaded):
    """The `Router` of a file, for a loaded model."""
    from keras_mdl.routing import Router

    with bad_input():
        router = Router.load(path)
        router.require(loaded)
    return router


def open_image(path):
    """An image file as uint8 RGB; `InputError` with its name if it is none."""
    from keras_mdl.data.pixels import READ_ERRORS, rgb_from_file

    try:
        return rgb_from_file(path)
    except FileNotFoundError as error:
        raise InputError(f"No such image: {path}") from error
    except READ_ERRORS as error:
        raise InputError(f"Cannot read the image {path}: {error}") from error
