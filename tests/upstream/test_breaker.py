"""The circuit breaker: when it opens, whom it lets through, and what closes it."""

from __future__ import annotations

import pytest

from nproxy_mw.upstream.breaker import Breaker


class Time:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def breaker(time: Time) -> Breaker:
    return Breaker(failures=3, rest=2.0, longest=6.0, patience=10.0, monotonic=time)


def opened(breaker: Breaker) -> Breaker:
    for thing in "abc":
        breaker.failed(thing)
    return breaker


def test_closed_breaker_lets_everybody_through(breaker: Breaker) -> None:
    """Nothing has failed: every request passes, and nobody waits."""
    assert (breaker.state, breaker.passes(), breaker.seconds_left()) == ("closed", True, 0.0)


def test_failures_of_different_things_open_it(breaker: Breaker) -> None:
    """Three different things failed in a row: nobody passes for two seconds."""
    opened(breaker)
    assert (breaker.state, breaker.passes(), breaker.seconds_left()) == ("open", False, 2.0)


def test_one_thing_that_fails_again_and_again_opens_nothing(breaker: Breaker) -> None:
    """One broken package says nothing about the others."""
    for _ in range(20):
        breaker.failed("a")
    assert breaker.passes()


def test_success_between_failures_keeps_it_closed(breaker: Breaker) -> None:
    """Failures count in a row only."""
    breaker.failed("a")
    breaker.failed("b")
    breaker.succeeded()
    breaker.failed("c")
    assert breaker.state == "closed"


def test_half_open_lets_one_probe_through(breaker: Breaker, time: Time) -> None:
    """After its rest one request passes; the others wait for what becomes of it."""
    opened(breaker)
    time.now += 2.0
    assert breaker.state == "half-open"
    assert [breaker.passes() for _ in range(3)] == [True, False, False]


def test_probe_that_succeeds_closes_it(breaker: Breaker, time: Time) -> None:
    """One success is enough."""
    opened(breaker)
    time.now += 2.0
    breaker.passes()
    breaker.succeeded()
    assert (breaker.state, breaker.passes()) == ("closed", True)


def test_probe_that_fails_opens_it_for_longer(breaker: Breaker, time: Time) -> None:
    """Each failed probe doubles the rest, up to the longest."""
    opened(breaker)
    left = []
    for _ in range(3):
        time.now += breaker.seconds_left()
        assert breaker.passes()
        breaker.failed("a")
        left.append(breaker.seconds_left())
    assert left == [4.0, 6.0, 6.0]


def test_probe_that_never_comes_back_is_followed_by_another(breaker: Breaker, time: Time) -> None:
    """A thread that died with the probe does not keep the breaker shut for ever."""
    opened(breaker)
    time.now += 2.0
    assert breaker.passes()
    time.now += 10.0
    assert breaker.passes()


def test_late_failure_of_an_old_request_changes_nothing(breaker: Breaker) -> None:
    """What was under way when the breaker opened is no probe."""
    opened(breaker)
    breaker.failed("late")
    assert breaker.seconds_left() == 2.0
