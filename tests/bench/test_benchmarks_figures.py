"""The arithmetic of measurements, and how numbers are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.figures import FIGURES, advantage, percentile, short, spread

NUMBERS = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=50)


@given(NUMBERS)
def test_a_spread_lies_between_its_ends(values):
    """The median is neither below the smallest nor above the largest value."""
    found = spread(values)
    assert (found.low, found.high, found.rounds) == (min(values), max(values), len(values))
    assert found.low <= found.median <= found.high


def test_no_values_have_no_spread():
    """A measure without a value must not look like zero."""
    with pytest.raises(ValueError, match="at least one"):
        spread([])


@pytest.mark.parametrize(
    ("percent", "wanted"),
    [(0, 1), (1, 1), (50, 5), (51, 6), (90, 9), (99, 10), (100, 10)],
)
def test_percentiles_are_values_that_were_measured(percent, wanted):
    """The nearest-rank method interpolates nothing."""
    assert percentile([10, 3, 1, 2, 9, 8, 7, 6, 5, 4], percent) == wanted


@given(NUMBERS, st.floats(0, 100))
def test_a_percentile_covers_its_part(values, percent):
    """At least that part of the values is not larger."""
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) >= len(values) * percent / 100 - 1e-6


@pytest.mark.parametrize("percent", [-1, 101])
def test_other_percents_are_refused(percent):
    """A percent is from 0 to 100."""
    with pytest.raises(ValueError, match="percent"):
        percentile([1], percent)


@pytest.mark.parametrize(
    ("key", "own", "reference", "wanted"),
    [
        ("cpu_us", 10, 1000, 100),
        ("cpu_us", 1000, 10, 0.01),
        ("rate", 1000, 10, 100),
        ("cpu_us", 0, 10, None),
        ("rate", 10, 0, None),
    ],
    ids=["less CPU is better", "more CPU is worse", "more requests are better", "nothing", "against nothing"],
)
def test_an_advantage_is_above_one_when_better(key, own, reference, wanted):
    """Both kinds of figures read the same way."""
    assert advantage(FIGURES[key], own, reference) == (None if wanted is None else pytest.approx(wanted))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (0.012345, "0.0123"),
        (1, "1"),
        (1.2345, "1.23"),
        (9.999, "10"),
        (12.345, "12.3"),
        (123.45, "123"),
        (1234.5, "1,230"),
        (123456, "123,000"),
        (-12.345, "-12.3"),
        (float("nan"), "-"),
    ],
)
def test_numbers_are_short(number, text):
    """Three digits are what these measurements are good for."""
    assert short(number) == text


@given(st.floats(1e-6, 1e12))
def test_short_numbers_are_near(number):
    """Rounding changes a number by half a percent at most."""
    assert float(short(number).replace(",", "")) == pytest.approx(number, rel=0.005)
