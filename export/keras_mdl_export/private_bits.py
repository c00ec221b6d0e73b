"""`PrivateBits`: how finely a domain's own numbers are stored."""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class PrivateBits:
    """How many values the private numbers of a file may take.

    The containers stay what they are (int8, float32), so every runtime reads
    them; numbers that take few values are what compression makes small. The
    trunk is not touched.

    Attributes:
        name: Key in `LADDER`, or any other.
        kernels: Integers of the private convolution and dense kernels, from
            `-kernels` to `kernels` in each output channel: 127 is int8 as it
            is, 7 are 4 bits. Kernels of fewer than 4096 numbers keep 127.
        depthwise: The same of depthwise kernels. In mode `dyn_conv` they are
            stored in half precision where it is `None`, else as int8 with a
            scale per channel, and compute in float32 either way.
        mantissa: Bits of the mantissa of scales and biases; 23 is float32 as
            it is.
    """

    name: str = "own"
    kernels: int = 127
    depthwise: int | None = None
    mantissa: int = 23

    def __post_init__(self):
        for key, low, high, value in (
            ("kernels", 1, 127, self.kernels),
            ("depthwise", 1, 127, self.depthwise or 127),
            ("mantissa", 4, 23, self.mantissa),
        ):
            if type(value) is not int or not low <= value <= high:
                raise ValueError(
                    f"`{key}` of PrivateBits must be an integer from {low} to "
                    f"{high}. Received: {key}={value!r}"
                )


FULL = PrivateBits("full")
# From the finest to the coarsest.
LADDER = MappingProxyType(
    {
        bits.name: bits
        for bits in (
            FULL,
            PrivateBits("fine", 31, 127, 11),
            PrivateBits("medium", 15, 63, 10),
            PrivateBits("coarse", 7, 31, 9),
            PrivateBits("coarser", 5, 31, 8),
            PrivateBits("coarsest", 3, 15, 8),
        )
    }
)
AUTO = "auto"


def check_private(wanted, mode):
    """`PrivateBits`, or `AUTO`; in modes without int8 kernels `FULL`.

    Args:
        wanted: `PrivateBits`, a name in `LADDER`, or `AUTO`.
        mode: A `Mode`.

    Raises:
        ValueError: For unknown names, or coarser numbers in a mode that
            stores none as integers.
    """
    if isinstance(wanted, str) and wanted in LADDER:
        wanted = LADDER[wanted]
    if not isinstance(wanted, PrivateBits) and wanted != AUTO:
        raise ValueError(
            f"`private_bits` must be {AUTO}, {', '.join(LADDER)} or a "
            f"PrivateBits. Received: private_bits={wanted!r}"
        )
    if mode.kernels == "int8":
        return wanted
    if wanted in (AUTO, FULL):
        return FULL
    raise ValueError(
        "Coarser private numbers need int8 kernels: mode 'dyn_conv' or "
        f"'int8'. Received: mode={mode.name!r}, private_bits={wanted.name!r}"
    )
