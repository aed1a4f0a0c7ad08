"""What can be wrong with the objects that carry the events of their changes: damage, and what the trail contradicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, TypeAlias

from nproxy_mw.audit.events import CheckFinding
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import StorageUnavailable
from nproxy_mw.json_values import Json
from nproxy_mw.rules import requests
from nproxy_mw.storage import documents
from nproxy_mw.storage.documents import UnreadableObject
from nproxy_mw.storage.layout import (
    ADMINISTRATOR,
    EXCEPTION_REQUESTS,
    KEYS,
    KINDS,
    ORGANIZATION,
    SESSION,
    SETTINGS,
    SYSTEM,
    TOKEN,
    Care,
    ObjectKind,
    Scope,
    home,
)
from nproxy_mw.storage.port import Storage
from nproxy_mw.upkeep.check_history import (
    TrailHistory,
    check_administrator,
    check_pending,
    check_session,
    check_settings,
    check_token,
)
from nproxy_mw.upkeep.parallel import map_ordered
from nproxy_mw.upkeep.progress import Progress

_DAMAGE = "this is damaged: restore it from a backup"
_NEWER = "this was written by a newer version of nproxy-mw: check it with that version"
DAMAGE_ERRORS = (StorageUnavailable, KeyError, TypeError, ValueError, AttributeError, IndexError)
"""What reading a damaged object raises."""


StateCheck: TypeAlias = Callable[[str, Any, TrailHistory], Iterator[str]]
"""Given an object's key, its document and what the trail records: yields a sentence for everything that is wrong.

It raises one of `DAMAGE_ERRORS` for a damaged document.
"""


def damage_of(error: Exception) -> str:
    """Returns the sentence for an object that could not be read because of *error*, one of `DAMAGE_ERRORS`."""
    if not isinstance(error, StorageUnavailable):
        return _DAMAGE
    if not isinstance(error, UnreadableObject):
        return f"this cannot be read: {error.message}"
    return _NEWER if error.code == documents.NEWER_CODE else _DAMAGE


def state_keys(storage: Storage) -> Iterator[str]:
    """Yields the keys of everything on *storage*, an organization's own, that carries the events of its changes."""
    kinds = (kind for kind in KINDS if kind.scope is Scope.ORGANIZATION and kind.care is Care.COMPARED)
    return chain.from_iterable(kind.keys(storage) for kind in kinds)


def recorded_in(storage: Storage, key: str) -> Sequence[Json]:
    """Returns the events that the object under *key* carries; `Trail.append_pending` finds out which are pending."""
    document = documents.find(storage, key)
    return list(document["events"]) if document else []


def check_states(trail: Trail, progress: Progress) -> Iterator[CheckFinding]:
    """Yields what is wrong with the settings, keys, requests and tokens of *trail*'s organization."""
    history = _history_of(trail)

    def checked(key: str) -> list[CheckFinding]:
        return check_state(trail.storage, key, trail, history)

    for findings in map_ordered(checked, state_keys(trail.storage)):
        progress.count("settings, tokens and keys")
        yield from findings


class AccountCheck:
    """Checks organizations, administrators and sessions, which are in the whole *storage*."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.system = Trail(home(storage, SYSTEM), org=SYSTEM)
        self._history: TrailHistory | None = None  # of the server's own chain; read when it is needed

    def findings(self, key: str) -> Iterator[CheckFinding]:
        """Yields what is wrong with the object under *key*."""
        trail = self._trail_of(key)
        if trail is not self.system:
            yield from check_state(self.storage, key, trail, _history_of(trail))
            return
        self._history = self._history or _history_of(trail)
        yield from check_state(self.storage, key, trail, self._history)

    def append_pending(self, key: str) -> None:
        """Appends the pending events of the object under *key*. A damaged one is left as it is."""
        try:
            self._trail_of(key).append_pending(recorded_in(self.storage, key))
        except DAMAGE_ERRORS:
            return

    def _trail_of(self, key: str) -> Trail:
        """Returns the trail that records changes of the object under *key*."""
        parts = ORGANIZATION.parse(key)
        if parts is None:
            return self.system
        (org,) = parts
        return Trail(home(self.storage, org), org=org)


def _history_of(trail: Trail) -> TrailHistory | None:
    """Returns what a trail records; None when its chain is damaged, which is a finding of its own."""
    try:
        return TrailHistory(trail.chain())
    except StorageUnavailable:
        return None


def check_state(storage: Storage, key: str, trail: Trail, history: TrailHistory | None) -> list[CheckFinding]:
    """Returns what is wrong with one object.

    What seems wrong is checked again on the present history: the object may have changed since *history* was read.
    """
    sentences = _sentences(storage, key, history)
    if sentences:
        sentences = _sentences(storage, key, _history_of(trail))
    return [CheckFinding(key, sentence) for sentence in sentences]


def _sentences(storage: Storage, key: str, history: TrailHistory | None) -> list[str]:
    kind = next(kind for kind in _CHECKS if kind.parse(key) is not None)
    try:
        document = documents.find(storage, key)
        if document is None and kind is not SETTINGS:
            return []  # removed meanwhile
        sentences = list(_CHECKS[kind](key, document, history or TrailHistory(())))
        return sentences if history else []
    except DAMAGE_ERRORS as error:
        return [damage_of(error)]


def _check_settings(_: str, document: Json | None, history: TrailHistory) -> Iterator[str]:
    yield from check_settings(document, history)
    if document is not None:
        yield from check_pending(document, history)


def _check_keys(_: str, document: Json, history: TrailHistory) -> Iterator[str]:
    if not all(isinstance(entry["keyid"], str) for entry in document["keys"]):
        raise ValueError("a key has no id")
    yield from check_pending(document, history)


def _check_requests(_: str, document: Json, history: TrailHistory) -> Iterator[str]:
    for request in document["requests"]:
        requests.load(request)
    yield from check_pending(document, history)


def _check_token(key: str, document: Json, history: TrailHistory) -> Iterator[str]:
    _check_key(key, TOKEN.key(document["hash"]))
    yield from check_token(document, history)
    yield from check_pending(document, history)


def _check_organization(key: str, document: Json, history: TrailHistory) -> Iterator[str]:
    _check_key(key, ORGANIZATION.key(document["id"]))
    if not document["events"]:
        yield "no event records who made this organization, so somebody put it here"
    yield from check_pending(document, history)


def _check_administrator(key: str, document: Json, history: TrailHistory) -> Iterator[str]:
    _check_key(key, ADMINISTRATOR.key(document["name"]))
    yield from check_administrator(document, history)
    yield from check_pending(document, history)


def _check_session(key: str, document: Json, history: TrailHistory) -> Iterator[str]:
    _check_key(key, SESSION.key(document["hash"]))
    yield from check_session(document, history)


def _check_key(key: str, own: str) -> None:
    if key != own:
        raise ValueError("an object is stored under the key of another")


_CHECKS: Mapping[ObjectKind, StateCheck] = MappingProxyType(
    {
        SETTINGS: _check_settings,
        KEYS: _check_keys,
        EXCEPTION_REQUESTS: _check_requests,
        TOKEN: _check_token,
        ORGANIZATION: _check_organization,
        ADMINISTRATOR: _check_administrator,
        SESSION: _check_session,
    }
)
