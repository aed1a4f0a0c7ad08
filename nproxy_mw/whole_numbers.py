"""Whole numbers that clients and people write: decimal digits, and few enough of them."""

from __future__ import annotations


def whole_number(text: str, digits: int) -> int | None:
    """Returns the number that *text* writes in at most so many *digits*; None when it writes anything else.

    `str.isdigit` alone takes digits of every script and superscripts, and `int` spaces, signs and underscores.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None
