"""Rows for a terminal: columns as wide as they need to be, two spaces between them."""

from __future__ import annotations

from collections.abc import Sequence


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints *rows* under *titles*. Control characters are shown as question marks."""
    plain = [[_plain(cell) for cell in row] for row in (titles, *rows)]
    widths = [max(map(len, column)) for column in zip(*plain, strict=True)]
    for row in plain:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _plain(cell: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in cell)
