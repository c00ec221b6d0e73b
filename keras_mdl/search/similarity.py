"""How much of their paths domains have in common."""

from collections.abc import Iterable, Mapping

from keras_mdl.search.space import SearchSpace


def jaccard(a: Iterable, b: Iterable) -> float:
    """Jaccard similarity of two paths: common blocks / all blocks of both.

    Args:
        a, b: Collections of hashable nodes, see `nodes`.

    Returns:
        From 0 (nothing in common) to 1 (the same path).
    """
    a, b = set(a), set(b)
    return len(a & b) / len(a | b) if a | b else 1.0


def nodes(space, choices, zeros=False):
    """The nodes of a path: its blocks, and if asked the zeros.

    Whether MPNAS counts zeros is not published: report both.
    """
    blocks = space.blocks(choices)
    found = {b.name for b in blocks}
    if zeros:
        there = {b.position for b in blocks}
        found |= {
            f"{name}_zero" for name in _optional(space) if name not in there
        }
    return found


def similarity(space: SearchSpace, paths: Mapping, zeros: bool = False) -> dict:
    """`{domain: {domain: Jaccard similarity}}` of paths.

    Args:
        space: `SearchSpace`.
        paths: `{domain: choices}`.
        zeros: Whether layers left out count.
    """
    found = {d: nodes(space, c, zeros) for d, c in paths.items()}
    return {a: {b: jaccard(found[a], found[b]) for b in found} for a in found}


def _optional(space):
    names = [f"stage{s}_layer{n}" for s, n in space.layers() if n > 1]
    return ["separable", *names] if space.separable_kernels else names
