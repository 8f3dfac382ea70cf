"""Rows of cells as aligned plain text."""

from collections.abc import Sequence


def result_text_table(rows: Sequence[Sequence[str]], *, numbers: bool = False) -> str:
    """Return the rows as lines whose columns begin together; with `numbers` all but the first column end together."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if numbers and column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
