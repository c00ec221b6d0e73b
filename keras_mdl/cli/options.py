"""Flags that several commands have, and the values that they take."""

import argparse
import math
import pathlib


def add_common(parser):
    """Flags of every command."""
    group = parser.add_argument_group("general")
    group.add_argument(
        "--config",
        metavar="FILE.yaml",
        help="read flags from a YAML file (keys are flag names); flags on the "
        "command line win",
    )
    group.add_argument(
        "--json",
        action="store_true",
        help="print the result as JSON on stdout, everything else on stderr",
    )
    group.add_argument(
        "--backend",
        choices=("tensorflow", "jax"),
        help="Keras backend (default: KERAS_BACKEND or Keras' own setting)",
    )
    group.add_argument(
        "--debug", action="store_true", help="show tracebacks of errors"
    )


def add_output(parser, what, suffix):
    """`--out FILE` and `--overwrite`."""
    parser.add_argument(
        "--out",
        required=True,
        type=file_with(suffix),
        metavar=f"FILE{suffix}",
        help=f"{what} to write; settings and versions go beside it, to "
        f"FILE{suffix}.run.yaml",
    )
    add_overwrite(parser)


def add_overwrite(parser):
    """`--overwrite`."""
    parser.add_argument(
        "--overwrite", action="store_true", help="replace existing outputs"
    )


def add_model(parser):
    """`--model FILE`."""
    parser.add_argument(
        "--model",
        required=True,
        type=pathlib.Path,
        metavar="FILE.keras",
        help="a saved multi-domain model",
    )


def add_size(parser):
    """`--size`, for models that leave it open."""
    parser.add_argument(
        "--size",
        type=positive_int,
        metavar="PIXELS",
        help="side of the images, for models that take any",
    )


def add_depthwise(parser, default="plain"):
    """`--depthwise`, the kind of a slot's depthwise filters."""
    parser.add_argument(
        "--depthwise",
        choices=("plain", "do"),
        help="do: over-parameterise the depthwise filters while they train "
        f"(DO-Conv); save-domain folds them (default: {default})",
    )


_SPEC = (
    "embedded:NAME (no files needed: shapes, digits, glyphs, photos, "
    "textures), folder:PATH (class folders), tfds:NAME, decathlon:KEY, or the "
    "path of a TFDS or class folder; as NAME=SPEC to name the domain"
)


def add_data(parser, several=False):
    """`--data SPEC` and what belongs to reading images."""
    parser.add_argument(
        "--data",
        required=True,
        metavar="SPEC",
        nargs="+" if several else None,
        help=_SPEC,
    )
    parser.add_argument(
        "--on-bad-image",
        choices=("error", "skip"),
        help="class folders: refuse unreadable images, or leave them out "
        "(default: error)",
    )
    parser.add_argument(
        "--validation-fraction",
        type=fraction,
        metavar="P",
        help="class folders without a validation folder: part of each class "
        "that is set aside (default: 0.2). It has to be that of the training "
        "(see FILE.keras.run.yaml), and another part is set aside when images "
        "are added: for figures to rely on make folders train/, validation/",
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="tfds and decathlon: folder of prepared data (default: that of "
        "TFDS)",
    )
    parser.add_argument(
        "--download",
        action=argparse.BooleanOptionalAction,
        help="tfds and decathlon: download data that are not there (default: "
        "no)",
    )


def add_training(parser, recipe, dropout=True):
    """Flags of a training; what is not given comes from the recipe."""
    group = parser.add_argument_group("training")
    group.add_argument(
        "--flip",
        action=argparse.BooleanOptionalAction,
        help="mirror half of the training images (default: what suits known "
        "data, else no: mirrored signs and letters do harm)",
    )
    group.add_argument(
        "--recipe",
        default=recipe,
        metavar="NAME",
        help="named settings to start from, of keras_mdl.training.RECIPES; "
        "an unknown name lists them (default: %(default)s); images are always "
        "resized to the size of the network, a recipe's own crops are for the "
        "Python API",
    )
    group.add_argument(
        "--epochs",
        type=positive_int,
        metavar="N",
        help="passes over the training images (default: the recipe's)",
    )
    group.add_argument(
        "--batch-size",
        type=positive_int,
        metavar="N",
        help="images in a step (default: the recipe's)",
    )
    group.add_argument(
        "--learning-rate",
        type=positive_float,
        metavar="R",
        help="at the start (default: the recipe's)",
    )
    group.add_argument(
        "--weight-decay",
        type=non_negative,
        metavar="D",
        help="for this domain (default: the recipe's)",
    )
    if dropout:
        group.add_argument(
            "--dropout",
            type=fraction,
            metavar="P",
            help="before the classifier",
        )
    group.add_argument(
        "--seed",
        type=seed,
        default=0,
        metavar="N",
        help="of weights, order and augmentation (default: %(default)s)",
    )
    group.add_argument(
        "--tensorboard",
        type=pathlib.Path,
        metavar="DIR",
        help="write TensorBoard logs there",
    )


def file_with(suffix):
    """An argument type: a path that ends in `suffix`."""

    def path(text):
        if not text.endswith(suffix) or text == suffix:
            raise argparse.ArgumentTypeError(
                f"expected a file name that ends in {suffix}, "
                f"received: {text!r}"
            )
        return pathlib.Path(text)

    return path


def positive_int(text):
    """An argument type: an integer from 1 on."""
    return _number(text, int, lambda n: n >= 1, "a whole number from 1 on")


def seed(text):
    """An argument type: an integer from 0 to 2**32 - 1."""
    return _number(
        text, int, lambda n: 0 <= n < 2**32, "a whole number from 0 on"
    )


def positive_float(text):
    """An argument type: a number above 0."""
    return _number(text, float, lambda x: x > 0, "a number above 0")


def non_negative(text):
    """An argument type: a number from 0 on."""
    return _number(text, float, lambda x: x >= 0, "a number from 0 on")


def fraction(text):
    """An argument type: a number in [0, 1)."""
    return _number(text, float, lambda x: 0 <= x < 1, "a number in [0, 1)")


def _number(text, kind, valid, expected):
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not math.isfinite(value) or not valid(value):
        raise argparse.ArgumentTypeError(
            f"expected {expected}, received: {text!r}"
        )
    return value
