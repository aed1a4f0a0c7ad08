"""The audit events by time: one object per change under a dated key. Derived from the chains, and repaired from them.

A key says when its change was made, of which kinds its events are, and by short digests which package they are about
and who made it. So pages, counts and filters open only what they show. Keys go by hour: a page lists the few hours that
it covers, and as long as a day, a month or the whole index has few keys, that is one listing.

Earlier versions wrote one object per event, in folders of days (`EVENT_INDEX`). Those are read as they are.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson
from msgspec import Struct

from nproxy_mw.errors import Exists, Missing
from nproxy_mw.json_values import Json
from nproxy_mw.storage import documents
from nproxy_mw.storage.documents import UnreadableObject
from nproxy_mw.storage.layout import EVENT_INDEX, INDEX, ObjectKind
from nproxy_mw.storage.port import Storage, is_key
from nproxy_mw.times import compact

MAX_EVENTS = 200
"""Events in one object at most; a larger change has several."""

DEPTHS = {INDEX: 4, EVENT_INDEX: 3}  # folders below that of the kind: year, month, day, and hour
VARIOUS = "various"  # in a key: only the object itself tells
_CURSOR = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{3}Z-[0-9a-f]{32}", re.ASCII)
_KIND = re.compile(r"[a-z0-9.-]+", re.ASCII)
_MAX_LABEL = 120  # characters


class IndexEntry(Struct, frozen=True):
    """What the *key* of one object of the index says. *cursor* is that of the first event in it.

    *label* names the kinds of its events: see `kinds`. *package* and *by* are digests, or ``various``.
    """

    key: str
    cursor: str
    label: str
    package: str = VARIOUS
    by: str = VARIOUS

    @property
    def kinds(self) -> Mapping[str, int]:
        """How many events of each kind the object has; empty when only the object itself tells."""
        return _kinds_in(self.label)


@lru_cache(maxsize=4096)
def _kinds_in(label: str) -> Mapping[str, int]:
    if label == VARIOUS:
        return {}
    counts = (part.partition("~") for part in label.split("+"))
    return {kind: int(number) if number.isdigit() else 1 for kind, _, number in counts}


def cursor_of(event: Json) -> str:
    """Returns the place of *event* in the order of time: its time and its identifier."""
    return f"{compact(str(event.get('time')))}-{event.get('id')}"


def cursor_in(text: str) -> str | None:
    """Returns the cursor that *text* spells, which may have the time as an event has it; None when it is none."""
    time, hyphen, event_id = text.rpartition("-")
    cursor = f"{compact(time)}{hyphen}{event_id}"
    return cursor if is_cursor(cursor) else None


def is_cursor(text: str) -> bool:
    """Returns whether *text* can be what `cursor_of` returns for an event of ours."""
    return _CURSOR.fullmatch(text) is not None


def changes_in(chain: Iterable[Any]) -> Iterator[list[Json]]:
    """Yields the events of *chain* in their order, those of one object of the index together.

    The events of one change have the same time and successive identifiers. What is no event of ours is left out.
    """
    change: list[Json] = []
    for event in chain:
        if not isinstance(event, dict):
            continue
        if change and len(change) < MAX_EVENTS and _follows(event, change[-1]):
            change.append(event)
        elif is_cursor(cursor_of(event)):
            if change:
                yield change
            change = [event]
    if change:
        yield change


def index_key(change: Sequence[Json]) -> str:
    """Returns the key under which the index keeps the events of *change*."""
    cursor = cursor_of(change[0])
    name = (cursor, _label(change), _package(change), _shared(change, "by"))
    return INDEX.key(f"{cursor[:4]}/{cursor[4:6]}/{cursor[6:8]}/{cursor[9:11]}", "-".join(name))


def event_key(event: Json) -> str:
    """Returns the key under which earlier versions kept *event*."""
    cursor = cursor_of(event)
    return EVENT_INDEX.key(f"{cursor[:4]}/{cursor[4:6]}/{cursor[6:8]}", f"{cursor}-{event['event']}")


def objects_of(change: Sequence[Json], keys: Container[str]) -> dict[str, bytes]:
    """Returns the objects that hold *change*, in an index that has *keys*, by their keys.

    It is one; or one per event, when an earlier version wrote any of them; or both, when that was done twice.
    """
    key, old = index_key(change), {event_key(event): orjson.dumps(event) for event in change}
    there = {one: data for one, data in old.items() if one in keys}
    return old if there and key not in keys else {key: _encode(change), **there}


def write(storage: Storage, events: Iterable[Json]) -> None:
    """Puts *events* into the index, where it lacks them.

    Raises:
        StorageUnavailable: the storage cannot be written.
    """
    for change in changes_in(events):
        try:
            storage.create(index_key(change), _encode(change))
        except Exists:
            continue


def read(storage: Storage, entry: IndexEntry, naming: str = "") -> list[dict[str, Any]]:
    """Returns the events under *entry*, oldest first; none when they are gone or damaged, which `verify` reports.

    With *naming*, none unless their JSON holds that text as a string: of many objects about many packages, few are
    worth decoding.
    """
    try:
        data = storage.read(entry.key).data
        # What is no text of UTF-8 was never stored: it becomes another one here.
        if naming and orjson.dumps(naming.encode("utf-8", "replace").decode()) not in data:
            return []
        found = documents.decode(data)["events"] if entry.key.startswith(INDEX.folder) else [orjson.loads(data)]
        return [event for event in found if isinstance(event, dict)]
    except (Missing, UnreadableObject, ValueError, KeyError, TypeError):
        return []


def keys(storage: Storage) -> set[str]:
    """Returns every key of the index, listed now."""
    return {*storage.list(INDEX.folder), *storage.list(EVENT_INDEX.folder)}


class ListedFolders:
    """The keys of the index on *storage*, listed by the folder, when one is first asked for."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._folders: dict[str, frozenset[str]] = {}

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str) or not is_key(key):
            return False
        folder = key.rpartition("/")[0]
        if folder not in self._folders:
            self._folders[folder] = frozenset(self._storage.list(folder))
        return key in self._folders[folder]


def is_empty(storage: Storage) -> bool:
    """Returns whether the index holds nothing at all."""
    return all(next(iter(storage.list(kind.folder)), None) is None for kind in DEPTHS)


def entries_between(storage: Storage, start: datetime, end: datetime) -> Iterator[IndexEntry]:
    """Yields the entries that this version wrote between *start* and *end*, and in the rest of these hours."""
    for number in range(int((end - start).total_seconds() // 3600) + 2):
        hour = start + timedelta(hours=number)
        if f"{hour:%Y%m%d%H}" <= f"{end:%Y%m%d%H}":
            yield from entries_of(INDEX, storage.list(f"{INDEX.folder}/{hour:%Y/%m/%d/%H}"))


def package_changes(storage: Storage, start: datetime, end: datetime) -> Iterator[str]:
    """Yields the keys of all changes of packages between *start* and *end*, and of some around them."""
    for entry in entries_between(storage, start, end):
        if any(kind.startswith("package.") and kind != "package.signed" for kind in entry.kinds):
            yield entry.key


def package_of(storage: Storage, key: str) -> str | None:
    """Returns the name of the package that the change under *key* is about; None when it cannot be read."""
    names = [event.get("package") for entry in entries_of(INDEX, [key]) for event in read(storage, entry)]
    return names[0] if names and isinstance(names[0], str) else None


def kinds_of(storage: Storage, day: date) -> Counter[str]:
    """Returns how many events of each kind a *day* in UTC has. Almost none of them is opened.

    Raises:
        StorageUnavailable: the storage cannot be read.
    """
    counts: Counter[str] = Counter()
    alike: dict[str, list[IndexEntry]] = {}  # few labels, and many entries of each
    for kind in DEPTHS:
        for entry in entries_of(kind, storage.list(f"{kind.folder}/{day:%Y/%m/%d}")):
            alike.setdefault(entry.label, []).append(entry)
    for entries in alike.values():
        counts.update({kind: number * len(entries) for kind, number in entries[0].kinds.items()})
    counts.update(str(event.get("event")) for entry in alike.get(VARIOUS, ()) for event in read(storage, entry))
    return counts


def digest(text: object) -> str:
    """Returns how a key names a package or an actor."""
    return _digest(str(text))


@lru_cache(maxsize=1024)
def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:8]


def may_be(found: str, wanted: object) -> bool:
    """Returns whether *found*, the digest in a key, can be that of *wanted*."""
    return found in (VARIOUS, digest(wanted))


def entries_of(kind: ObjectKind, found: Iterable[str]) -> Iterator[IndexEntry]:
    """Yields what the keys in *found* say, in their order. Those that are none of *kind* are left out."""
    for key in found:
        parts = kind.parse(key)
        if parts is None:
            continue
        if kind is EVENT_INDEX:
            yield IndexEntry(key, parts[1][:53], parts[1][54:])
        elif parts[1].count("-") >= 4:
            named, package, by = parts[1].rsplit("-", 2)
            yield IndexEntry(key, named[:53], named[54:], package, by)


def _follows(event: Json, before: Json) -> bool:
    return event.get("time") == before["time"] and event.get("id") == f"{int(before['id'], 16) + 1:032x}"


def _label(change: Sequence[Json]) -> str:
    kinds = Counter([str(event.get("event")) for event in change])
    label = "+".join([kind if number == 1 else f"{kind}~{number}" for kind, number in sorted(kinds.items())])
    is_plain = len(label) <= _MAX_LABEL and all(map(_KIND.fullmatch, kinds))
    return label if is_plain else VARIOUS


def _shared(change: Sequence[Json], field: str) -> str:
    values = {str(event.get(field, "")) for event in change}
    return digest(values.pop()) if len(values) == 1 else VARIOUS


def _package(change: Sequence[Json]) -> str:
    return VARIOUS if "packages" in set().union(*change) else _shared(change, "package")


def _encode(change: Sequence[Json]) -> bytes:
    return documents.encode({"events": change})
