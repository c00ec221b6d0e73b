"""What is shared and what each domain costs, counted on the real network."""

import math
from dataclasses import dataclass

import keras

from keras_mdl.tables import format_table


@dataclass(frozen=True)
class Row:
    """One line of a `DomainSummary`.

    Attributes:
        owner: `"trunk"` or a domain's name.
        parameters: Trainable parameters, the head included.
        head: Trainable parameters of the head alone.
        statistics: BatchNorm means and variances, and copies of other
            domains' kernels in gated layers (stored, not trained).
        macs: Multiply-accumulates of one image through the whole network of
            the domain; 0 for the trunk row, `None` where it is unknown (open
            image size, or a layer of a kind that is not known here).
        bytes: Memory of parameters and statistics.
    """

    owner: str
    parameters: int
    head: int
    statistics: int
    macs: int | None
    bytes: int


@dataclass(frozen=True)
class DomainSummary:
    """Rows for the trunk and every domain; `print` shows a table."""

    rows: tuple

    def to_dicts(self):
        """The rows as plain dicts."""
        return [vars(row) for row in self.rows]

    def __str__(self):
        heading = (
            "",
            "parameters",
            "of which head",
            "statistics",
            "MACs",
            "KiB",
        )
        table = [heading]
        for r in self.rows:
            macs = "unknown" if r.macs is None else f"{r.macs / 1e6:,.1f} M"
            table.append(
                (
                    r.owner,
                    f"{r.parameters:,}",
                    f"{r.head:,}",
                    f"{r.statistics:,}",
                    "" if r.owner == "trunk" else macs,
                    f"{r.bytes / 1024:,.0f}",
                )
            )
        table.append(
            (
                "total",
                f"{sum(r.parameters for r in self.rows):,}",
                f"{sum(r.head for r in self.rows):,}",
                f"{sum(r.statistics for r in self.rows):,}",
                "",
                f"{sum(r.bytes for r in self.rows) / 1024:,.0f}",
            )
        )
        return format_table(table)


def summarize(model):
    """The rows of `model.summary_by_domain()`."""
    parameters = model._mdl.parameters
    variables = model.variables_by_path()
    rows = []
    for domain in (None, *model.domains):
        owner = domain or "trunk"
        prefix = f"domains/{domain}/" if domain else "trunk/"
        own = {p: v for p, v in variables.items() if p.startswith(prefix)}
        sizes = {p: math.prod(v.shape) for p, v in own.items()}
        rows.append(
            Row(
                owner=owner,
                parameters=sum(n for p, n in sizes.items() if p in parameters),
                head=sum(
                    n
                    for p, n in sizes.items()
                    if p.startswith(prefix + "head/")
                ),
                statistics=sum(
                    n for p, n in sizes.items() if p not in parameters
                ),
                macs=model._mdl.macs[domain][0] if domain else 0,
                bytes=sum(
                    n * number_bytes(own[p].dtype) for p, n in sizes.items()
                ),
            )
        )
    return tuple(rows)


def number_bytes(dtype):
    """Bytes of one number of a floating-point type."""
    return {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}[
        keras.backend.standardize_dtype(dtype)
    ]
