"""Moments and durations."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.times import from_timestamp, from_timestamp_or_none, parse_duration, time_in, times_in, timestamp


@pytest.mark.parametrize("moment", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)])
def test_a_stored_moment_is_read_back_at_every_edge(moment):
    """A token may expire in 9999: what was stored is what is read."""
    assert from_timestamp(timestamp(moment)) == from_timestamp_or_none(timestamp(moment)) == moment


@pytest.mark.parametrize("text", ["2026-11-26T12:00:00", "2026-11-26", "", "soon"])
def test_a_stored_moment_has_its_zone(text):
    """Without one it would be compared with no other moment."""
    with pytest.raises(ValueError, match=r"zone|isoformat"):
        from_timestamp(text)


def test_no_moment_is_stored_as_none():
    """Older versions stored an empty text."""
    assert from_timestamp_or_none(None) is from_timestamp_or_none("") is None


@pytest.mark.parametrize("value", [None, 12, b"2026-11-26T12:00:00Z", {}, "soon", "2026-11-26T12:00:00"])
def test_what_names_no_moment(value):
    """Documents of others hold anything in the place of a time."""
    assert time_in(value) is None


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


SOME = st.datetimes(timezones=st.timezones() | st.none()).map(lambda moment: moment.isoformat())
WRITTEN = st.sampled_from(["2019-01-01T00:00:00.000Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "never", ""])


@given(st.dictionaries(st.text(max_size=3), WRITTEN | SOME, max_size=4))
def test_many_times_are_read_as_each_one(texts):
    """Also where one of them is none, has another zone, or lies at an edge of the calendar."""
    assert times_in(texts) == {key: time_in(text) for key, text in texts.items()}
