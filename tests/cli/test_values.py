"""What the text of an option means."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.cli.values import decimal, duration, one_of, positive_duration, scope, switch, whole


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("12h", timedelta(hours=12)),
        ("7d", timedelta(days=7)),
        ("0s", timedelta(0)),
        ("99999d", timedelta(days=99999)),
    ],
)
def test_duration(text, time):
    """A number and one of four units."""
    assert duration(text) == time


@pytest.mark.parametrize("text", ["", "1", "h", "-1h", "1w", "1.5h", "١h", "100000d", "1 d", "1H", "1h\n"])
def test_duration_that_is_none(text):
    """Everything else is refused with the forms that are meant."""
    with pytest.raises(ValueError, match=r"\Ais not a duration such as 90s, 30m, 12h or 7d\Z"):
        duration(text)


def test_expiry_lies_ahead():
    """Where no time at all makes no sense."""
    assert positive_duration("1m") == timedelta(minutes=1)
    with pytest.raises(ValueError, match="is not a time from now"):
        positive_duration("0d")


@given(st.integers(0, 16))
def test_whole_numbers_in_range_are_read(number):
    """From the lowest to the highest, both included."""
    assert whole(0, 16)(str(number)) == number


@pytest.mark.parametrize("text", ["-1", "17", "x", "1.5", "", "²", "1_0", " 1", "9" * 30])
def test_whole_number_out_of_range(text):
    """The sentence says what the range is."""
    with pytest.raises(ValueError, match=r"\Ais not a whole number from 0 to 16\Z"):
        whole(0, 16)(text)


@pytest.mark.parametrize("text", ["nan", "inf", "-0.1", "5.1", "x", ""])
def test_decimal_out_of_range(text):
    """What is no number is out of every range."""
    assert decimal(0, 5)("0.25") == 0.25
    with pytest.raises(ValueError, match=r"\Ais not a number from 0 to 5\Z"):
        decimal(0, 5)(text)


@pytest.mark.parametrize(("text", "value"), [("1", True), ("TRUE", True), ("on", True), ("0", False), ("No", False)])
def test_switch(text, value):
    """As people write it."""
    assert switch(text) is value


@pytest.mark.parametrize("text", ["acme", "@", "@ACME", "@acme/utils", "@.x", "", "@a b", "@acme."])
def test_scope_that_is_none_is_refused(text):
    """With the form that is meant."""
    assert scope("@acme") == "@acme"
    with pytest.raises(ValueError, match="one looks like @acme"):
        scope(text)


def test_one_of():
    """The sentence lists all."""
    assert one_of("a", "b", "c")("b") == "b"
    with pytest.raises(ValueError, match=r"\Ais not a, b or c\Z"):
        one_of("a", "b", "c")("d")
