"""The modes of an export: how numbers are stored and computed."""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Mode:
    """How the networks of an export store and compute numbers.

    Attributes:
        name: Key in `MODES`.
        kernels: dtype of the stored kernels of convolutions and dense layers.
        note: What it is for.
        int8_activations: Whether activations are int8 too, by calibration.
        halves: Whether float kernels are stored in half precision.
        unfold: Whether BatchNorm stands beside the trunk's kernels instead
            of in them. Only so do float kernels stay those of the trunk; an
            int8 kernel keeps its bytes, and the factor goes into its scales.
        shares: Whether the domains' files share the trunk's bytes.
    """

    name: str
    kernels: str
    note: str
    int8_activations: bool = False
    halves: bool = False
    unfold: bool = False
    shares: bool = True


MODES = MappingProxyType(
    {
        mode.name: mode
        for mode in (
            Mode(
                "dyn_conv", "int8",
                "int8 convolution and dense kernels, float activations; "
                "depthwise kernels in half precision. Needs no calibration; "
                "the default.",
                halves=True,
            ),
            Mode(
                "int8", "int8",
                "int8 throughout, calibrated on images of each domain: for "
                "hardware that computes in nothing else.",
                int8_activations=True,
            ),
            Mode(
                "float16", "float16",
                "Kernels in half precision, shared; computes in float32.",
                halves=True,
                unfold=True,
            ),
            Mode(
                "float32", "float32",
                "Everything in float32, shared.",
                unfold=True,
            ),
            Mode(
                "float16_folded", "float16",
                "Half precision with BatchNorm folded: two operators less per "
                "layer, and nothing shared.",
                halves=True,
                shares=False,
            ),
            Mode(
                "float32_folded", "float32",
                "float32 with BatchNorm folded; nothing shared.",
                shares=False,
            ),
        )
    }
)  # fmt: skip


def get_mode(name):
    """The `Mode` of that name.

    Raises:
        ValueError: If there is none; the message lists those known.
    """
    if name not in MODES:
        raise ValueError(
            f"Unknown mode: {name!r}. Known modes: {', '.join(MODES)}"
        )
    return MODES[name]
