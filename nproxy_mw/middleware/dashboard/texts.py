"""Text of others on a page: made visible, and bounded by the bytes that it has there. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from markupsafe import escape

T = TypeVar("T")

MARKUP = 110
"""Bytes of the elements around one row of a table."""

_UNSEEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]"
)
"""Control and format characters: they have no picture, and some turn the text around them."""


def visible(text: str) -> str:
    """Returns *text* with each character that cannot be seen in the form ``\\u202e``."""
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def weight(text: str) -> int:
    """Returns how many bytes *text* has on a page, where one character may become six."""
    return len(escape(visible(text)).encode("utf-8", "replace"))


def short(text: str, most: int) -> str:
    """Returns *text* with at most *most* bytes on a page, and an ellipsis where it is cut."""
    if len(text) <= most and weight(text) <= most:
        return text
    kept = text[:most]
    while kept and weight(kept) > most - 3:
        kept = kept[: len(kept) * 3 // 4]
    return f"{kept}…"


def fitting(rows: Iterable[T], texts: Callable[[T], Iterable[str]], room: int) -> list[T]:
    """Returns as many of *rows*, from the first, as have *room* bytes on a page. *texts* are those that a row shows."""
    fits: list[T] = []
    for row in rows:
        room -= MARKUP + sum(map(weight, texts(row)))
        if room < 0:
            break
        fits.append(row)
    return fits
