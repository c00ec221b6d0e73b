"""Adapters: the ways to change a shared convolution for one domain, by name.

To add one: a file with a subclass of `Adapter`, and a line in `ADAPTERS`.
"""

from types import MappingProxyType

from keras_mdl.domains import require_domain
from keras_mdl.layers.adapters.base import Adapter
from keras_mdl.layers.adapters.dan import DANController
from keras_mdl.layers.adapters.own import OwnKernel
from keras_mdl.layers.adapters.piggyback import (
    MaskedDepthwiseConv2D,
    PiggybackMask,
)
from keras_mdl.layers.adapters.residual import ParallelAdapter, SerialAdapter

# Kind: the class, and its options.
ADAPTERS = MappingProxyType(
    {
        "serial": (SerialAdapter, {}),
        "parallel": (ParallelAdapter, {}),
        "dan_linear": (DANController, {"form": "linear"}),
        "dan_diagonal": (DANController, {"form": "diagonal"}),
        "dan_low_rank": (DANController, {"form": "low_rank"}),
        "piggyback": (PiggybackMask, {}),
        "piggyback_ternary": (PiggybackMask, {"ternary": True}),
        "own": (OwnKernel, {}),
        "folded": (OwnKernel, {"use_bias": True}),
    }
)


def adapters_by_domain(adapters, depthwise):
    """`{domain: kind}` of the domains with adapters.

    Args:
        adapters: `{domain: kind}`.
        depthwise: `{domain: kind of depthwise kernels}` of all domains.

    Raises:
        ValueError: For an unknown kind or domain, or an over-parameterised
            domain with adapters.
    """
    found = {d: kind for d, kind in dict(adapters or {}).items() if kind}
    for domain, kind in found.items():
        require_domain(domain, depthwise)
        if kind not in ADAPTERS:
            raise ValueError(
                f"Unknown adapter: {kind!r}. Known adapters: "
                f"{', '.join(ADAPTERS)}"
            )
        if depthwise[domain] != "plain":
            raise ValueError(
                "A domain with adapters keeps its depthwise kernels as they "
                "are. Received: "
                f"adapters[{domain!r}]={kind!r}, "
                f"depthwise[{domain!r}]={depthwise[domain]!r}"
            )
    return found


__all__ = [
    "ADAPTERS",
    "Adapter",
    "DANController",
    "MaskedDepthwiseConv2D",
    "OwnKernel",
    "ParallelAdapter",
    "PiggybackMask",
    "SerialAdapter",
    "adapters_by_domain",
]
