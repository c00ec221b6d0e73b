"""Networks that the commands can build, by name."""

import inspect
from types import MappingProxyType

from keras_mdl.models import build_dense_resnet26, build_resnet26
from keras_mdl.runs.pretrained import PRETRAINED

NETWORKS = MappingProxyType(
    {"resnet26": build_resnet26, "dense_resnet26": build_dense_resnet26}
)
WIDTH = 0.25  # of networks that are trained here, unless it is said
# Methods that are about depthwise and pointwise kernels.
_SEPARABLE_ONLY = ("pointwise_sharing", "depthwise_sharing")


def build_network(
    name, domains, size, width=None, dropout=0.0, depthwise="plain"
):
    """A fresh `MultiDomainModel` for square uint8-range images.

    Args:
        name: Key in `NETWORKS`.
        domains: `Domain` objects.
        size: Side of the images; `None` for any.
        width: Channel multiplier; default `WIDTH`.
        dropout: Rate before the classifiers.
        depthwise: Kind of the depthwise kernels, `"plain"` or `"do"`; for
            networks that have any.

    Raises:
        ValueError: If the name is unknown, or a value does not suit it.
    """
    options = {}
    if is_separable(name):
        options["depthwise"] = depthwise
    elif depthwise != "plain":
        raise ValueError(
            f"The network {name!r} has no depthwise kernels. "
            f"Received: depthwise={depthwise!r}"
        )
    if name in PRETRAINED:
        raise ValueError(
            f"The network {name!r} is trained already: add domains to it"
        )
    return NETWORKS[name](
        domains,
        input_shape=(size, size, 3),
        width=width or WIDTH,
        dropout=dropout,
        **options,
    )


def is_separable(name):
    """Whether a network's convolutions are depthwise and pointwise ones.

    Raises:
        ValueError: If the name is unknown.
    """
    if name in PRETRAINED:
        return True
    if name not in NETWORKS:
        raise ValueError(
            f"Unknown network: {name!r}. Known networks: "
            f"{', '.join((*NETWORKS, *PRETRAINED))}"
        )
    return "depthwise" in inspect.signature(NETWORKS[name]).parameters


def methods_for(name):
    """Names of the sharing methods that exist for a network.

    Raises:
        ValueError: If the name is unknown.
    """
    from keras_mdl.training import METHODS

    separable = is_separable(name)
    return tuple(m for m in METHODS if separable or m not in _SEPARABLE_ONLY)
