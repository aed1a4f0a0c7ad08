"""The organizations of one storage: what they are called, and which there are.

Their records are in a folder of their own, so that listing organizations does not walk through all their packages.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

from msgspec import Struct

from nproxy_mw.access import Actor
from nproxy_mw.audit.audited import AuditedObject
from nproxy_mw.audit.events import AuditedChange
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import BadRequest, Conflict, Exists, Missing, StorageUnavailable
from nproxy_mw.json_values import Json
from nproxy_mw.orgs import settings
from nproxy_mw.orgs.labels import MAX_NAME, is_name
from nproxy_mw.storage import documents, layout
from nproxy_mw.storage.layout import ORGANIZATION, SETTINGS
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.prefixed import Prefixed
from nproxy_mw.storage.revisions import RevisionCache
from nproxy_mw.times import Clock, timestamp, utc_now

# RFC 1035 2.3.1, as RFC 1123 relaxed it: one label of a host name. Punycode labels are left out: they show as another.
_SLUG = re.compile(r"(?!xn--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)

# fmt: off
RESERVED = frozenset(
    {
        "admin", "api", "app", "assets", "audit", "auth", "cdn", "dashboard", "docs", "favicon", "health",
        "healthz", "help", "internal", "localhost", "login", "logout", "mail", "metrics", "nproxy", "npm",
        "orgs", "ping", "public", "readyz", "registry", "search", "settings", "static", "status", "support",
        "system", "www",
    }
)
# fmt: on
"""Names that a server may want for a host or a path of its own."""


class OrganizationRecord(Struct, frozen=True):
    """One tenant. *id* is a label of a host name; *name* is for people."""

    id: str
    name: str
    created_at: str

    def to_document(self) -> dict[str, Any]:
        """Returns the organization as the management API shows it."""
        return {"id": self.id, "name": self.name, "createdAt": self.created_at}


class OrganizationDirectory:
    """The organizations on *storage*, the whole one."""

    def __init__(self, storage: Storage, *, clock: Clock = utc_now) -> None:
        self.storage = storage
        self.clock = clock
        self._records = RevisionCache(storage, _decode)

    def home(self, org: str) -> Prefixed:
        """Returns the organization's own part of the storage. Raises `ValueError` when *org* cannot be an id."""
        if not is_slug(org):
            raise ValueError("not an organization's id")
        return layout.home(self.storage, org)

    def trail(self, org: str) -> Trail:
        """Returns the organization's audit trail."""
        return Trail(self.home(org), org=org, clock=self.clock)

    def create(self, org: object, name: object = None, *, actor: Actor) -> OrganizationRecord:
        """Makes an organization and returns it. If *name* is None, its id is its name.

        Raises:
            BadRequest: the id or the name is invalid.
            Conflict: there is an organization with that id.
        """
        made = OrganizationRecord(check_id(org), check_name(org if name is None else name), timestamp(self.clock()))
        # First, so that every organization has settings, and missing ones are a loss.
        with suppress(Exists):
            self.home(made.id).create(SETTINGS.key(), settings.defaults())
        created = AuditedObject(self.storage, ORGANIZATION.key(made.id), self.trail(made.id))
        created.change(partial(_created, made=made), actor)
        return made

    def ensure(self, org: str, *, actor: Actor) -> OrganizationRecord:
        """Returns the organization, and makes it first when there is none: for a server of one fixed organization.

        Raises:
            StorageUnavailable: it was made before, and its settings are gone. Serving without them could ask the
                upstream for internal names.
        """
        found = self.find(org)
        if found is None:
            try:
                return self.create(org, actor=actor)
            except Conflict:
                return self._records.get(ORGANIZATION.key(org))
        try:
            self.home(org).read(SETTINGS.key())
        except Missing as error:
            raise StorageUnavailable(settings.GONE, retry_after=10) from error
        return found

    def find(self, org: str) -> OrganizationRecord | None:
        """Returns the organization, or None: after one look at the storage, and none for what cannot be an id."""
        if not is_slug(org):
            return None
        try:
            return self._records.get(ORGANIZATION.key(org))
        except Missing:
            return None

    def exists(self, org: str) -> bool:
        """Returns whether there is such an organization."""
        return self.find(org) is not None

    def list(self) -> list[OrganizationRecord]:
        """Returns all organizations, by id."""
        ids = sorted(ORGANIZATION.names(self.storage))
        return [found for found in map(self.find, ids) if found is not None]


def is_slug(text: str) -> bool:
    """Returns whether *text* can be an organization's id: a host name label, lower case, at most 63 characters."""
    return bool(_SLUG.fullmatch(text))


def check_id(org: object) -> str:
    """Returns the id of a new organization when it is valid. Raises `BadRequest`."""
    if not isinstance(org, str) or not is_slug(org):
        raise BadRequest(
            "An organization's id has 1 to 63 lower-case letters, digits and '-', and begins and ends with no '-'.",
            code="invalid-organization",
        )
    if org in RESERVED:
        raise BadRequest("That id is kept for the server's own use: choose another.", code="invalid-organization")
    return org


def check_name(name: object) -> str:
    """Returns an organization's name when it is valid. Raises `BadRequest`."""
    if not is_name(name):
        raise BadRequest(f"An organization's name has 1 to {MAX_NAME} printable characters.", code="invalid-name")
    return name


def _created(stored: Json | None, _: datetime, *, made: OrganizationRecord) -> AuditedChange[Json | None]:
    if stored is not None:
        raise Conflict("There is an organization with that id already.", code="organization-exists")
    return AuditedChange(made.to_document(), [("organization.created", {"name": made.name})])


def _decode(data: bytes) -> OrganizationRecord:
    document: Json = documents.decode(data)
    try:
        return OrganizationRecord(document["id"], document["name"], document["createdAt"])
    except KeyError as error:
        raise documents.damaged() from error
