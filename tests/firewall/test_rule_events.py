"""Events of the rules: how many there are, whoever asks, and how an outage of intelligence is told."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.histories import NOW

from nproxy_mw.audit.trail import Trail
from nproxy_mw.firewall import event_bounds
from nproxy_mw.firewall.event_bounds import DAY, HOUR, EventBounds
from nproxy_mw.firewall.events import RuleEvents
from nproxy_mw.firewall.outages import FORGOTTEN, QUIET, Outages
from nproxy_mw.rules.decisions import Decision, Finding, Note
from nproxy_mw.storage import open_storage
from nproxy_mw.testing.faults import Faulty

AWAY = Note("malware", "cannot-tell", "the malware reports cannot be read just now", is_outage=True)
POOR = Note("publisher_change", "cannot-tell", "the upstream does not say who published enough of the versions")


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def storage() -> Any:
    return open_storage(f"memory://{uuid.uuid4().hex}")


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        event_bounds, "PER_HOUR", {"rule.blocked": 3, "rule.warned": 2, "rule.undecided": 2, "rule.failed": 2}
    )


def events_of(storage: Any, time: Time) -> RuleEvents:
    """Those of one process."""
    events = RuleEvents(Trail(storage, org="acme"), interval=None)
    events._bounds = EventBounds(time.monotonic)
    events._outages = Outages(storage, clock=time.now, monotonic=time.monotonic)
    return events


def told(storage: Any) -> list[tuple[str, str, Any, int]]:
    """The kind, the rule, the packages and the count of each event."""
    chain = Trail(storage, org="acme").chain()
    return [(one["event"], one["rule"], one.get("package", one.get("packages")), one.get("count", 0)) for one in chain]


def warned(package: str, *versions: str, rule: str = "install_scripts") -> Decision:
    finding = (Finding(rule, "it has install scripts: install"),)
    return Decision(package=package, warned=dict.fromkeys(versions or ("1.0.0",), finding))


def undecided(package: str, *notes: Note) -> Decision:
    return Decision(package=package, notes=notes)


def test_rest_of_an_hour_is_told_together(storage: Any, time: Time) -> None:
    """Whoever asks for thousands of packages that are warned of adds a few events an hour; none is left uncounted."""
    events = events_of(storage, time)
    for number in range(6):
        events.decided(warned(f"p{number}"), None)
        events.decided(Decision(package=f"b{number}", blocked=warned("x", rule="malware").warned), None)
        events.flush()
    one_by_one = [("rule.warned", "install_scripts", f"p{number}", 1) for number in range(2)]
    one_by_one += [("rule.blocked", "malware", f"b{number}", 1) for number in range(3)]
    assert sorted(told(storage)) == sorted(one_by_one)
    time.seconds += HOUR
    events.flush()
    rest = [
        ("rule.warned", "install_scripts", ["p2", "p3", "p4", "p5"], 4),
        ("rule.blocked", "malware", ["b3", "b4", "b5"], 3),
    ]
    assert told(storage)[5:] == rest
    events.decided(warned("later"), None)
    events.flush()
    assert told(storage)[7:] == [("rule.warned", "install_scripts", "later", 1)]


def test_process_that_stops_tells_the_rest(storage: Any, time: Time) -> None:
    """What is left for the end of the hour is written before."""
    events = events_of(storage, time)
    for number in range(4):
        events.decided(warned(f"p{number}"), None)
    events.finish()
    events.finish()
    assert [count for *_, count in told(storage)] == [1, 1, 2]


def test_rest_names_the_first_packages(storage: Any, time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event has a bound, too; the count is of all."""
    monkeypatch.setattr(event_bounds, "MAX_NAMED", 2)
    events = events_of(storage, time)
    for number in range(7):
        events.decided(warned(f"p{number}"), None)
    events.finish()
    assert told(storage)[2:] == [("rule.warned", "install_scripts", ["p2", "p3"], 5)]


@pytest.mark.parametrize(
    ("later", "before", "second", "count"),
    [
        pytest.param(DAY - 1, None, ["1.0.0"], 1, id="forgotten"),
        pytest.param(DAY, None, ["1.0.0"], 2, id="a day later"),
        pytest.param(0, None, ["1.0.0", "1.0.1"], 2, id="another version"),
        pytest.param(0, Decision(package="p"), ["1.0.0"], 2, id="a change that is remembered"),
    ],
)
def test_same_event_is_told_once_a_day(
    storage: Any, time: Time, later: float, before: Decision | None, second: list[str], count: int
) -> None:
    """A decision that the cache gave up is made again, which is no news; one that really changed is."""
    events = events_of(storage, time)
    events.decided(warned("p", "1.0.0"), None)
    time.seconds += later
    events.decided(warned("p", *second), before)
    events.finish()
    assert len(told(storage)) == count


def test_poor_mirror_is_told_of_a_few_times(storage: Any, time: Time) -> None:
    """Packages that a rule cannot tell of are gathered when there were enough events about them in this hour."""
    events = events_of(storage, time)
    for number in range(5):
        events.decided(undecided(f"p{number}", POOR), None)
        events.flush()
    assert [packages for *_, packages, _ in told(storage)] == [["p0"], ["p1"]]
    time.seconds += HOUR
    events.flush()
    events.flush()
    assert told(storage)[2:] == [("rule.undecided", "publisher_change", ["p2", "p3", "p4"], 3)]


def test_outage_is_told_at_its_begin_and_its_end(storage: Any, time: Time) -> None:
    """By one of all processes, however many packages are looked at and however often that is written down."""
    processes = [events_of(storage, time) for _ in range(2)]
    for number in range(3):
        for events in processes:
            events.decided(undecided(f"p{number}", AWAY), None)
            events.flush()
    assert told(storage) == [("rule.undecided", "malware", ["p0"], 1)]
    for pause in (0, QUIET - 1, 1):
        time.seconds += pause
        for events in processes:
            events.decided(undecided("p0"), undecided("p0", AWAY))
            events.flush()
    assert told(storage)[1:] == [("rule.recovered", "malware", None, 0)]
    assert Trail(storage, org="acme").chain()[-1]["since"] == "2026-11-26T12:00:00.000Z"
    processes[0].decided(undecided("p9", AWAY), None)
    processes[0].flush()
    assert told(storage)[2:] == [("rule.undecided", "malware", ["p9"], 1)]


def test_source_that_comes_and_goes_is_one_outage(storage: Any, time: Time) -> None:
    """The end is told when all was well for a while."""
    events = events_of(storage, time)
    for _ in range(5):
        events.decided(undecided("p", AWAY), None)
        events.flush()
        time.seconds += QUIET / 2
        events.decided(undecided("q"), None)
        events.flush()
        time.seconds += QUIET / 2
    assert [kind for kind, *_ in told(storage)] == ["rule.undecided"]


def test_end_is_told_by_another_process(storage: Any, time: Time) -> None:
    """One that did not see the outage knows of it from the decision before."""
    first, second = events_of(storage, time), events_of(storage, time)
    first.decided(undecided("p", AWAY), None)
    first.flush()
    second.decided(undecided("p"), undecided("p", AWAY))
    second.flush()
    time.seconds += QUIET
    second.flush()
    assert [kind for kind, *_ in told(storage)] == ["rule.undecided", "rule.recovered"]


@pytest.mark.parametrize(
    ("silence", "expected"), [(FORGOTTEN, 1), (FORGOTTEN + timedelta(seconds=1), 2)], ids=["same", "another"]
)
def test_outage_without_an_end_is_forgotten(storage: Any, time: Time, silence: timedelta, expected: int) -> None:
    """Nobody may have asked for anything after it, so one after a long silence is told as another."""
    for pause in (timedelta(), silence):
        time.seconds += pause.total_seconds()
        events = events_of(storage, time)
        events.decided(undecided("p", AWAY), None)
        events.flush()
    assert len(told(storage)) == expected


def test_long_outage_is_one(storage: Any, time: Time) -> None:
    """While packages are looked at, it is not forgotten."""
    events = events_of(storage, time)
    for _ in range(20):
        events.decided(undecided("p", AWAY), None)
        events.flush()
        time.seconds += FORGOTTEN.total_seconds() / 2
    assert len(told(storage)) == 1


def test_what_cannot_be_written_is_written_later(storage: Any, time: Time) -> None:
    """Neither the outage nor the decisions are lost while the storage is away."""
    for at in range(1, 12):
        own = open_storage(f"memory://{uuid.uuid4().hex}")
        events = events_of(Faulty(own, at, times=2), time)
        events.decided(undecided("p", AWAY), None)
        events.decided(warned("q"), None)
        for _ in range(4):
            events.flush()
        assert sorted(kind for kind, *_ in told(own)) == ["rule.undecided", "rule.warned"]
