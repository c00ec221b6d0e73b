"""`SearchSpace`: what a path may look like, as a value with exact counts."""

import functools
import json
import math
from dataclasses import asdict, dataclass, replace

from keras_mdl.models.backbones.path_block import ACTIVATIONS, PathBlock

MULTIPLIERS = (0.5, 0.625, 0.75, 1.0, 1.25, 1.5, 2.0)
_BASE = (16, 16, 32, 64, 128, 256, 512, 1024)
_STRIDES = (2, 2, 2, 1, 2)
_LEAST_SIDE = 4  # of a feature map that is halved no more
SIDES = (16, 512)


@dataclass(frozen=True)
class Decision:
    """One choice of a path.

    Attributes:
        name: For example `"stage2_layer3_kernel"`.
        kind: `"op"` or `"filter"`: what its warm-up replaces it by.
        choices: The values.
        active_if: Name of the decision that must be on (index 1) for this
            one to matter, or `None`.
    """

    name: str
    kind: str
    choices: tuple
    active_if: str | None = None


@dataclass(frozen=True)
class SpaceStage:
    """Layers of one width; see `SearchSpace`."""

    widths: tuple
    strides: int
    activation: str
    layers: int = 4


@dataclass(frozen=True)
class SearchSpace:
    """The networks among which a search chooses a path for each domain.

    Stem (convolution with stride 2, then an optional residual separable
    convolution), stages of inverted residuals, head convolution, average,
    dense features; the classifier is each domain's. In a stage the first
    layer has the strides and no residual connection; each further layer is
    residual and may be left out ("zero"). Kernel, expansion and
    squeeze-and-excite are chosen for every layer, the output width once a
    stage. An expansion counts from the layer's actual input, rounded to a
    multiple of 8.

    Args:
        size: Side of the square images.
        stem_kernels, stem_widths: Of the first convolution.
        separable_kernels: Of the separable convolution; empty for none.
        stages: `SpaceStage`s.
        kernels, expansions, squeezes: Of every layer.
        head_widths, feature_widths: Of head convolution and dense features.

    Raises:
        ValueError: For a space without choices, or values that cannot be.

    Published of MPNAS is "MobileNetV3-like" with "dwbottleneck" and "zero"
    nodes; that this is TuNAS' space of that name is inferred. Source: TuNAS'
    code (google-research/tunas), `mobile_search_space_v3.py`. Whether the
    expansion of 1 keeps its 1x1 convolution there was not looked up: here it
    does.
    """

    size: int
    stem_kernels: tuple
    stem_widths: tuple
    separable_kernels: tuple
    stages: tuple
    kernels: tuple
    expansions: tuple
    squeezes: tuple
    head_widths: tuple
    feature_widths: tuple

    def __post_init__(self):
        low, high = SIDES
        if type(self.size) is not int or not low <= self.size <= high:
            raise ValueError(
                f"`size` must be a whole number from {low} to {high}. "
                f"Received: size={self.size!r}"
            )
        stages = tuple(
            SpaceStage(**s) if isinstance(s, dict) else s for s in self.stages
        )
        object.__setattr__(
            self,
            "stages",
            tuple(replace(s, widths=tuple(s.widths)) for s in stages),
        )
        for name in _NUMBERS:
            values = tuple(getattr(self, name))
            object.__setattr__(self, name, values)
            optional = name == "separable_kernels"
            _check(name, values, 1, odd="kernels" in name, empty=optional)
        object.__setattr__(self, "squeezes", tuple(self.squeezes))
        if not set(self.squeezes) <= {False, True} or not self.squeezes:
            raise ValueError(
                "`squeezes` must be one or both of false and true. "
                f"Received: squeezes={self.squeezes!r}"
            )
        if not stages:
            raise ValueError("`stages` must be one or more. Received: none")
        for stage in self.stages:
            _check("widths", stage.widths, 1)
            _check("layers", (stage.layers,), 1)
            if stage.strides not in (1, 2):
                raise ValueError(
                    f"`strides` must be 1 or 2. Received: {stage.strides!r}"
                )
            if stage.activation not in ACTIVATIONS:
                raise ValueError(
                    f"Unknown activation: {stage.activation!r}. Known: "
                    f"{', '.join(ACTIVATIONS)}"
                )
        if self.decision_count() == 1:
            raise ValueError(
                "The space holds one network alone: there is nothing to "
                "search. Give some decision more than one value"
            )

    @classmethod
    def mobilenet_v3(
        cls, size=224, width=1.0, stages=5, layers=4, multipliers=MULTIPLIERS,
        kernels=(3, 5, 7), expansions=(1, 2, 3, 4, 5, 6),
        squeezes=(False, True), head=1.0,
    ):  # fmt: skip
        """The MobileNetV3-like space of TuNAS, or a smaller one by one rule.

        All widths are `base * width * multiplier`, rounded half-up to a
        multiple of 8, at least 8, with the published base 16; 16, 32, 64,
        128, 256; 512; 1024 (stem; stages; head; features). Strides are the
        published ones (stem 2; 2, 2, 2, 1, 2) as long as 4 pixels or more
        are left, and 1 after that. ReLU in the stages with base width 16 and
        32, h-swish elsewhere.

        Args:
            size: Side of the images.
            width: Factor of all widths.
            stages: How many of the five stages, from the first on.
            layers: Of each stage.
            multipliers: Of each width; one for no choice of widths.
            kernels, expansions, squeezes: As `SearchSpace`.
            head: Factor of the widths of head and features besides `width`.
                They are most of the parameters of a small space, and every
                path has them.
        """
        if not 1 <= stages <= len(_STRIDES):
            raise ValueError(
                f"`stages` must be 1 to {len(_STRIDES)}. Received: {stages}"
            )

        def widths(base, more=1.0):
            numbers = [rounded(base * width * more * m) for m in multipliers]
            return tuple(dict.fromkeys(numbers))

        side, found = math.ceil(size / 2), []
        for base, strides in zip(_BASE[1:6], _STRIDES, strict=True):
            strides = strides if side >= strides * _LEAST_SIDE else 1
            side = math.ceil(side / strides)
            activation = "relu" if base <= 32 else "hard_silu"
            found.append(SpaceStage(widths(base), strides, activation, layers))
        stem_kernels = tuple(k for k in (3, 5) if k in kernels) or (3,)
        return cls(
            size=size,
            stem_kernels=stem_kernels,
            stem_widths=widths(_BASE[0]),
            separable_kernels=tuple(kernels),
            stages=tuple(found[:stages]),
            kernels=tuple(kernels),
            expansions=tuple(expansions),
            squeezes=tuple(squeezes),
            head_widths=widths(_BASE[6], head),
            feature_widths=widths(_BASE[7], head),
        )

    @functools.cached_property
    def decisions(self):
        """The `Decision`s, in order."""
        found = [
            Decision("stem_kernel", "op", self.stem_kernels),
            Decision("stem_width", "filter", self.stem_widths),
        ]
        if self.separable_kernels:
            found += [
                Decision("separable", "op", (False, True)),
                Decision("separable_kernel", "op", self.separable_kernels,
                         "separable"),
            ]  # fmt: skip
        for stage, layer in self.layers():
            name, keep = f"stage{stage}_layer{layer}", None
            if layer == 1:
                widths = self.stages[stage - 1].widths
                found.append(Decision(f"stage{stage}_width", "filter", widths))
            else:
                keep = name
                found.append(Decision(keep, "op", (False, True)))
            found += [
                Decision(f"{name}_kernel", "op", self.kernels, keep),
                Decision(f"{name}_expansion", "filter", self.expansions, keep),
                Decision(f"{name}_squeeze", "op", self.squeezes, keep),
            ]
        return (
            *found,
            Decision("head_width", "filter", self.head_widths),
            Decision("features_width", "filter", self.feature_widths),
        )

    def layers(self):
        """`(stage, layer)` of all layers, both from 1."""
        return [
            (s, n)
            for s, stage in enumerate(self.stages, 1)
            for n in range(1, stage.layers + 1)
        ]

    def decision_count(self):
        """How many combinations of all decisions there are: the figure that
        publications give (8.5e42 for the published space)."""
        return math.prod(len(d.choices) for d in self.decisions)

    def network_count(self):
        """How many different lists of decisions that matter there are: those
        inside a layer that is left out do not."""
        decisions = self.decisions
        inside = {}
        for d in decisions:
            if d.active_if:
                inside.setdefault(d.active_if, []).append(len(d.choices))
        return math.prod(
            1 + math.prod(inside[d.name]) if d.name in inside else
            len(d.choices)
            for d in decisions
            if d.active_if is None
        )  # fmt: skip

    def values(self, choices):
        """`{decision: value}` of a list of indices.

        Args:
            choices: An index for each decision.

        Raises:
            ValueError: For a wrong number of them, or an index out of range.
        """
        decisions = self.decisions
        fits = len(choices) == len(decisions)
        if not fits or not all(
            0 <= int(c) < len(d.choices)
            for c, d in zip(choices, decisions, strict=True)
        ):
            raise ValueError(
                "A path of this space is an index for each of its "
                f"{len(decisions)} decisions. Received: {list(choices)}"
            )
        return {
            d.name: d.choices[int(c)]
            for c, d in zip(choices, decisions, strict=True)
        }

    def active(self, choices):
        """For each decision, whether it matters, given the others."""
        values = self.values(choices)
        return tuple(
            d.active_if is None or bool(values[d.active_if])
            for d in self.decisions
        )

    def blocks(self, choices):
        """The path as `PathBlock`s, in order.

        Args:
            choices: An index for each decision.
        """
        v = self.values(choices)
        width = v["stem_width"]
        found = [
            PathBlock("convolution", "stem", 3, width, v["stem_kernel"], 2,
                      activation="hard_silu")
        ]  # fmt: skip
        if v.get("separable"):
            found.append(
                PathBlock("separable", "separable", width, width,
                          v["separable_kernel"], residual=True)
            )  # fmt: skip
        for stage, layer in self.layers():
            name, of = f"stage{stage}_layer{layer}", self.stages[stage - 1]
            if not v.get(name, True):
                continue
            expanded = rounded(width * v[f"{name}_expansion"])
            filters = v[f"stage{stage}_width"]
            found.append(
                PathBlock(
                    "bottleneck",
                    name,
                    width,
                    filters,
                    v[f"{name}_kernel"],
                    of.strides if layer == 1 else 1,
                    expanded,
                    squeezed(expanded) if v[f"{name}_squeeze"] else 0,
                    of.activation,
                    residual=layer > 1,
                )
            )
            width = filters
        head, features = v["head_width"], v["features_width"]
        return (
            *found,
            PathBlock("convolution", "head", width, head,
                      activation="hard_silu"),
            PathBlock("features", "features", head, features,
                      activation="hard_silu"),
        )  # fmt: skip

    def middle(self):
        """The path of the middle value everywhere: all layers there."""
        return tuple(
            1 if d.choices == (False, True) and "squeeze" not in d.name
            else (len(d.choices) - 1) // 2
            for d in self.decisions
        )  # fmt: skip

    def to_dict(self):
        """Plain values; the inverse of `SearchSpace(**values)`."""
        return json.loads(json.dumps(asdict(self)))

    def __str__(self):
        lines = [
            f"search space for {self.size} px: {len(self.decisions)} "
            f"decisions, {self.decision_count():.2g} combinations, "
            f"{self.network_count():.2g} different paths"
        ]
        lines += [
            f"  stem: kernel {_or(self.stem_kernels)}, stride 2, "
            f"{_or(self.stem_widths)} channels"
        ]
        if self.separable_kernels:
            kernels = _or(self.separable_kernels)
            lines.append(f"  separable: kernel {kernels}, or zero")
        lines += [
            f"  stage {i}: {s.layers} layers, stride {s.strides}, "
            f"{_or(s.widths)} channels, {s.activation}"
            for i, s in enumerate(self.stages, 1)
        ]
        return "\n".join(
            [
                *lines,
                f"  each layer: kernel {_or(self.kernels)}, expansion "
                f"{_or(self.expansions)}, squeeze-and-excite "
                f"{_or('yes' if s else 'no' for s in self.squeezes)}",
                f"  head: {_or(self.head_widths)} channels, then "
                f"{_or(self.feature_widths)} features",
            ]
        )


_NUMBERS = ("stem_kernels", "stem_widths", "separable_kernels", "kernels",
            "expansions", "head_widths", "feature_widths")  # fmt: skip


def rounded(width):
    """Half-up to a multiple of 8, at least 8."""
    return max(8, math.floor(width / 8 + 0.5) * 8)


def squeezed(expanded):
    """Channels inside squeeze-and-excite: a quarter, to a multiple of 8 that
    is not more than 10 % less."""
    quarter = expanded / 4
    found = rounded(quarter)
    return found if found >= 0.9 * quarter else found + 8


def _or(values):
    return "/".join(map(str, values))


def _check(name, values, low, odd=False, empty=False):
    whole = all(type(v) is int and v >= low for v in values)
    if (
        not whole
        or len(set(values)) < len(values)
        or not (values or empty)
        or (odd and not all(v % 2 for v in values))
    ):
        raise ValueError(
            f"`{name}` must be different whole numbers from {low} on"
            f"{', odd ones' * odd}, at least one. Received: {list(values)}"
        )
