"""What can be wrong with settings, tokens, keys, administrators and sessions: damage, and what the trail denies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from nproxy_mw.audit.events import Finding
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import StorageUnavailable
from nproxy_mw.json_values import Json
from nproxy_mw.rules import requests
from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import (
    ADMINISTRATOR,
    EXCEPTION_REQUESTS,
    KEYS,
    ORGANIZATION,
    SESSION,
    SETTINGS,
    SYSTEM,
    TOKEN,
    ObjectKind,
    home,
)
from nproxy_mw.storage.port import Storage
from nproxy_mw.upkeep.history import UNTOLD, Told, administrator_flaws, session_flaws, settings_flaws, token_flaws
from nproxy_mw.upkeep.parallel import map_ordered
from nproxy_mw.upkeep.progress import Progress

DAMAGED = "this is damaged or of a newer format: restore it from a backup"
_WRONG = (StorageUnavailable, KeyError, TypeError, ValueError, AttributeError, IndexError)

Check = Callable[[str, Any, Told], Iterator[str]]
"""What is wrong with an object, given its key and the chain that tells of it; it raises one of `_WRONG` for damage."""


def state_keys(storage: Storage) -> Iterator[str]:
    """The keys of everything in an organization that carries the events that tell of it."""
    return chain.from_iterable(kind.keys(storage) for kind in (SETTINGS, KEYS, EXCEPTION_REQUESTS, TOKEN))


def untold(storage: Storage, key: str) -> Sequence[Json]:
    """The events that stand beside what they tell of; which of them hang in the chain, `Trail.settle` finds out."""
    document = documents.find(storage, key)
    return list(document["events"]) if document else []


def state_findings(trail: Trail, progress: Progress) -> Iterator[Finding]:
    """What is wrong in *trail*'s organization."""
    told = told_by(trail)

    def look(key: str) -> tuple[str, list[str]]:
        return key, flaws(trail.storage, key, trail, told)

    for key, found in map_ordered(look, state_keys(trail.storage)):
        progress.count("settings, tokens and keys")
        yield from (Finding(key, flaw) for flaw in found)


class Accounts:
    """Organizations, administrators and sessions, which lie in the whole *storage*."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.system = Trail(home(storage, SYSTEM), org=SYSTEM)
        self._told: Told | None = None  # by the server's own chain; read once it is needed

    def findings(self, key: str) -> Iterator[Finding]:
        """What is wrong with the object under *key*."""
        trail = self.trail_of(key)
        if trail is self.system:
            self._told = self._told or told_by(trail)
        found = flaws(self.storage, key, trail, self._told if trail is self.system else told_by(trail))
        yield from (Finding(key, flaw) for flaw in found)

    def settle(self, key: str) -> None:
        """Tells of a change of the object under *key* that is untold. What is damaged is left as it is."""
        try:
            self.trail_of(key).append_pending(untold(self.storage, key))
        except _WRONG:
            return

    def trail_of(self, key: str) -> Trail:
        """The trail that tells of the object under *key*."""
        parts = ORGANIZATION.parse(key)
        if parts is None:
            return self.system
        (org,) = parts
        return Trail(home(self.storage, org), org=org)


def told_by(trail: Trail) -> Told | None:
    """What a trail tells; None when its chain is damaged, which is a finding of its own."""
    try:
        return Told(trail.chain())
    except StorageUnavailable:
        return None


def flaws(storage: Storage, key: str, trail: Trail, told: Told | None) -> list[str]:
    """What is wrong with one object. What seems wrong is looked at again: it may have changed since *told* was read."""
    found = _look(storage, key, told)
    return found and _look(storage, key, told_by(trail))


def _look(storage: Storage, key: str, told: Told | None) -> list[str]:
    try:
        document = documents.find(storage, key)
        kind = next(kind for kind in _CHECKS if kind.parse(key) is not None)
        if document is None and kind is not SETTINGS:
            return []  # removed meanwhile
        found = list(_CHECKS[kind](key, document, told or Told(())))
        return found if told else []
    except _WRONG as error:
        return [DAMAGED if getattr(error, "code", documents.DAMAGED_CODE) == documents.DAMAGED_CODE else str(error)]


def _check_settings(_: str, document: Json | None, told: Told) -> Iterator[str]:
    yield from settings_flaws(document, told)
    if document is not None:
        yield from _untold(document, told)


def _check_keys(_: str, document: Json, told: Told) -> Iterator[str]:
    if not all(isinstance(entry["keyid"], str) for entry in document["keys"]):
        raise ValueError("a key has no id")
    yield from _untold(document, told)


def _check_requests(_: str, document: Json, told: Told) -> Iterator[str]:
    for request in document["requests"]:
        requests.load(request)
    yield from _untold(document, told)


def _check_token(key: str, document: Json, told: Told) -> Iterator[str]:
    _check_key(key, TOKEN.key(document["hash"]))
    yield from token_flaws(document, told)
    yield from _untold(document, told)


def _check_organization(key: str, document: Json, told: Told) -> Iterator[str]:
    if not document["events"]:
        yield "no event tells who made this organization: somebody put it here"
    yield from _untold(document, told)


def _check_administrator(key: str, document: Json, told: Told) -> Iterator[str]:
    _check_key(key, ADMINISTRATOR.key(document["name"]))
    yield from administrator_flaws(document, told)
    yield from _untold(document, told)


def _check_session(key: str, document: Json, told: Told) -> Iterator[str]:
    _check_key(key, SESSION.key(document["hash"]))
    yield from session_flaws(document, told)


def _untold(document: Json, told: Told) -> Iterator[str]:
    if not told.holds(document["events"]):
        yield UNTOLD


def _check_key(key: str, own: str) -> None:
    if key != own:
        raise ValueError("an object lies under another one's key")


_CHECKS: dict[ObjectKind, Check] = {
    SETTINGS: _check_settings,
    KEYS: _check_keys,
    EXCEPTION_REQUESTS: _check_requests,
    TOKEN: _check_token,
    ORGANIZATION: _check_organization,
    ADMINISTRATOR: _check_administrator,
    SESSION: _check_session,
}
