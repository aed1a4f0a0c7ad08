"""The settings of one organization on Storage: effective at the next request, in every process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

from nproxy_mw.access import Actor
from nproxy_mw.audit.audited import AuditedObject
from nproxy_mw.audit.events import AuditedChange
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import Missing, StorageUnavailable
from nproxy_mw.json_values import Json
from nproxy_mw.orgs.settings_fields import Settings, SettingsError
from nproxy_mw.rules.catalog import Catalog
from nproxy_mw.rules.shipped import SHIPPED
from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import SETTINGS
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.revisions import RevisionCache
from nproxy_mw.times import Clock, utc_now

__all__ = ["Settings", "SettingsError", "SettingsStore"]

GONE = "The organization's settings are gone: see whether the storage is still mounted, and restore what is missing."

_KEY = SETTINGS.key()

SettingsRequest: TypeAlias = Callable[[Settings], object]
"""Given the present settings, what of them is to change, as the management API names it."""


class SettingsStore:
    """The settings on *storage*, the organization's own. While nothing is stored, they are the defaults.

    *is_made* says that the organization was made before. Its settings were stored with it, so missing settings are an
    error; defaults are never assumed. *catalog* has the rules that can be set.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        trail: Trail,
        is_made: bool = False,
        catalog: Catalog = SHIPPED,
        clock: Clock = utc_now,
    ) -> None:
        self.storage = storage
        self.trail = trail
        self.catalog = catalog
        self.clock = clock
        self._settings = RevisionCache(storage, partial(_decode, catalog=catalog))
        self._were_there = is_made

    def get(self) -> Settings:
        """Returns the settings as they are now, after one look at the storage.

        Raises:
            StorageUnavailable: they cannot be read, are damaged, or were there and are gone: a disk that is no longer
                mounted looks like an empty store. Defaults are not assumed, because a forgotten internal scope would be
                asked of the upstream.
        """
        try:
            settings = self._settings.get(_KEY)
        except Missing as error:
            if self._were_there:
                raise StorageUnavailable(GONE, retry_after=10) from error
            return Settings.defaults(self.catalog)
        self._were_there = True
        return settings

    def change(self, document: object, *, actor: Actor) -> Settings:
        """Changes the settings that *document* names, as the management API does; returns all settings.

        Raises:
            SettingsError: something in it is invalid; nothing was changed.
            Busy: others are changing the settings at the same time.
        """
        return self._change(partial(_given, document), actor)

    def ensure_scopes(self, scopes: Iterable[str], *, actor: Actor) -> Settings:
        """Adds those of *scopes* that are not internal yet, as a start with ``internal_scopes=`` does.

        Raises:
            SettingsError: one of them is not a scope.
        """
        return self._change(partial(_more_scopes, tuple(scopes)), actor)

    def add_exception(self, document: Json, *, actor: Actor) -> Settings:
        """Adds the exception that *document* describes, unless it stands already.

        Raises:
            SettingsError: it is invalid, or there are too many.
        """
        return self._change(partial(_one_more_exception, document), actor)

    def block(self, entries: Iterable[str], *, actor: Actor) -> Settings:
        """Adds *entries* to the block list, each once, and switches the rule ``blocklist`` on. In force at once.

        Raises:
            SettingsError: one of them is not an entry, or there are too many.
        """
        return self._change(partial(_more_blocked, tuple(entries)), actor)

    def _change(self, request: SettingsRequest, actor: Actor) -> Settings:
        step = partial(_changed, request=request, author=actor.name, catalog=self.catalog)
        document = AuditedObject(self.storage, _KEY, self.trail).change(step, actor)
        return self.get() if document is None else _of(document, self.catalog)


def _given(document: object, _: Settings) -> object:
    return document


def _more_scopes(scopes: Iterable[str], settings: Settings) -> Json:
    return {"internalScopes": list(dict.fromkeys([*settings.internal_scopes, *scopes]))}


def _more_blocked(entries: Iterable[str], settings: Settings) -> Json:
    standing = settings.rules.get("blocklist", {"entries": ()})["entries"]
    return {"rules": {"blocklist": {"mode": "on", "entries": list(dict.fromkeys([*standing, *entries]))}}}


def _one_more_exception(document: Json, settings: Settings) -> Json:
    standing = [exception.to_document() for exception in settings.exceptions]
    stands = any(document.items() <= exception.items() for exception in standing)
    return {"exceptions": standing if stands else [*standing, document]}


def _changed(
    stored: Json | None, now: datetime, *, request: SettingsRequest, author: str, catalog: Catalog
) -> AuditedChange[Json | None]:
    before = _of(stored, catalog)
    after = before.changed(request(before), author=author, now=now, catalog=catalog)
    if after == before:
        return AuditedChange(None)
    settings = after.stored_document(stored["settings"] if stored else None, catalog)
    return AuditedChange({"settings": settings}, [("settings.changed", _difference(before, after))])


def defaults() -> bytes:
    """Returns what is stored as settings when an organization is made."""
    return documents.encode({"settings": Settings().stored_document(), "events": []})


def _difference(before: Settings, after: Settings) -> dict[str, Any]:
    old, new = before.to_document(), after.to_document()
    keys = [key for key in new if old[key] != new[key]]
    return {"old": {key: old[key] for key in keys}, "new": {key: new[key] for key in keys}}


def _decode(data: bytes, catalog: Catalog) -> Settings:
    return _of(documents.decode(data), catalog)


def _of(document: Json | None, catalog: Catalog) -> Settings:
    if document is None:
        return Settings.defaults(catalog)
    try:
        return Settings.from_document(document["settings"], catalog)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise documents.damaged() from error
