"""Audit events and the hash chains they hang in. Pure.

An event is a JSON object. In a chain, each carries ``previous``, the hash of the one before it (empty for the first),
and ``hash``, the SHA-256 of the canonical JSON of all its other members. So an event that was edited no longer fits its
own hash, and one that was dropped, inserted or moved no longer fits its neighbour. What a chain cannot show by itself
is that its end was cut off, or that all of it was written anew: that is what signed checkpoints are for.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from nproxy_mw.access import Actor
from nproxy_mw.json_values import Json
from nproxy_mw.times import timestamp
from nproxy_mw.token_format import redact

MAX_LENGTH = 256  # characters kept of what a client says of itself


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something wrong at one place of a chain. *index* counts from 0."""

    index: int
    what: str


def new_event(kind: str, *, org: str, actor: Actor, time: datetime, **fields: Any) -> dict[str, Any]:
    """Answers an event that hangs in no chain yet.

    *fields* are named as they are stored, in camelCase. The token or the person behind *actor* is named when there is
    one. What a client says of itself is cut to size, and freed of anything that looks like a token.
    """
    event = {
        "id": event_id(time),
        "time": timestamp(time),
        "org": org,
        "event": kind,
        "requestId": _plain(actor.request_id),
        "ip": _plain(actor.ip),
        "userAgent": _plain(actor.user_agent),
    }
    if actor.token_hash:
        event["tokenHash"] = actor.token_hash
    if actor.name:
        event["by"] = actor.name
    return event | fields


def event_id(time: datetime) -> str:
    """An identifier that cannot be guessed and sorts by time: 48 bits of milliseconds, 80 random bits, in hex."""
    milliseconds = int(time.timestamp() * 1000)
    return f"{milliseconds:012x}{secrets.token_hex(10)}"


def canonical(value: Json) -> bytes:
    """The one spelling of a JSON object that is hashed."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def hash_of(event: Json) -> str:
    """The hash that an event in a chain must carry."""
    return hashlib.sha256(canonical({key: value for key, value in event.items() if key != "hash"})).hexdigest()


def extend(chain: Sequence[Json], events: Iterable[Json], *, previous: str = "") -> list[Json]:
    """Answers *chain* with *events* hung to its end, in their order. *previous* is what an empty chain goes on from."""
    longer = list(chain)
    for event in events:
        linked = {**event, "previous": head(longer) if longer else previous}
        longer.append({**linked, "hash": hash_of(linked)})
    return longer


def head(chain: Sequence[Any]) -> str:
    """The hash that stands for all of *chain*; empty for an empty one, and for one whose end is no event."""
    last = chain[-1] if chain else {}
    return str(last.get("hash", "")) if isinstance(last, dict) else ""


def last_change(chain: Sequence[Any]) -> list[Json]:
    """The events at the end of *chain* that tell of one change: those of one request and one moment."""
    last: list[Json] = []
    for event in reversed(chain):
        if not _is_event(event) or not _fits(event) or (last and _moment(event) != _moment(last[0])):
            break
        last.insert(0, event)
    return last


def verify(chain: Sequence[Any], *, previous: str = "") -> list[Flaw]:
    """Answers every flaw of *chain*; none when it is as it was written. *chain* may hold anything: it was stored."""
    flaws: list[Flaw] = []
    seen: set[str] = set()
    for index, event in enumerate(chain):
        if not _is_event(event):
            flaws.append(Flaw(index, "this is not an event"))
            previous = ""
            continue
        flaws.extend(Flaw(index, what) for what in _flaws_of(event, previous, seen))
        seen.add(event["id"])
        previous = event["hash"]
    return flaws


_MEMBERS = ("id", "time", "org", "event", "previous", "hash")


def _is_event(event: Any) -> bool:
    return isinstance(event, dict) and all(isinstance(event.get(key), str) for key in _MEMBERS)


def _moment(event: Json) -> tuple[Any, Any]:
    return event["time"], event.get("requestId")


def _flaws_of(event: Json, previous: str, seen: set[str]) -> Iterator[str]:
    if event["id"] in seen:
        yield "this event stands in the chain twice"
    if event["previous"] != previous:
        yield "this event does not follow the one before it: one was dropped, inserted or moved here"
    if not _fits(event):
        yield "this event was edited"


def _fits(event: Json) -> bool:
    try:
        return bool(event["hash"] == hash_of(event))
    except TypeError:  # nested more deeply than anything we wrote
        return False


def _plain(text: str) -> str:
    return redact(text[:MAX_LENGTH].encode("utf-8", "replace").decode("utf-8"))
