"""`PathBlock`: one building block of a path, and what it costs."""

import math
from dataclasses import asdict, dataclass
from typing import NamedTuple

KINDS = ("convolution", "separable", "bottleneck", "features")
ACTIVATIONS = ("relu", "hard_silu")  # `hard_silu` is what papers call h-swish


class Step(NamedTuple):
    """One convolution of a block.

    Attributes:
        role: `"conv"`, `"expand"`, `"spatial"`, `"squeeze"`, `"excite"`,
            `"project"` or `"dense"`: end of the layer's name.
        kind: `"convolution"`, `"depthwise"`, `"pooled"` (a 1x1 convolution
            of the average over the image, with bias) or `"dense"`.
        kernel_size, strides, inputs, filters: Its shape.
        activation: After it, behind its norm if it has one; or `None`.
    """

    role: str
    kind: str
    kernel_size: int
    strides: int
    inputs: int
    filters: int
    activation: str | None

    @property
    def normalized(self):
        """Whether a batch norm follows, in place of a bias."""
        return self.kind in ("convolution", "depthwise")

    @property
    def kernel_numbers(self):
        """Numbers of its kernel."""
        inputs = 1 if self.kind == "depthwise" else self.inputs
        return self.kernel_size**2 * inputs * self.filters


@dataclass(frozen=True)
class PathBlock:
    """One block: equal blocks of several domains are one.

    - `convolution`: `k x k` convolution, norm, activation.
    - `separable`: depthwise `k x k`, norm, activation, 1x1, norm.
    - `bottleneck`: 1x1 expansion, norm, activation, depthwise `k x k` (with
      the strides), norm, activation, squeeze-and-excite if `squeezed`, 1x1
      projection, norm.
    - `features`: average over the image, dense with bias, activation.

    Args:
        kind: One of these.
        position: Where in the network: letters, digits and `_`.
        inputs: Channels that it takes.
        filters: Channels that it gives.
        kernel_size: Of its spatial convolution.
        strides: Likewise.
        expanded: Channels inside a bottleneck.
        squeezed: Channels inside its squeeze-and-excite; 0 for none.
        activation: One of `ACTIVATIONS`.
        residual: Whether its input is added to its output.

    Raises:
        ValueError: For values that no block can have.

    Reference: TuNAS' code (google-research/tunas, the MobileNetV3-like
    space). That MPNAS' blocks are these is inferred.
    """

    kind: str
    position: str
    inputs: int
    filters: int
    kernel_size: int = 1
    strides: int = 1
    expanded: int = 0
    squeezed: int = 0
    activation: str = "relu"
    residual: bool = False

    def __post_init__(self):
        numbers = (self.inputs, self.filters, self.kernel_size, self.strides)
        fits = self.kind in KINDS and self.activation in ACTIVATIONS
        fits = fits and str(self.position).isidentifier()
        fits = fits and all(type(n) is int and n > 0 for n in numbers)
        fits = fits and (self.expanded > 0) == (self.kind == "bottleneck")
        if self.residual:
            fits = fits and (self.inputs, self.strides) == (self.filters, 1)
        if not fits:
            raise ValueError(
                f"No such block. Known kinds: {', '.join(KINDS)}; activations: "
                f"{', '.join(ACTIVATIONS)}; a bottleneck has `expanded` "
                "channels; a residual block keeps channels and size. "
                f"Received: {asdict(self)}"
            )

    @property
    def name(self):
        """Begin of its layers' names; other blocks have other names."""
        found = f"{self.position}_k{self.kernel_size}"
        if self.expanded:
            found += f"_x{self.expanded}"
        if self.squeezed:
            found += f"_se{self.squeezed}"
        return f"{found}_i{self.inputs}_o{self.filters}"

    @property
    def steps(self):
        """Its `Step`s, in order."""
        k, s, act = self.kernel_size, self.strides, self.activation
        i, o, e, q = self.inputs, self.filters, self.expanded, self.squeezed
        if self.kind == "convolution":
            return (Step("conv", "convolution", k, s, i, o, act),)
        if self.kind == "features":
            return (Step("dense", "dense", 1, 1, i, o, act),)
        if self.kind == "separable":
            return (
                Step("spatial", "depthwise", k, s, i, i, act),
                Step("project", "convolution", 1, 1, i, o, None),
            )
        excite = (
            Step("squeeze", "pooled", 1, 1, e, q, "relu"),
            Step("excite", "pooled", 1, 1, q, e, "sigmoid"),
        )
        return (
            Step("expand", "convolution", 1, 1, i, e, act),
            Step("spatial", "depthwise", k, s, e, e, act),
            *(excite if q else ()),
            Step("project", "convolution", 1, 1, e, o, None),
        )

    def to_config(self):
        """Plain values; the inverse of `PathBlock(**config)`."""
        return asdict(self)

    @property
    def kernels(self):
        """Trainable numbers that a shared block stores once: kernels and the
        biases of what has no norm."""
        return sum(
            s.kernel_numbers + (0 if s.normalized else s.filters)
            for s in self.steps
        )

    @property
    def norms(self):
        """Trainable numbers of its norms, which each domain has of its own."""
        return 2 * sum(s.filters for s in self.steps if s.normalized)

    @property
    def exported_bytes(self):
        """About what its kernels take in an exported file of `dyn_conv`: a
        byte for each number, and `own_bytes`."""
        return self.own_bytes + sum(s.kernel_numbers for s in self.steps)

    @property
    def own_bytes(self):
        """What each domain stores of a shared block: 16 bytes for a channel
        (scale, zero point and bias of the int8 format)."""
        return 16 * sum(s.filters for s in self.steps)


def path_macs(blocks, size):
    """Multiply-accumulates of one image, without the classifier.

    Args:
        blocks: `PathBlock`s in order.
        size: Side of the square images.
    """
    total = 0
    for block in blocks:
        for step in block.steps:
            size = math.ceil(size / step.strides)
            positions = 1 if step.kind in ("pooled", "dense") else size**2
            total += positions * step.kernel_numbers
    return total
