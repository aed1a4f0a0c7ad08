"""Moments and durations."""

from datetime import timedelta

import pytest

from nproxy_mw.times import parse_duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("0s", timedelta()),
        ("45s", timedelta(seconds=45)),
        ("90m", timedelta(minutes=90)),
        ("12h", timedelta(hours=12)),
        ("30d", timedelta(days=30)),
        ("99999d", timedelta(days=99999)),
        ("007d", timedelta(days=7)),
    ],
)
def test_duration_is_a_number_and_a_unit(text, duration):
    """Seconds, minutes, hours or days."""
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text", ["", "5", "d", "-1d", "+1d", "1w", "1D", "1.5h", "100000d", "²d", "1 d", " 1d", "1d\n"]
)
def test_other_text_is_no_duration(text):
    """Nothing is guessed, and the sentence shows the form."""
    with pytest.raises(ValueError, match="such as 90s, 30m, 12h or 7d"):
        parse_duration(text)
