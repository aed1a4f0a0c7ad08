"""Rows for a terminal: columns as wide as they need to be, two spaces between them."""

from __future__ import annotations

from collections.abc import Sequence


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints *rows* under *titles*. Control characters are shown as question marks."""
    cells = [[plain(cell) for cell in row] for row in (titles, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def plain(cell: str) -> str:
    """Text that a terminal takes for nothing but text."""
    return "".join(character if character.isprintable() else "?" for character in cell)
