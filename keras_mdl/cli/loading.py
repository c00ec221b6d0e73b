"""What the commands read: data, models, recipes, image files."""

import sys

from keras_mdl.cli.errors import InputError, bad_input

_DATA_FLAGS = (
    "on_bad_image",
    "validation_fraction",
    "data_dir",
    "download",
    "flip",
)


def open_data(args, spec, size, name=None):
    """The `DomainData` that `--data` names.

    Args:
        args: Parsed flags of the command.
        spec: The specification.
        size: Side of the images that the network takes.
        name: Name for the domain, or `None` to keep the data's own.

    Raises:
        InputError: If there are no such data.
    """
    from keras_mdl.data import load
    from keras_mdl.data.specs import options_of

    given = {
        key: value
        for key in _DATA_FLAGS
        if (value := getattr(args, key, None)) is not None
    }
    with bad_input():
        fitting = {s: options_of(s) for s in [spec, *_specs(args)]}
        for key in given:
            # A flag is for those of several data that it suits.
            if not any(key in options for options in fitting.values()):
                raise InputError(
                    f"--{key.replace('_', '-')} does not apply to --data "
                    f"{' '.join(fitting)} (see --help)"
                )
        options = {k: v for k, v in given.items() if k in fitting[spec]}
        if spec.rpartition("=")[2].startswith("embedded:"):
            # Drawn at the size of the network rather than resized to it.
            options["size"] = max(size, 16)
        data = load(spec, **options)
        if data.skipped:
            # Said on stderr, so that no file is missing unnoticed.
            print(
                f"warning: {len(data.skipped)} unreadable images left out: "
                f"{', '.join(data.skipped[:5])}"
                f"{', ...' if len(data.skipped) > 5 else ''}",
                file=sys.stderr,
                flush=True,
            )
        return data.renamed(name) if name else data


def _specs(args):
    return args.data if isinstance(args.data, list) else [args.data]


def open_data_of(args, spec, size, model, name=None):
    """The data of `--data` for a domain of a model.

    Args:
        args: Parsed flags of the command.
        spec: The specification.
        size: Side of the images that the network takes.
        model: The `MultiDomainModel`.
        name: Name of the domain, or `None` for the data's own.

    Raises:
        InputError: If there are no such data, or no such domain.
    """
    data = open_data(args, spec, size, name)
    if data.domain.name not in model:
        raise InputError(
            f"The model has no domain {data.domain.name!r}; it has "
            f"{', '.join(map(repr, model))}. Say which one {spec} belongs to: "
            "NAME=SPEC"
        )
    return data


def require_classes(model, data):
    """Refuses data whose classes are not those of their domain.

    Raises:
        InputError: With the first of both.
    """
    expected = model.domains[data.domain.name].classes
    if data.domain.classes != expected:
        raise InputError(
            "The images have other classes than the domain "
            f"{data.domain.name!r}. Expected {list(expected)[:5]}..., "
            f"received {list(data.domain.classes)[:5]}..."
        )


def require_training_split(data):
    """Refuses data that have nothing to learn from."""
    from keras_mdl.runs.fitting import has_labels

    if not has_labels(data, "train"):
        raise InputError(
            f"Training needs a split 'train' with labels; "
            f"{data.domain.name!r} has {', '.join(map(repr, data.splits))}"
        )


def open_model(path):
    """The `MultiDomainModel` in a file.

    Raises:
        InputError: If the file is missing, broken or another kind of model.
    """
    from keras_mdl.models import MultiDomainModel, load_model

    if path.is_dir():
        raise InputError(f"Expected a .keras file, received a folder: {path}")
    with bad_input():
        model = load_model(path)
    if not isinstance(model, MultiDomainModel):
        raise InputError(
            f"{path} holds a {type(model).__name__}; expected a "
            "MultiDomainModel, as `keras-mdl train` and "
            "`MultiDomainModel.save` write it"
        )
    return model


def size_of(model, args):
    """Side of the images: the model's, or `--size` if it takes any."""
    from keras_mdl.runs.fitting import image_size

    with bad_input():
        size = image_size(model, args.size)
    if args.size is not None and args.size != size:
        raise InputError(
            f"The model takes images of {size}x{size} pixels. "
            f"Received: --size {args.size}"
        )
    return size


def open_recipe(args, phase, console):
    """The recipe of `--recipe` with the other training flags applied.

    Args:
        args: Parsed flags of the command.
        phase: What trains.
        console: Is told what of a published recipe is left out.
    """
    from keras_mdl.training import get_recipe

    with bad_input():
        recipe = get_recipe(args.recipe)
    if recipe.crops:
        # They train and test at different sizes; networks here have one.
        console.say(
            f"recipe {recipe.name}: without its crops of the published "
            "pipeline (`Preprocess.decathlon`); images are resized to the "
            "size of the network"
        )
    changes = {
        key: value
        for key in ("epochs", "batch_size", "learning_rate", "weight_decay")
        if (value := getattr(args, key)) is not None
    }
    if args.weight_decay is not None:
        # Given by hand it holds for every domain.
        changes["decays"] = {}
    if args.epochs is not None:
        # Drops keep their place in the course of the training.
        scale = args.epochs / recipe.epochs
        changes["drops"] = tuple(
            sorted({max(1, round(d * scale)) for d in recipe.drops})
        )
    return recipe.replace(phase=phase, **changes)


def dropout_of(args, recipe, domain):
    """Dropout before the classifier: the flag's, or the recipe's."""
    return recipe.dropout(domain) if args.dropout is None else args.dropout


def tensorboard(args, domain):
    """The callbacks that `--tensorboard` asks for.

    Raises:
        InputError: If there is a file where the logs should go.
    """
    if args.tensorboard is None:
        return []
    if args.tensorboard.is_file():
        raise InputError(
            f"--tensorboard needs a folder, received a file: {args.tensorboard}"
        )
    import keras

    return [
        keras.callbacks.TensorBoard(
            args.tensorboard / domain, write_graph=False
        )
    ]


def open_image(path):
    """An image file as uint8 RGB.

    Raises:
        InputError: If it is not a readable image; names the file.
    """
    from PIL import Image

    from keras_mdl.data.pixels import rgb_from_file

    # What Pillow raises depends on the format's reader.
    errors = (OSError, ValueError, SyntaxError, EOFError, IndexError,
              OverflowError, Image.DecompressionBombError)  # fmt: skip
    try:
        return rgb_from_file(path)
    except FileNotFoundError as error:
        raise InputError(f"No such image: {path}") from error
    except errors as error:
        raise InputError(f"Cannot read the image {path}: {error}") from error
