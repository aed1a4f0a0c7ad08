"""first_seen: by when the name appeared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.histories import NOW, ago, flagged, history_of, packument, said
from support.rule_reference import Reference

from nproxy_mw.rules.first_seen import FirstSeen
from nproxy_mw.rules.port import Knowledge

NOTHING: set[str] = set()
BOTH = {"1.0.0", "1.0.1"}
DAY = 86_400


def created(**how: float) -> Any:
    """A package of two versions, published five and three days ago; created that long ago, if that is known."""
    versions = {"1.0.0": {"time": ago(days=5)}, "1.0.1": {"time": ago(days=3)}}
    return packument(versions=versions, time={"created": ago(**how)} if how else {})


@pytest.mark.parametrize(
    ("document", "days", "unknown", "expected"),
    [
        pytest.param(created(days=6), 7, "allow", BOTH, id="a day too young"),
        pytest.param(created(seconds=7 * DAY), 7, "allow", NOTHING, id="exactly that old"),
        pytest.param(created(seconds=7 * DAY - 0.001), 7, "allow", BOTH, id="a millisecond too young"),
        pytest.param(created(seconds=7 * DAY + 0.001), 7, "allow", NOTHING, id="a millisecond older"),
        pytest.param(created(seconds=1), 0, "block", NOTHING, id="0 days are off"),
        pytest.param(created(days=-1), 1, "allow", BOTH, id="created tomorrow"),
        pytest.param(created(), 4, "allow", NOTHING, id="no created: the earliest version is older"),
        pytest.param(created(), 7, "allow", BOTH, id="no created: the earliest version is younger"),
        pytest.param(
            packument(versions={"1.0.1": {"time": ago(days=3)}}, time={"1.0.0": ago(days=900)}),
            7,
            "allow",
            NOTHING,
            id="no created: a removed version was earlier",
        ),
        pytest.param(
            packument(versions={"1.0.1": {"time": ago(days=3)}}, time={"created": "lately"}),
            7,
            "allow",
            {"1.0.1"},
            id="created is no time: the earliest version stands in",
        ),
        pytest.param(
            packument(versions={"1.0.0": {}}, time={"modified": ago(days=1)}),
            7,
            "allow",
            NOTHING,
            id="no time: allowed",
        ),
        pytest.param(packument(versions={"1.0.0": {}}), 7, "block", {"1.0.0"}, id="no time: blocked"),
        pytest.param(packument(), 7, "block", NOTHING, id="no version"),
        pytest.param(
            packument(versions={"1.0.0": {}}, time={"created": "2026-11-20T11:00:00.5+02:00"}),
            6,
            "allow",
            NOTHING,
            id="an offset is read",
        ),
    ],
)
def test_flags(document: Any, days: int, unknown: str, expected: set[str]) -> None:
    """Every version of a young package, and no version of another."""
    assert flagged(FirstSeen(), history_of(document), days=days, unknown=unknown) == expected
    assert Reference(document, NOW).first_seen(days, unknown).keys() == expected


@pytest.mark.parametrize("unknown", ["allow", "block"])
def test_no_time_is_said(unknown: str) -> None:
    """Without any time, one note says so, whatever is decided."""
    document = packument(versions={"1.0.0": {}, "2.0.0": {}})
    _, notes = said(FirstSeen(), history_of(document), days=7, unknown=unknown)
    assert notes == ["the upstream does not say when the package was created"]


def test_ends() -> None:
    """The flag ends when the days are over."""
    verdicts, _ = said(FirstSeen(), history_of(created(days=5)), days=7, unknown="allow")
    assert {verdict.until for verdict in verdicts.values()} == {NOW + timedelta(days=2)}
    assert verdicts["1.0.0"].reason == "the package is new: its name appeared less than 7 days ago"
    later = Knowledge(now=NOW + timedelta(days=2))
    assert flagged(FirstSeen(), history_of(created(days=5)), later, days=7, unknown="allow") == set()


def test_edge_of_the_calendar() -> None:
    """A time of the year 9998 is younger than any day, and its flag has no end."""
    document = packument(versions={"1.0.0": {"time": "9998-12-31T00:00:00Z"}})
    verdicts, _ = said(FirstSeen(), history_of(document), days=3650, unknown="allow")
    assert verdicts["1.0.0"].until is None
    assert history_of(document).created == datetime(9998, 12, 31, tzinfo=UTC)
