"""Pretrained networks by name: nothing has to be trained before domains are.

Importing this loads no backend: commands look a name up before they do.
"""

from types import MappingProxyType

# Side of the images where none is given: what a phone computes in 2 ms.
PRETRAINED = MappingProxyType(
    {
        "efficientnet_lite0": 128,
        "efficientnet_lite1": 128,
        "efficientnet_lite2": 128,
    }
)
BASE = "imagenet"  # the domain that they come with


def open_pretrained(name, size):
    """A pretrained network with the domain that it was trained on.

    Args:
        name: Key in `PRETRAINED`.
        size: Side of the images; `None` for any.

    Raises:
        ImportError: If its weights are not installed.
        ValueError: If the name is unknown, or the size does not suit it.
    """
    from keras_mdl import models

    if name not in PRETRAINED:
        raise ValueError(
            f"Unknown pretrained network: {name!r}. Known ones: "
            f"{', '.join(PRETRAINED)}"
        )
    build = getattr(models, f"build_{name}")
    return build(input_shape=(size, size, 3))
