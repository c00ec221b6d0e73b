"""Which bytes of the trunk a domain's file shares, and why not the others."""

from dataclasses import dataclass

import numpy as np

from keras_mdl_export.flatbuffer import code_of, constant_of, data_of, schema
from keras_mdl_export.trunk import channels_first

_AXIS = {  # of the output channels
    schema.BuiltinOperator.CONV_2D: 0,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D: 3,
    schema.BuiltinOperator.FULLY_CONNECTED: 0,
}


class SharingError(RuntimeError):
    """A domain shares less of the trunk than was promised."""


@dataclass(frozen=True)
class Sharing:
    """What of the trunk one domain's file shares, byte for byte.

    Attributes:
        domain: Name of the domain.
        shared_bytes: Of kernels that are in the file as they are in the trunk.
        trunk_bytes: Of all kernels of the trunk.
        unshared: `{layer: reason}` of the others.
    """

    domain: str
    shared_bytes: int
    trunk_bytes: int
    unshared: dict

    @property
    def fraction(self):
        """Shared bytes as a part of the trunk's."""
        return self.shared_bytes / self.trunk_bytes if self.trunk_bytes else 1.0

    def to_dict(self):
        """Plain values for JSON."""
        return {
            "shared_bytes": self.shared_bytes,
            "trunk_bytes": self.trunk_bytes,
            "fraction": round(self.fraction, 6),
            "unshared": dict(self.unshared),
        }


def sharing_of(domain, model, stored, adapter=None):
    """Looks each of the trunk's kernels up in a file, by its bytes.

    Args:
        domain: Name of the domain.
        model: Its file as a `schema.ModelT`.
        stored: `{layer: kernel}` of the trunk, in the dtype of the files.
        adapter: Kind of the domain's adapter, if it has one.

    Returns:
        A `Sharing`.
    """
    found, there = _kernels(model)
    unshared, shared = {}, 0
    for layer, kernel in stored.items():
        if kernel.tobytes() in there:
            shared += kernel.nbytes
        else:
            unshared[layer] = (
                f"its adapter ({adapter}) gives the domain a kernel of its own"
                if adapter
                else _reason(channels_first(layer, kernel), found)
            )
    total = sum(k.nbytes for k in stored.values())
    return Sharing(domain, shared, total, unshared)


def require_sharing(found, min_shared):
    """Refuses domains that share less than a part of the trunk.

    Raises:
        SharingError: With the layers and reasons.
    """
    short = [s for s in found if s.fraction < min_shared]
    if not short:
        return
    lines = []
    for s in short:
        lines.append(
            f"{s.domain}: {s.shared_bytes:,} of {s.trunk_bytes:,} bytes "
            f"({100 * s.fraction:.1f} %)"
        )
        lines += [f"  {layer}: {why}" for layer, why in s.unshared.items()]
    raise SharingError(
        "Too little of the trunk is shared. Expected at least "
        f"{100 * min_shared:.1f} % for each domain (`min_shared`), received:\n"
        + "\n".join(lines)
    )


def _kernels(model):
    """Constant kernels of convolutions and dense layers: rows, and bytes."""
    found, there = [], set()
    for graph in model.subgraphs:
        for op in graph.operators:
            axis = _AXIS.get(code_of(model, op))
            if axis is not None:
                tensor = constant_of(model, graph, int(op.inputs[1]))
                data = data_of(model, tensor)
                if data is not None:
                    there.add(data.tobytes())
                    moved = np.moveaxis(data, axis, 0)
                    found.append(moved.reshape(len(moved), -1))
    return found, there


def _reason(rows, found):
    """Why a kernel is not among `found`, by the one most like it."""
    like = [k for k in found if k.shape == rows.shape and k.dtype == rows.dtype]
    if not like:
        return (
            "no kernel of this shape and dtype in the file: the converter "
            "stores small kernels otherwise"
        )

    def equal_rows(other, sign=1):
        return (sign * other.astype(np.float32) == rows).all(1)

    # Up to its sign, which a negative gamma turns around.
    best = max(like, key=lambda k: (equal_rows(k) | equal_rows(k, -1)).sum())
    same, turned = equal_rows(best), equal_rows(best, -1)
    zero = ~best.any(1)
    negative = turned & ~same
    gone = zero & ~same & ~negative
    rest = ~(same | negative | gone)
    parts = []
    for mask, what in (
        (negative, "negative BatchNorm gamma (train with `gamma_floor`)"),
        (gone, "BatchNorm gamma too near zero"),
    ):
        if mask.any():
            parts.append(f"{mask.sum()} of {len(rows)} channels have {what}")
    if rest.all():
        parts = ["the domain has a kernel of its own here"]
    elif rest.any():
        count = int((best != rows)[rest].sum())
        parts.append(f"rounded otherwise in {count} numbers")
    return "; ".join(parts)
