"""Tables as plain text, for terminals and text files."""

from collections.abc import Sequence


def format_table(rows: Sequence[Sequence], align: str = "<>") -> str:
    """Rows as aligned columns, the first one underlined as the heading.

    Args:
        rows: Sequences of equal length, of strings or anything with `str`.
        align: `<` or `>` for each column; the last one repeats.

    Returns:
        Lines without trailing spaces, joined by newlines.

    Example:

    >>> print(format_table([["domain", "images"], ["dtd", 1880]]))
    domain  images
    --------------
    dtd       1880
    """
    align = align.ljust(len(rows[0]), align[-1])
    widths = [
        max(len(str(cell)) for cell in column)
        for column in zip(*rows, strict=True)
    ]
    lines = [
        "  ".join(
            f"{c!s:{a}{w}}" for c, a, w in zip(row, align, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)
