"""Networks that the commands can build, by name."""

from types import MappingProxyType

from keras_mdl.models import build_resnet26

NETWORKS = MappingProxyType({"resnet26": build_resnet26})


def build_network(name, domains, size, width, dropout=0.0, depthwise="plain"):
    """A fresh `MultiDomainModel` for square uint8-range images.

    Args:
        name: Key in `NETWORKS`.
        domains: `Domain` objects.
        size: Side of the images.
        width: Channel multiplier.
        dropout: Rate before the classifiers.
        depthwise: Kind of the depthwise kernels, `"plain"` or `"do"`.

    Raises:
        ValueError: If the name is unknown, or a value does not suit it.
    """
    if name not in NETWORKS:
        raise ValueError(
            f"Unknown network: {name!r}. Known networks: {', '.join(NETWORKS)}"
        )
    return NETWORKS[name](
        domains,
        input_shape=(size, size, 3),
        width=width,
        dropout=dropout,
        depthwise=depthwise,
    )
