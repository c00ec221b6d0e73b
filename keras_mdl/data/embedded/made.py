"""What the makers of embedded domains return."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Made:
    """An embedded domain before it becomes a `DomainData`.

    Args:
        splits: Mapping from split names to `(images, labels)`.
        classes: Class names in label order.
        flip: Whether images may be mirrored left to right.
        provenance: Library, licence and rule of the split, in one sentence
            or two.
    """

    splits: dict
    classes: tuple
    flip: bool
    provenance: str
