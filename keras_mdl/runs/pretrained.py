"""Pretrained networks by name: nothing has to be trained before domains are.

Importing this loads no backend: commands look a name up before they do.
"""

from types import MappingProxyType

_SIZE = 128  # pixels, where none are given
PRETRAINED = MappingProxyType(
    dict.fromkeys(
        (
            "efficientnet_lite0",
            "efficientnet_lite1",
            "efficientnet_lite2",
            # Their weights are downloaded.
            "mobilenet_v2",
            "mobilenet_v3_small",
            "mobilenet_v3_large",
            "timm:mobilenetv1_100",
            "timm:mobilenetv2_100",
            "timm:mobilenetv4_conv_small",
            "timm:efficientnet_lite0",
        ),
        _SIZE,
    )
)
BASE = "imagenet"  # the domain that they come with


def open_pretrained(name, size):
    """A pretrained network with the domain that it was trained on.

    Args:
        name: Key in `PRETRAINED`.
        size: Side of the images; `None` for any.

    Raises:
        ImportError: If its weights, or what downloads them, are not installed.
        OSError: If they cannot be downloaded.
        ValueError: If the name is unknown, or the size does not suit it.
    """
    from keras_mdl import models

    if name not in PRETRAINED:
        raise ValueError(
            f"Unknown pretrained network: {name!r}. Known ones: "
            f"{', '.join(PRETRAINED)}"
        )
    shape = (size, size, 3)
    if name.startswith("timm:"):
        return models.build_timm(name.removeprefix("timm:"), input_shape=shape)
    return getattr(models, f"build_{name}")(input_shape=shape)
