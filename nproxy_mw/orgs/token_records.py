"""What is stored of one API token, and which names, scopes and expiries are valid."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from msgspec import Struct, field

from nproxy_mw.access import Grant, Principal
from nproxy_mw.errors import BadRequest
from nproxy_mw.json_values import Json
from nproxy_mw.orgs.labels import MAX_NAME, is_name
from nproxy_mw.restrictions import UNRESTRICTED, Restrictions, parse_addresses, parse_packages
from nproxy_mw.storage import documents
from nproxy_mw.times import from_timestamp, from_timestamp_or_none, timestamp, timestamp_or_none

ID_LENGTH = 16  # hex digits: 64 bits, so two tokens of one organization do not share one


_FIELDS = frozenset(
    [
        *("format", "hash", "id", "name", "scopes", "createdAt", "expiresAt", "lastUsedAt", "revokedAt", "events"),
        *("packages", "addresses", "restricted"),
    ]
)


class TokenRecord(Struct, frozen=True, dict=True):
    """What is known of one API token. *hash* is the SHA-256 of the whole token.

    *unknown* holds the fields that another version of this package added: they are kept as they are.
    """

    hash: str
    name: str
    grants: frozenset[Grant]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    restrictions: Restrictions = UNRESTRICTED
    events: tuple[Json, ...] = ()  # the audit events of this token, written together with it
    unknown: Json = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Names the token to people."""
        return self.hash[:ID_LENGTH]

    @cached_property
    def principal(self) -> Principal:
        """The caller that holds this token. It is made once, because each request asks for it."""
        return Principal(self.name, self.grants, self.id, self.hash, self.expires_at, self.restrictions)

    def is_valid(self, now: datetime) -> bool:
        """Returns whether the token is valid: neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def to_document(self) -> dict[str, Any]:
        """Returns the token as the management API shows it. Null stands for all packages, and for all addresses."""
        return {
            "id": self.id,
            "name": self.name,
            "scopes": sorted(self.grants),
            **{what: entries or None for what, entries in self.restrictions.to_document().items()},
            "createdAt": timestamp(self.created_at),
            "expiresAt": timestamp_or_none(self.expires_at),
            "lastUsedAt": timestamp_or_none(self.last_used_at),
            "revokedAt": timestamp_or_none(self.revoked_at),
        }


def check_name(name: object) -> str:
    """Returns a token's name when it is valid. Raises `BadRequest`."""
    if not is_name(name):
        raise BadRequest(f"A token's name has 1 to {MAX_NAME} printable characters.", code="invalid-token-name")
    return name


def check_grants(grants: object) -> frozenset[Grant]:
    """Returns what a token may do when it is valid. Raises `BadRequest`."""
    if isinstance(grants, Iterable) and not isinstance(grants, str | bytes):
        given = list(grants)
        if given and all(isinstance(grant, str) and grant in set(Grant) for grant in given):
            return frozenset(Grant(grant) for grant in given)
    raise BadRequest("A token's scopes are a list of 'proxy', 'publish' or both.", code="invalid-token-scopes")


def check_expiry(expires_at: datetime | None, now: datetime) -> datetime | None:
    """Returns a token's expiry when it is in the future. Raises `BadRequest`."""
    if expires_at is not None and (expires_at.tzinfo is None or expires_at <= now):
        raise BadRequest("A token expires at a time in the future, given with its zone.", code="invalid-expiry")
    return expires_at.astimezone(UTC) if expires_at else None


def named(record: TokenRecord) -> dict[str, Any]:
    """Returns the token as an audit event names it."""
    return {
        "id": record.id,
        "hash": record.hash,
        "name": record.name,
        "scopes": sorted(record.grants),
        "expiresAt": timestamp_or_none(record.expires_at),
        **(record.restrictions.to_document() if record.restrictions else {}),
    }


def stored_document(record: TokenRecord) -> dict[str, Any]:
    """Returns the token as it is stored.

    The scopes of a restricted token are stored inside ``restricted``, so that a version of this package that knows no
    restrictions finds a token without scopes, which may do nothing.
    """
    stored = {**record.unknown, **record.to_document(), "hash": record.hash, "events": list(record.events)}
    restricted = {"scopes": stored["scopes"], "packages": stored.pop("packages"), "addresses": stored.pop("addresses")}
    return {**stored, "scopes": [], "restricted": restricted} if record.restrictions else stored


def encode(record: TokenRecord) -> bytes:
    """Returns the bytes that are stored."""
    return documents.encode(stored_document(record))


def decode(data: bytes) -> TokenRecord:
    """Returns the token that `encode` stored. Raises `UnreadableObject`."""
    return from_document(documents.decode(data))


def from_document(document: Json) -> TokenRecord:
    """Returns the token that `stored_document` described. Raises `UnreadableObject`."""
    try:
        restricted = document.get("restricted")
        return TokenRecord(
            hash=document["hash"],
            name=document["name"],
            grants=frozenset(Grant(scope) for scope in (restricted or document)["scopes"]),
            created_at=from_timestamp(document["createdAt"]),
            expires_at=from_timestamp_or_none(document["expiresAt"]),
            revoked_at=from_timestamp_or_none(document["revokedAt"]),
            last_used_at=from_timestamp_or_none(document["lastUsedAt"]),
            restrictions=_restrictions(restricted) if restricted is not None else UNRESTRICTED,
            events=tuple(document["events"]),
            unknown={key: value for key, value in document.items() if key not in _FIELDS},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise documents.damaged() from error


def _restrictions(stored: Json) -> Restrictions:
    found = Restrictions(parse_packages(stored["packages"]), parse_addresses(stored["addresses"]))
    if not found:
        raise ValueError("a restricted token that nothing restricts")
    return found
