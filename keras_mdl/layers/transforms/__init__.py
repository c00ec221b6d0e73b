"""What a domain does to a kernel: one family, one contract, one table.

To add a method: a file with a subclass of `KernelTransform`, and a line in
`TRANSFORMS`.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from keras_mdl.layers.transforms.base import Branch, KernelTransform
from keras_mdl.layers.transforms.masked import PiggybackMask
from keras_mdl.layers.transforms.mixed import MixedKernels
from keras_mdl.layers.transforms.over_parameterised import OverParameterised
from keras_mdl.layers.transforms.own import OwnKernel
from keras_mdl.layers.transforms.recombined import DANController
from keras_mdl.layers.transforms.residual import ParallelAdapter, SerialAdapter

# Kind: the class, and its options.
TRANSFORMS = MappingProxyType(
    {
        "do": (OverParameterised, {}),
        "mixed": (MixedKernels, {}),  # its sources come from `with_gate`
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
# Those that adapt the trunk's kernels.
ADAPTERS = tuple(k for k, (t, _) in TRANSFORMS.items() if "shared" in t.kernels)
# Names of variables that weight decay leaves alone.
UNDECAYED = frozenset(n for t, _ in TRANSFORMS.values() for n in t.undecayed)


def as_kinds(
    transforms: Sequence[str] | Mapping[str, dict] | str | None,
) -> dict[str, dict]:
    """`{kind: options}` of one kind, several, or such a dict.

    Raises:
        ValueError: For an unknown kind.
    """
    if isinstance(transforms, str):
        transforms = [transforms]
    kinds = {
        kind: dict(transforms[kind]) if isinstance(transforms, dict) else {}
        for kind in transforms or ()
    }
    for kind in kinds:
        if kind not in TRANSFORMS:
            raise ValueError(
                f"Unknown transform: {kind!r}. Known transforms: "
                f"{', '.join(TRANSFORMS)}"
            )
    return kinds


__all__ = [
    "ADAPTERS",
    "TRANSFORMS",
    "UNDECAYED",
    "Branch",
    "DANController",
    "KernelTransform",
    "MixedKernels",
    "OverParameterised",
    "OwnKernel",
    "ParallelAdapter",
    "PiggybackMask",
    "SerialAdapter",
    "as_kinds",
]
