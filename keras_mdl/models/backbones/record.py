"""`Backbone`: what the package must know about a backbone function."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import keras


@dataclass(frozen=True)
class Backbone:
    """The facts about a backbone function, in one value.

    Attributes:
        function: `function(x, scope, **config)`, registered with
            `keras.saving.register_keras_serializable`; see
            `MultiDomainModel`.
        regions: `{name: patterns of layer names}`, where gates can be put by
            name (`with_gate`).
        size_multiple: Image sides must be divisible by this.
        raw_pixels: Whether the function takes pixels in `[0, 255]` and scales
            them itself, for all domains alike, as pretrained networks want
            it. Otherwise it gets `(x / 255 - mean) / std` with the domain's
            own mean and std.
    """

    function: Callable
    regions: Mapping = field(default_factory=dict)
    size_multiple: int = 1
    raw_pixels: bool = False


def backbone(**facts) -> Callable:
    """Decorator that gives a function its `Backbone` record."""

    def describe(function):
        function.backbone = Backbone(function, **facts)
        return function

    return describe


def backbone_of(function):
    """The record of a backbone function; one without facts if it has none."""
    return getattr(function, "backbone", None) or Backbone(function)


def require_registered(function):
    """Refuses a backbone that could not be saved.

    Raises:
        ValueError: If the function is not registered with Keras.
    """
    name = keras.saving.get_registered_name(function)
    if keras.saving.get_registered_object(name) is not function:
        raise ValueError(
            "`backbone` must be registered, so that models with it can be "
            "saved and widened: put `@keras.saving.register_keras_serializable"
            f"('my_package')` above it. Received: backbone={function!r}"
        )
