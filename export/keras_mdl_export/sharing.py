"""Which bytes of the trunk a domain's file shares, and why not the others."""

from dataclasses import dataclass

import numpy as np

from keras_mdl_export.flatbuffer import code_of, constant_of, data_of, schema

_WITH_KERNEL = (
    schema.BuiltinOperator.CONV_2D,
    schema.BuiltinOperator.FULLY_CONNECTED,
)


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
    found = _kernels(model)
    there = {k.tobytes() for k in found}
    unshared, shared = {}, 0
    for layer, kernel in stored.items():
        if kernel.tobytes() in there:
            shared += kernel.nbytes
        else:
            unshared[layer] = (
                f"its adapter ({adapter}) gives the domain a kernel of its own"
                if adapter
                else _reason(kernel, found)
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
    """Constant kernels of a file's convolutions and dense layers."""
    found = []
    for graph in model.subgraphs:
        for op in graph.operators:
            if code_of(model, op) in _WITH_KERNEL:
                tensor = constant_of(model, graph, int(op.inputs[1]))
                data = data_of(model, tensor)
                if data is not None:
                    found.append(data.reshape(len(data), -1))
    return found


def _reason(kernel, found):
    """Why a kernel is not among `found`, by the one most like it."""
    rows = kernel.reshape(len(kernel), -1)
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
