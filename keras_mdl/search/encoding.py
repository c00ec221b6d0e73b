"""Paths as numbers that a `SuperNetwork` takes."""

from typing import NamedTuple

import numpy as np

from keras_mdl.search.space import rounded, squeezed

COLUMNS = ("kernel", "expanded", "squeeze", "squeezed", "filters", "keep",
           "existing")  # fmt: skip


class Position(NamedTuple):
    """A place of the network, at its widest; see `PathBlock`."""

    name: str
    kind: str
    kernels: tuple
    inputs: int
    filters: int
    strides: int
    expanded: int
    squeezed: int
    activation: str
    optional: bool


def positions(space):
    """The `Position`s of a space, in order."""
    width = max(space.stem_widths)
    found = [
        Position("stem", "convolution", space.stem_kernels, 3, width, 2, 0, 0,
                 "hard_silu", False)
    ]  # fmt: skip
    if space.separable_kernels:
        found.append(
            Position("separable", "separable", space.separable_kernels, width,
                     width, 1, 0, 0, "relu", True)
        )  # fmt: skip
    for stage, layer in space.layers():
        of = space.stages[stage - 1]
        expanded = rounded(width * max(space.expansions))
        filters = max(of.widths)
        found.append(
            Position(
                f"stage{stage}_layer{layer}",
                "bottleneck",
                space.kernels,
                width,
                filters,
                of.strides if layer == 1 else 1,
                expanded,
                squeezed(expanded) if True in space.squeezes else 0,
                of.activation,
                layer > 1,
            )
        )
        width = filters
    head, features = max(space.head_widths), max(space.feature_widths)
    end = (1, 0, 0, "hard_silu", False)
    return [
        *found,
        Position("head", "convolution", (1,), width, head, *end),
        Position("features", "features", (1,), head, features, *end),
    ]


def place_of(block):
    """An existing `PathBlock` as the `Position` that it alone fills."""
    return Position(
        block.name, block.kind, (block.kernel_size,), block.inputs,
        block.filters, block.strides, block.expanded, block.squeezed,
        block.activation, False,
    )  # fmt: skip


def encode(space, choices, relaxed=(), existing=()):
    """A path as an array `(positions, len(COLUMNS))`, float32.

    Args:
        space: `SearchSpace`.
        choices: An index for each decision.
        relaxed: Names of decisions in their warm-up: operations are replaced
            by the mean of all candidates' outputs, widths by the largest.
        existing: `PathBlock`s that are there already. Where the path has one
            of them, it is used as it is, unless something is relaxed.
    """
    decisions = {d.name: d for d in space.decisions}
    values = space.values(choices)
    for name in relaxed:
        if decisions[name].kind == "filter":
            values[name] = max(decisions[name].choices)

    def kernel(name):
        if name in relaxed:
            return len(decisions[name].choices)
        return decisions[name].choices.index(values[name])

    def share(name, choices=(False, True)):
        if name in relaxed:
            return sum(choices) / len(choices)
        return float(values.get(name, True))

    width, rows = values["stem_width"], []
    rows.append([kernel("stem_kernel"), 0, 0, 0, width, 1])
    if space.separable_kernels:
        rows.append(
            [kernel("separable_kernel"), 0, 0, 0, width, share("separable")]
        )
    for stage, layer in space.layers():
        name = f"stage{stage}_layer{layer}"
        expanded = rounded(width * values[f"{name}_expansion"])
        width = values[f"stage{stage}_width"]
        rows.append(
            [
                kernel(f"{name}_kernel"),
                expanded,
                share(f"{name}_squeeze", space.squeezes),
                squeezed(expanded),
                width,
                share(name) if layer > 1 else 1,
            ]
        )
    rows.append([0, 0, 0, 0, values["head_width"], 1])
    rows.append([0, 0, 0, 0, values["features_width"], 1])
    found = np.zeros((len(rows), len(COLUMNS)), np.float32)
    found[:, :-1] = rows
    if existing and not relaxed:
        path = {b.position: b for b in space.blocks(choices)}
        for row, position in zip(found, positions(space), strict=True):
            there = [b for b in existing if b.position == position.name]
            if path.get(position.name) in there:
                row[-1] = 1 + there.index(path[position.name])
    return found
