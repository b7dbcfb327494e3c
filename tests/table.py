"""Tables of plain text, for a person to read and a diff to compare."""

from collections.abc import Sequence
from itertools import pairwise


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A line the head and each row, the first column to the left, the others to the right; no blanks at the end."""
    widths = _widths(head, rows)
    return ["  ".join(_cells(row, widths)).rstrip() for row in [head, *rows]]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The same as a table of Markdown, readable as it is."""
    widths = [max(width, 3) for width in _widths(head, rows)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [_cells(head, widths), rule, *(_cells(row, widths) for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def _widths(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    if any(len(left) != len(right) for left, right in pairwise([head, *rows])):
        raise ValueError("rows of different lengths")
    return [max(map(len, column)) for column in zip(head, *rows, strict=True)]


def _cells(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [row[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))]
