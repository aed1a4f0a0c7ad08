"""Audit events and their chains."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw import token_format
from nproxy_mw.access import Actor
from nproxy_mw.audit import events
from nproxy_mw.audit.events import Stamp, begins_before, since
from nproxy_mw.times import timestamp

NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
ACTOR = Actor(token_hash="ab" * 32, request_id="r1", ip="192.0.2.7", user_agent="npm/11.0.0")


def event(kind="package.published", **fields):
    return Stamp("acme", ACTOR, NOON).events([(kind, fields)])[0]


def chain_of(length):
    return events.extend([], [event(version=f"{number}.0.0") for number in range(length)])


def test_event_has_the_members_of_every_event():
    """An event carries what every event carries, then its own fields."""
    made = event(package="@acme/utils", version="1.0.0")
    assert made | {"id": ""} == {
        "id": "",
        "time": "2026-11-22T12:00:00.123Z",
        "org": "acme",
        "event": "package.published",
        "requestId": "r1",
        "ip": "192.0.2.7",
        "userAgent": "npm/11.0.0",
        "tokenHash": "ab" * 32,
        "package": "@acme/utils",
        "version": "1.0.0",
    }


def test_event_names_the_person():
    """What a person did says who; there is no token to name then."""
    made = Stamp("acme", Actor(name="ann"), NOON).events([("settings.changed", {})])[0]
    assert made["by"] == "ann"
    assert "tokenHash" not in made


def test_ids_sort_by_time_and_differ():
    """Identifiers made at one instant differ, and later ones sort behind."""
    now = [Stamp("a", ACTOR, NOON).id() for _ in range(100)]
    later = Stamp("a", ACTOR, NOON + timedelta(milliseconds=1)).id()
    assert len(set(now)) == 100
    assert all(earlier < later for earlier in now)
    assert {len(made) for made in now} == {32}


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        pytest.param(NOON, "2026-11-22T12:00:00.123Z", id="utc"),
        pytest.param(datetime.fromisoformat("2026-11-22T13:00:00+01:00"), "2026-11-22T12:00:00.000Z", id="elsewhere"),
    ],
)
def test_timestamp_is_utc_with_milliseconds(zone, expected):
    """Times are stored in UTC, to the millisecond."""
    assert timestamp(zone) == expected


def test_user_agent_is_cut_and_redacted():
    """What a client calls itself is bounded, can be stored whatever it holds, and carries no token into the trail."""
    secret = token_format.make_secret()
    (made,) = Stamp("a", Actor(user_agent=f"{secret} \udce4" + "x" * 9000), NOON).events([("x", {})])
    assert len(made["userAgent"]) <= events.MAX_LENGTH
    assert secret[7:] not in made["userAgent"]
    assert orjson.dumps(made)


def test_chain_as_written_has_no_flaw():
    """A chain is sound as it was made, also after it was stored and read."""
    chain = chain_of(5)
    assert events.verify(chain) == []
    assert events.verify(orjson.loads(orjson.dumps(chain))) == []
    assert chain[0]["previous"] == ""
    assert events.head(chain) == chain[-1]["hash"]


def test_empty_chain_is_sound():
    """A chain without events has no flaw, and an empty head."""
    assert (events.verify([]), events.head([])) == ([], "")


def test_extend_leaves_its_input_alone():
    """The old chain is not altered, nor the events."""
    old, new = chain_of(2), event()
    before = (list(old), dict(new))
    events.extend(old, [new])
    assert (old, new) == before


def test_extend_goes_on_from_a_given_head():
    """A chain may go on from the end of another: the first event follows that."""
    first = chain_of(3)
    second = events.extend([], [event()], previous=events.head(first))
    assert events.verify(second, previous=events.head(first)) == []
    assert events.verify(second)[0].index == 0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
def test_edit_is_found(data):
    """Changing, adding or removing any member of any event is found, at that event or the one behind it."""
    chain = chain_of(4)
    index = data.draw(st.integers(0, 3))
    member = data.draw(st.sampled_from([*sorted(chain[index]), "added"]))
    edited = dict(chain[index])
    if data.draw(st.booleans()) and member in edited:
        del edited[member]
    else:
        edited[member] = data.draw(json_values.filter(lambda value: value != edited.get(member, ...)))
    findings = events.verify([*chain[:index], edited, *chain[index + 1 :]])
    assert findings
    assert findings[0].index in {index, index + 1}


@given(st.integers(0, 4))
def test_dropped_event_is_found(index):
    """An event dropped from anywhere but the end is found where it is missing."""
    chain = chain_of(6)
    findings = events.verify(chain[:index] + chain[index + 1 :])
    assert [finding.index for finding in findings] == [index]


@given(st.permutations(range(5)))
def test_reordered_events_are_found(order):
    """Any order but the one that was written is found."""
    chain = chain_of(5)
    findings = events.verify([chain[index] for index in order])
    assert bool(findings) == (list(order) != list(range(5)))


@given(st.integers(0, 5), st.integers(0, 4))
def test_repeated_event_is_found(place, index):
    """An event that stands in a chain twice is found."""
    chain = chain_of(5)
    assert events.verify([*chain[:place], chain[index], *chain[place:]])


@given(st.lists(json_values, min_size=1, max_size=4))
def test_anything_may_be_verified(values):
    """What is no event is a flaw, never an exception."""
    assert {finding.index for finding in events.verify(values)} == set(range(len(values)))


def test_deeply_nested_event_is_a_flaw():
    """An event nested too deeply to be hashed is reported like an edited one."""
    deep: object = 1
    for _ in range(400):
        deep = [deep]
    assert events.verify([{**chain_of(1)[0], "deep": deep}])


def test_end_cut_off_is_not_seen_in_the_chain():
    """A chain whose end was cut off is sound in itself: checkpoints are needed for that."""
    assert events.verify(chain_of(5)[:3]) == []


@pytest.mark.parametrize(
    ("times", "moment", "kept"),
    [
        ("", "5", ""),
        ("123", "2", "23"),
        ("123", "0", "123"),
        ("1233", "9", "33"),
        ("131", "2", "131"),
        ("143", "2", "43"),
    ],
)
def test_end_of_a_chain(times, moment, kept):
    """What happened since a moment, and the last change whenever it was; also where clocks disagree."""
    chain = [{"time": time} for time in times]
    assert "".join(event["time"] for event in since(chain, moment)) == kept
    for start in range(len(chain)):
        if begins_before(chain[start:], moment):
            assert since(chain[start:], moment) == since(chain, moment)
