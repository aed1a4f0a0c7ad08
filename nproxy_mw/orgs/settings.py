"""The settings of one organization on Storage: effective at the next request, in every process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from nproxy_mw.access import Actor
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import Missing, StorageUnavailable
from nproxy_mw.json_values import Json
from nproxy_mw.orgs.settings_fields import Settings, SettingsError, changed, from_document, stored_document
from nproxy_mw.storage import documents
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.revisions import RevisionCache
from nproxy_mw.times import Clock, utc_now

__all__ = ["Settings", "SettingsError", "SettingsSource", "SettingsStore", "StaticSettings"]

KEY = "settings.json"
_DEFAULTS = Settings()
GONE = "The organization's settings are gone: see whether the storage is still mounted, and restore what is missing."


class SettingsSource(Protocol):
    """Whoever knows an organization's settings."""

    def get(self) -> Settings:
        """The settings as they are now."""
        ...


@dataclass(frozen=True, slots=True)
class StaticSettings:
    """Settings from the host's own code: they never change."""

    settings: Settings = _DEFAULTS

    def get(self) -> Settings:
        """The settings."""
        return self.settings


class SettingsStore:
    """The settings on *storage*, the organization's own. While nothing is stored, they are the defaults.

    *is_made*: the organization is known to have been made, and settings are stored with it. Settings that are not there
    are lost then, and never the defaults.
    """

    def __init__(self, storage: Storage, *, trail: Trail, is_made: bool = False, clock: Clock = utc_now) -> None:
        self.storage = storage
        self.trail = trail
        self.clock = clock
        self._remembered = RevisionCache(storage, _decode)
        self._were_there = is_made

    def get(self) -> Settings:
        """The settings as they are now: one look at the storage.

        Raises:
            StorageUnavailable: they cannot be read, are damaged, or are gone though they were there: a disk that is no
                longer mounted looks like an empty store. They never fall back to the defaults then: an internal scope
                that is forgotten for a moment would be asked of the upstream.
        """
        try:
            settings = self._remembered.get(KEY)
        except Missing as error:
            if self._were_there:
                raise StorageUnavailable(GONE, retry_after=10) from error
            return _DEFAULTS
        self._were_there = True
        return settings

    def change(self, document: object, *, actor: Actor) -> Settings:
        """Changes the settings that *document* names, in the management API's words; answers all of them.

        Raises:
            SettingsError: something in it will not do; nothing was changed.
            Busy: others are changing them at the same time.
        """
        return self._change(lambda _: document, actor)

    def ensure_scopes(self, scopes: Iterable[str], *, actor: Actor) -> Settings:
        """Adds those of *scopes* that are not internal yet: what a start with ``internal_scopes=`` does.

        Raises:
            SettingsError: one is not a scope.
        """
        wanted = dict.fromkeys(scopes)

        def more(settings: Settings) -> Json:
            return {"internalScopes": list(dict.fromkeys([*settings.internal_scopes, *wanted]))}

        return self._change(more, actor)

    def repair(self) -> bool:
        """Tells of a change that a crash left untold. Whether there was one."""
        document = documents.find(self.storage, KEY)
        return document is not None and bool(self.trail.settle(document["events"]))

    def _change(self, wish: Callable[[Settings], object], actor: Actor) -> Settings:
        told: list[Json] = []
        result = _DEFAULTS

        def step(document: dict[str, Any] | None) -> Json | None:
            nonlocal result
            told[:] = []
            before = _of(document)
            result = changed(before, wish(before), author=actor.name, now=self.clock())
            if result == before:
                return None
            if document:
                self.trail.settle(document["events"])  # what is overwritten now must have been told
            told[:] = [self.trail.new("settings.changed", actor, **_difference(before, result))]
            return {"settings": stored_document(result), "events": told}

        documents.change(self.storage, KEY, step)
        self._remembered.forget(KEY)
        self.trail.append(told)
        return result


def defaults() -> bytes:
    """What is stored as settings when an organization is made."""
    return documents.encode({"settings": stored_document(_DEFAULTS), "events": []})


def _difference(before: Settings, after: Settings) -> dict[str, Any]:
    old, new = before.to_document(), after.to_document()
    keys = [key for key in new if old[key] != new[key]]
    return {"old": {key: old[key] for key in keys}, "new": {key: new[key] for key in keys}}


def _decode(data: bytes) -> Settings:
    return _of(documents.decode(data))


def _of(document: Json | None) -> Settings:
    if document is None:
        return _DEFAULTS
    try:
        return from_document(document["settings"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise documents.damaged() from error
