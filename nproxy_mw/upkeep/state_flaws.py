"""What can be wrong with an organisation's settings, tokens and keys: damage, and changes that nobody told of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from nproxy_mw.errors import Missing, StorageUnavailable
from nproxy_mw.npm.packuments import Json
from nproxy_mw.orgs import objects, settings_fields, token_records, tokens
from nproxy_mw.orgs.audit import Trail
from nproxy_mw.orgs.findings import Finding
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.prefixed import Prefixed
from nproxy_mw.upkeep.layout import HOMES, SYSTEM, Kind, place_of
from nproxy_mw.upkeep.progress import Progress
from nproxy_mw.upkeep.spreading import spread

SETTINGS = "settings.json"
KEYS = "keys.json"

_UNTOLD = "the audit trail does not tell of the last change yet: run 'nproxy-mw check --repair'"
DAMAGED = "this is damaged or of a newer format: restore it from a backup"
_WRONG = (StorageUnavailable, KeyError, TypeError, ValueError, AttributeError)


class Planted(ValueError):
    """An object that is well formed, and that the registry never wrote."""

    code = "planted"


def state_keys(storage: Storage) -> Iterator[str]:
    """The keys of everything that carries the events that tell of it."""
    return chain((SETTINGS, KEYS), storage.list(tokens.FOLDER))


def untold(trail: Trail, key: str) -> Sequence[Json]:
    """The events that stand beside what they tell of; which of them hang in the chain, `Trail.settle` finds out."""
    document = objects.find(trail.storage, key)
    return list(document["events"]) if document else []


def state_findings(trail: Trail, progress: Progress) -> Iterator[Finding]:
    """What is wrong in *trail*'s organisation."""

    def look(key: str) -> tuple[str, Sequence[Json], str]:
        try:
            document = objects.find(trail.storage, key)
            return (key, _check(key, document), "") if document else (key, (), "")
        except _WRONG as error:
            return key, (), _sentence(error)

    for key, told, flaw in spread(look, state_keys(trail.storage)):
        progress.count("settings, tokens and keys")
        if flaw:
            yield Finding(key, flaw)
        elif not all(holds(trail, event) for event in told):
            yield Finding(key, _UNTOLD)


def account_findings(storage: Storage, key: str, *, repair: bool) -> Iterator[Finding]:
    """What is wrong with an organisation's or an administrator's own record, which lie in the whole *storage*.

    With *repair*, a change that is untold is told.
    """
    org = key.rpartition("/")[2].removesuffix(".json") if place_of(key).kind is Kind.ORGANISATION else SYSTEM
    trail = Trail(Prefixed(storage, f"{HOMES}/{org}"), org=org)
    try:
        told = list((objects.find(storage, key) or {"events": ()})["events"])
        if repair:
            trail.settle(told)
        elif not all(holds(trail, event) for event in told):
            yield Finding(key, _UNTOLD)
    except _WRONG as error:
        yield Finding(key, _sentence(error))


def holds(trail: Trail, event: Json) -> bool:
    """Whether the administration's chain holds *event*. Newest first: what is told of last is found at once."""
    try:
        return any(
            isinstance(hung, dict) and hung.get("id") == event["id"]
            for segment in trail.segments()
            for hung in segment.chain
        )
    except (StorageUnavailable, Missing):
        return True  # the chain is damaged, and that is told by itself


def _sentence(error: Exception) -> str:
    return DAMAGED if getattr(error, "code", objects.DAMAGED_CODE) == objects.DAMAGED_CODE else str(error)


def _check(key: str, document: dict[str, Any]) -> Sequence[Json]:
    """The events of an object that is as it should be."""
    _CHECKS.get(key, _check_token)(key, document)
    return list(document["events"])


def _check_settings(key: str, document: dict[str, Any]) -> None:
    settings_fields.from_document(document["settings"])


def _check_keys(key: str, document: dict[str, Any]) -> None:
    if not all(isinstance(entry["keyid"], str) for entry in document["keys"]):
        raise ValueError("a key has no id")


def _check_token(key: str, document: dict[str, Any]) -> None:
    if f"{tokens.FOLDER}/{token_records.from_document(document).hash}.json" != key:
        raise ValueError("a token's record lies under another token's key")
    if not any(event["event"] == "token.created" for event in document["events"]):
        raise Planted("no event tells who made this token: somebody put it here; revoke it")


_CHECKS: dict[str, Callable[[str, dict[str, Any]], None]] = {SETTINGS: _check_settings, KEYS: _check_keys}
