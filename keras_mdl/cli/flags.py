"""Types of flags with their checks, and the flags that commands share."""

import math
import pathlib
from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from keras_mdl.cli.console import Console


def _number(kind, expected, valid):
    def convert(type_, tokens):
        try:
            value = kind(tokens[0].value)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or not valid(value):
            raise ValueError(
                f"expected {expected}, received: {tokens[0].value!r}"
            )
        return value

    return Annotated[kind, Parameter(converter=convert, n_tokens=1)]


def ending(suffix):
    """The check of a file name that has to end in `suffix`."""

    def check(type_, path):
        if path is not None and path.suffix != suffix:
            raise ValueError(
                f"expected a file name that ends in {suffix}, "
                f"received: {str(path)!r}"
            )

    return Parameter(validator=check)


def _written(suffix, what, more=""):
    return _told(
        Annotated[pathlib.Path, ending(suffix)],
        f"{what} to write, NAME{suffix}; settings and versions go beside it, "
        f"to NAME{suffix}.run.yaml{more}",
    )


def _told(kind, text):
    return Annotated[kind, Parameter(help=text)]


PositiveInt = _number(int, "a whole number from 1 on", lambda n: n >= 1)
SeedInt = _number(int, "a whole number from 0 on", lambda n: 0 <= n < 2**32)
PositiveFloat = _number(float, "a number above 0", lambda x: x > 0)
NonNegative = _number(float, "a number from 0 on", lambda x: x >= 0)
Part = _number(float, "a number in [0, 1]", lambda x: 0 <= x <= 1)
Fraction = _number(float, "a number in [0, 1)", lambda x: 0 <= x < 1)
Switch = Annotated[bool, Parameter(negative=(), show_default=False)]
# What a command shows; given by `main`, not a flag.
Shown = Annotated[Console, Parameter(parse=False)]

Model = _told(pathlib.Path, "a saved multi-domain model, NAME.keras")
Evaluated = _told(
    pathlib.Path,
    "a saved multi-domain model, NAME.keras, or a folder of `keras-mdl export`",
)
ModelOut = _written(".keras", "the model")
TrainedOut = _written(".keras", "the model", " (required but with --check)")
DomainOut = _written(".safetensors", "the domain")
RouterOut = _written(".safetensors", "the router")
RouterFile = _told(
    pathlib.Path, "NAME.safetensors of `keras-mdl route`, fitted on this model"
)
ResultsOut = _written(".json", "the file")
Table = _told(
    Annotated[pathlib.Path, ending(".csv")],
    "table to write, NAME.csv, instead of a line for each image",
)
Check = _told(
    Switch,
    "say what is wrong with the images, how many steps the training would "
    "have and how long it would take, and end: nothing is written",
)
PageOut = Annotated[pathlib.Path, ending(".html")]
Overwrite = _told(Switch, "replace existing outputs")
Resume = _told(
    Switch,
    "go on with a training that was interrupted, given the same command: it "
    "ends as it would have ended",
)
Size = _told(
    PositiveInt, "side of the images in pixels, for models that take any"
)
Depthwise = _told(
    Literal["plain", "do"],
    "do: over-parameterise the depthwise filters while they train (DO-Conv); "
    "save-domain folds them (default: plain, or as the domain that the slot "
    "starts from)",
)
Dropout = _told(Fraction, "before the head (default: the recipe's)")
Recipe = _told(
    str,
    "named settings to start from, of keras_mdl.training.RECIPES; an unknown "
    "name lists them",
)
SPEC = (
    "embedded:NAME (no files needed: shapes, digits, glyphs, photos, "
    "textures), folder:PATH (class folders), tfds:NAME, decathlon:KEY, or the "
    "path of a TFDS or class folder; as NAME=SPEC to name the domain"
)
Spec = _told(str, SPEC)
Specs = _told(list[str], SPEC)
Annotations = _told(
    pathlib.Path,
    "folder `annotations` of the challenge's devkit "
    "(KEY_test_stripped.json, KEY_val.json, ...)",
)
Split = Literal["train", "validation", "test"]
_OnBad = _told(
    Literal["error", "skip"] | None,
    "class folders: refuse unreadable images, or leave them out "
    "(default: error)",
)
OnBadFile = _told(
    Literal["error", "skip"], "refuse unreadable images, or leave them out"
)
_Aside = _told(
    Fraction | None,
    "class folders without a validation folder: part of each class that is "
    "set aside (default: 0.2). It has to be that of the training (see "
    "NAME.keras.run.yaml), and another part is set aside when images are "
    "added: for figures to rely on make folders train/, validation/",
)
_Flip = _told(
    bool | None,
    "mirror half of the training images (default: what suits known data, else "
    "no: mirrored signs and letters do harm)",
)


@Parameter(name="*", group="Reading images")
@dataclass(frozen=True, kw_only=True)
class Reading:
    """What belongs to `--data`."""

    on_bad_image: _OnBad = None
    validation_fraction: _Aside = None
    data_dir: str | None = None
    """tfds, decathlon: folder of prepared data (default: that of TFDS)"""
    download: bool | None = None
    """tfds, decathlon: download data that are not there (default: no)"""


@Parameter(name="*", group="Training")
@dataclass(frozen=True, kw_only=True)
class Training:
    """What a training takes; what is not given comes from the recipe."""

    flip: _Flip = None
    epochs: PositiveInt | None = None
    """passes over the training images (default: the recipe's)"""
    batch_size: PositiveInt | None = None
    """images in a step (default: the recipe's)"""
    learning_rate: PositiveFloat | None = None
    """at the start (default: the recipe's)"""
    weight_decay: NonNegative | None = None
    """for this domain (default: the recipe's)"""
    balance: Part | None = None
    """how much rare classes are lifted, by class weights: 0 not at all, 1
    until every class has the same say (default: the recipe's)"""
    ema: Fraction | None = None
    """keep an average of the weights over the steps: weight of the old values,
    for example 0.99 (default: the recipe's)"""
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] | None = (
        None
    )
    """what layers compute in while they train; weights stay float32 (default:
    the recipe's). 16 bits are for GPUs"""
    seed: SeedInt = 0
    """of weights, order and augmentation"""
    devices: PositiveInt | None = None
    """GPUs that train, each with a part of every batch (default: one)"""
    tensorboard: pathlib.Path | None = None
    """folder to write TensorBoard logs to"""


READING, TRAINING = Reading(), Training()
