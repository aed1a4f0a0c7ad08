"""Whole numbers as clients write them."""

from __future__ import annotations

import pytest

from nproxy_mw.whole_numbers import whole_number


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("7", 7), ("007", 7), ("999", 999)])
def test_few_digits_are_a_number(text: str, number: int) -> None:
    """Leading zeros change nothing."""
    assert whole_number(text, digits=3) == number


@pytest.mark.parametrize(
    "text", ["", "1000", "-1", "+1", " 1", "1 ", "1\n", "1_0", "0x1", "1.0", "1e1", "²", "٣", "one"]
)
def test_anything_else_is_none(text: str) -> None:
    """What `int` takes beside digits, and `str.isdigit` beside those of ASCII, and more digits than are allowed."""
    assert whole_number(text, digits=3) is None
