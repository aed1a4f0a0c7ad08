"""Audit events and the hash chains they form. No I/O.

An event is a JSON object. In a chain, each carries ``previous``, the hash of the one before it (empty for the first),
and ``hash``, the SHA-256 of the canonical JSON of all its other members. So an event that was edited no longer fits its
own hash, and one that was dropped, inserted or moved no longer fits its neighbor. A chain cannot show by itself that
its end was cut off, or that all of it was rewritten: signed checkpoints do that.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import takewhile
from typing import Any, Generic, TypeAlias, TypeVar

import orjson
from msgspec import Struct, field

from nproxy_mw.access import Actor
from nproxy_mw.json_values import Json
from nproxy_mw.times import timestamp
from nproxy_mw.token_format import redact

T = TypeVar("T")

Fact: TypeAlias = tuple[str, Json]
"""Something that happened: the kind of event, and its own fields as they are stored, in camelCase."""

MAX_LENGTH = 256  # characters kept of what a client says of itself

_RANDOM_BITS = 80  # of an event's id


class CheckFinding(Struct, frozen=True):
    """Something that is not as it was written. *where* is a chain's name or a storage key; *index* counts from 0."""

    where: str
    what: str
    index: int | None = None

    def __str__(self) -> str:
        place = "" if self.index is None else f", event {self.index + 1}"
        return f"{self.where}{place}: {self.what}"


class NewerFinding(CheckFinding, frozen=True):
    """Something that a newer version wrote: this version cannot say whether it is sound."""


class AuditedChange(Struct, Generic[T], frozen=True):
    """What one step makes of an object: its next state, and the facts that the audit trail records of it."""

    after: T
    facts: Sequence[Fact] = ()


class Stamp(Struct, frozen=True):
    """What the events of one change share: *org*, *actor* and *time*, and identifiers that begin at *nonce*.

    A stamp is made once for a change. However often the change is tried, its events then have the same identifiers, so
    a change that was stored is recognized, and no event is recorded twice.
    """

    org: str
    actor: Actor
    time: datetime
    nonce: int = field(default_factory=lambda: secrets.randbits(_RANDOM_BITS))

    def events(self, facts: Iterable[Fact], **shared: Any) -> list[dict[str, Any]]:
        """Returns an event for each of *facts*, with *shared* among its fields, not yet part of a chain.

        The token or the person behind the actor is named when there is one. What a client says of itself is cut to
        `MAX_LENGTH`, and freed of anything that looks like a token.
        """
        who = {
            "requestId": _plain(self.actor.request_id),
            "ip": _plain(self.actor.ip),
            "userAgent": _plain(self.actor.user_agent),
        }
        if self.actor.token_hash:
            who["tokenHash"] = self.actor.token_hash
        if self.actor.name:
            who["by"] = self.actor.name
        when = timestamp(self.time)
        return [
            {"id": self.id(number), "time": when, "org": self.org, "event": kind, **who, **shared, **fields}
            for number, (kind, fields) in enumerate(facts)
        ]

    def id(self, number: int = 0) -> str:
        """Returns the identifier of the event with that number: 48 bits of milliseconds, then 80 random bits, in hex.

        Identifiers sort by time, and within a change by number.
        """
        milliseconds = int(self.time.timestamp() * 1000)
        return f"{milliseconds:012x}{(self.nonce + number) % 2**_RANDOM_BITS:020x}"

    def is_in(self, chain: Iterable[Any]) -> bool:
        """Returns whether *chain* holds the first event of this change."""
        mark = self.id()
        return any(isinstance(event, Mapping) and event.get("id") == mark for event in chain)


canonical = partial(orjson.dumps, option=orjson.OPT_SORT_KEYS)
"""Returns the one spelling of a JSON object that is hashed and signed."""


def digest(value: Json) -> str:
    """Returns the SHA-256 of the canonical spelling of *value*, in hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


def extend(chain: Sequence[Json], events: Iterable[Json], *, previous: str = "") -> list[Json]:
    """Returns *chain* with *events* appended in their order. An empty chain continues from the hash *previous*."""
    longer, last = list(chain), head(chain) if chain else previous
    for event in events:
        linked = {**event, "previous": last}
        last = digest(linked)
        longer.append({**linked, "hash": last})
    return longer


def head(chain: Sequence[Any]) -> str:
    """Returns the hash that stands for all of *chain*; empty for an empty one, and for one whose end is no event."""
    last = chain[-1] if chain else {}
    return str(last.get("hash", "")) if isinstance(last, dict) else ""


def since(chain: Sequence[Any], moment: str) -> Sequence[Any]:
    """Returns the end of *chain*: what happened at *moment* or later, and at least its last change."""
    first = min([moment, *map(_time_of, chain[-1:])])
    recent = sum(1 for _ in takewhile(lambda event: _time_of(event) >= first, reversed(chain)))
    return chain[len(chain) - recent :]


def begins_before(chain: Sequence[Any], moment: str) -> bool:
    """Returns whether *chain*, the end of a longer one, holds all that `since` returns of that."""
    return bool(chain) and _time_of(chain[0]) < min(moment, _time_of(chain[-1]))


def verify(chain: Sequence[Any], where: str = "", *, previous: str = "") -> list[CheckFinding]:
    """Returns a finding for everything in *chain* that is not as it was written. *where* names the chain.

    *chain* may hold anything: it was read from storage.
    """
    findings: list[CheckFinding] = []
    seen: set[str] = set()
    for index, event in enumerate(chain):
        if not _is_event(event):
            findings.append(CheckFinding(where, "this is not an event", index))
            previous = ""
            continue
        findings.extend(CheckFinding(where, what, index) for what in _contradictions(event, previous, seen))
        seen.add(event["id"])
        previous = event["hash"]
    return findings


_MEMBERS = ("id", "time", "org", "event", "previous", "hash")


def _time_of(event: Any) -> str:
    return str(event.get("time")) if isinstance(event, Mapping) else ""


def _is_event(event: Any) -> bool:
    return isinstance(event, dict) and all(isinstance(event.get(key), str) for key in _MEMBERS)


def _contradictions(event: Json, previous: str, seen: set[str]) -> Iterator[str]:
    if event["id"] in seen:
        yield "this event is in the chain twice"
    if event["previous"] != previous:
        yield "this event does not follow the one before it: one was dropped, inserted or moved here"
    if not _fits(event):
        yield "this event was edited"


def _fits(event: Json) -> bool:
    try:
        return bool(event["hash"] == digest({key: value for key, value in event.items() if key != "hash"}))
    except TypeError:  # nested more deeply than anything we wrote
        return False


def _plain(text: str) -> str:
    return redact(text[:MAX_LENGTH].encode("utf-8", "replace").decode("utf-8"))
