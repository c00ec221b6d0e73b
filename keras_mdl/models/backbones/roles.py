"""Roles: what of a Keras network is shared, and what each domain gets."""

import fnmatch
from dataclasses import dataclass

import keras
import numpy as np

from keras_mdl.tables import format_table

# What a caller can say of a layer, and the role it gets by its class.
CHOICES = ("shared", "private")
# What `keras_graph` makes of a layer, and the role that this is.
ROLES = {
    "shared convolution": "shared",
    "shared": "shared",
    "separable": "split",
    "depthwise": "private",
    "batch norm": "private",
    "norm": "private",
    "private convolution": "private",
    "private": "private",
    "replayed": "replayed",
}


@dataclass(frozen=True)
class Role:
    """What becomes of one layer.

    Attributes:
        name: Its name; of a layer in a nested model, after the model's.
        kind: Its class.
        role: `"shared"` in the trunk, `"private"` to each domain, `"split"`
            (a separable convolution: its depthwise half private, its
            pointwise half shared), `"head"`, or `"replayed"` (no variables).
        parameters: Trainable parameters.
    """

    name: str
    kind: str
    role: str
    parameters: int


@dataclass(frozen=True)
class RoleTable:
    """The roles of all layers of a network; `print` shows those that count.

    Attributes:
        rows: `Role` of every layer with variables, in order.
        notes: What else is to be known, a line each.
    """

    rows: tuple
    notes: tuple = ()

    def parameters(self, role):
        """Trainable parameters of all layers in a role."""
        return sum(r.parameters for r in self.rows if r.role == role)

    def __str__(self):
        rows = [("layer", "class", "role", "parameters")]
        rows += [
            (r.name, r.kind, r.role, f"{r.parameters:,}") for r in self.rows
        ]
        return "\n".join([format_table(rows, "<<<>"), *self.notes])


def maker_of(layer, choices):
    """The key in `ROLES` of what a layer becomes that is not the head.

    Args:
        layer: A Keras layer, built.
        choices: `{pattern of names: "shared" or "private"}`.

    Raises:
        ValueError: For a layer that cannot be replayed, and one with
            variables that is of a kind that nothing is known about.
    """
    layers = keras.layers
    name = type(layer).__name__
    if isinstance(layer, layers.Lambda):
        raise ValueError(
            f"The layer {layer.name!r} is a Lambda: its code cannot be saved "
            "safely. Write it as a layer class of your own, registered with "
            "`keras.saving.register_keras_serializable`"
        )
    _require_channels_last(layer)
    _require_plain_weights(layer)
    if not layer.weights or isinstance(layer, layers.Normalization):
        return "replayed"
    choice = next(
        (c for pattern, c in choices.items()
         if fnmatch.fnmatchcase(layer.name, pattern)),
        None,
    )  # fmt: skip
    if isinstance(layer, layers.DepthwiseConv2D) or _is_depthwise(layer):
        return _chosen(layer, choice, "private", {"private": "depthwise"})
    if isinstance(layer, layers.SeparableConv2D):
        return _chosen(layer, choice, "split", {"split": "separable"})
    if isinstance(layer, layers.Conv2D):
        makers = {
            "shared": "shared convolution",
            "private": "private convolution",
        }
        return _chosen(layer, choice, "shared", makers)
    if isinstance(layer, layers.BatchNormalization):
        plain = not layer.renorm and layer.axis in (
            -1,
            len(layer.input.shape) - 1,
        )
        maker = "batch norm" if plain else "norm"
        makers = {"private": maker, "shared": "shared"}
        return _chosen(layer, choice, "private", makers)
    if isinstance(
        layer, (layers.LayerNormalization, layers.GroupNormalization)
    ):
        makers = {"private": "norm", "shared": "shared"}
        return _chosen(layer, choice, "private", makers)
    anything = {"shared": "shared", "private": "private"}
    if isinstance(layer, layers.Dense):
        return _chosen(layer, choice, "shared", anything)
    if name == "LayerScale" and type(layer).__module__.startswith("keras."):
        return _chosen(layer, choice, "private", anything)
    if choice is None:
        raise ValueError(
            f"It is not known what the layer {layer.name!r} ({name}, "
            f"{layer.count_params():,} parameters) is to domains. Say it: "
            f"`roles={{{layer.name!r}: 'shared'}}` or `'private'` (names may "
            "be patterns)"
        )
    return anything[choice]


def _chosen(layer, choice, default, makers):
    role = choice or default
    if role not in makers:
        raise ValueError(
            f"The layer {layer.name!r} ({type(layer).__name__}) can be "
            f"{' or '.join(makers)}. Received: roles: {role!r}"
        )
    return makers[role]


def _is_depthwise(layer):
    """A grouped convolution with one input channel in each group."""
    return (
        isinstance(layer, keras.layers.Conv2D)
        and layer.groups > 1
        and layer.kernel.shape[2] == 1
    )


def _require_channels_last(layer):
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise ValueError(
            f"The layer {layer.name!r} has data_format="
            f"{layer.data_format!r}. Expected: 'channels_last'"
        )


def _require_plain_weights(layer):
    """Refuses layers whose kernel is not a variable of its own."""
    mode = getattr(layer, "quantization_mode", None)
    if getattr(layer, "lora_enabled", False) or mode is not None:
        raise ValueError(
            f"The layer {layer.name!r} is "
            f"{f'quantized ({mode})' if mode else 'a LoRA layer'}: its kernel "
            "is not one variable. Give the network with plain layers (LoRA "
            "layers are merged when they are saved)"
        )


def trainable_size(layer):
    """Trainable parameters of a layer, whatever its flags say."""
    statistics = ("moving_mean", "moving_variance")
    return sum(
        int(np.prod(v.shape)) for v in layer.weights if v.name not in statistics
    )
