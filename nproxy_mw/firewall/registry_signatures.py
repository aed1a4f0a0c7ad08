"""Whether the upstream's own signatures on a version are good: what ``npm audit signatures`` asks, for one version.

A registry signs ``name@version:integrity`` with ECDSA P-256 and lists its public keys at ``/-/npm/v1/keys``. A key that
has expired is good for what was published before. The signature says that the registry has listed this integrity; it
says nothing of who made the package. The time of a publish is the registry's own word and is not signed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from nproxy_mw import signing
from nproxy_mw.errors import NotFound, NproxyError
from nproxy_mw.firewall.review import ReviewedPackage
from nproxy_mw.json_values import Json
from nproxy_mw.npm.routes import Kind, Route
from nproxy_mw.npm.slices import list_of
from nproxy_mw.npm.source import PackageSource
from nproxy_mw.times import time_in

MAX_SIGNATURES = 20
"""Entries of ``dist.signatures`` that are looked at. A registry writes one."""

MAX_KEYS, MAX_KEY_BYTES, MAX_LIST_BYTES = 200, 4096, 256 * 1024
"""Keys that are looked at, and the bytes of one and of the whole list as JSON. A P-256 key has about 300."""

_MAX_SIGNATURE, _MAX_ID = 1024, 200  # characters
_ROUTE = Route(Kind.KEYS)


class SignatureState(StrEnum):
    """What is found of one signature."""

    VALID = "valid"
    UNKNOWN_KEY = "unknown-key"
    """The upstream lists no key of that id."""
    EXPIRED_KEY = "expired-key"
    """The key had expired when the version was published, or that time is not known."""
    WRONG = "wrong"
    """It does not fit name, version and integrity, or it is no signature."""


@dataclass(frozen=True, slots=True)
class RegistrySignature:
    """One signature: what was found of it, and the id of its key as the manifest says it."""

    state: SignatureState
    key: str

    def to_document(self) -> dict[str, str]:
        """Returns the signature as the management API shows it."""
        return {"state": self.state, "keyId": self.key}


@dataclass(frozen=True, slots=True)
class SignatureReport:
    """The signatures of one version. *obstacle* says why they could not be checked; empty when they were.

    A version without any has an empty list and no obstacle.
    """

    signatures: Sequence[RegistrySignature] = ()
    obstacle: str = ""

    @property
    def is_valid(self) -> bool:
        """Whether there are signatures, and all of them are good: one that is not is what npm stops at."""
        return bool(self.signatures) and all(one.state is SignatureState.VALID for one in self.signatures)


NO_KEYS = "The upstream registry gives no signing keys that can be used, so nothing can be checked."
NO_INTEGRITY = "The manifest has no integrity, which is what signatures are about."
UNAVAILABLE = "The upstream registry cannot be asked for its signing keys just now."


def signature_report(source: PackageSource, package: ReviewedPackage, version: str) -> SignatureReport:
    """Returns what the keys that *source* lists say of the signatures on *version* of its *package*."""
    dist = package.manifest(version).get("dist")
    entries = dist.get("signatures") if isinstance(dist, Mapping) else None
    if not isinstance(dist, Mapping) or not isinstance(entries, list) or not entries:
        return SignatureReport()
    integrity = dist.get("integrity")
    if not isinstance(integrity, str) or not integrity:
        return SignatureReport(obstacle=NO_INTEGRITY)
    try:
        keys = keys_of(source)
    except NproxyError:
        return SignatureReport(obstacle=UNAVAILABLE)
    if not keys:
        return SignatureReport(obstacle=NO_KEYS)
    signed = signing.message(str(package.name), version, integrity)
    published = time_in(package.published(version))
    return SignatureReport([checked(entry, keys, signed, published) for entry in entries[:MAX_SIGNATURES]])


def keys_of(source: PackageSource) -> dict[str, Json]:
    """Returns the keys that *source* lists, by id; none when it has no such list.

    Raises:
        ClientError, ServerError: as the source's document.
    """
    try:
        document = source.document(_ROUTE)
    except NotFound:
        return {}
    listed = document.members.get("keys") if document is not None else None
    if listed is None or len(memoryview(listed)) > MAX_LIST_BYTES:
        return {}
    found = (_key(memoryview(one)) for one in list_of(listed)[:MAX_KEYS])
    return {str(key["keyid"]): key for key in found if key is not None}


def checked(entry: Any, keys: Mapping[str, Json], signed: bytes, published: datetime | None) -> RegistrySignature:
    """Returns what is found of one *entry* of ``dist.signatures`` over the bytes *signed*. Pure.

    *published* is when its version was, None when that is not known.
    """
    entry = entry if isinstance(entry, Mapping) else {}
    key_id, signature = entry.get("keyid"), entry.get("sig")
    shown = key_id[:_MAX_ID] if isinstance(key_id, str) else ""
    key = keys.get(shown)
    if key is None:
        return RegistrySignature(SignatureState.UNKNOWN_KEY, shown)
    is_text = isinstance(signature, str) and len(signature) <= _MAX_SIGNATURE
    if key.get("keytype") != signing.P256 or not is_text or not signing.fits(key, signed, str(signature)):
        return RegistrySignature(SignatureState.WRONG, shown)
    if _had_expired(key.get("expires"), published):
        return RegistrySignature(SignatureState.EXPIRED_KEY, shown)
    return RegistrySignature(SignatureState.VALID, shown)


def _key(data: memoryview) -> Json | None:
    """A key of the list; None for what is none, or too large to be one."""
    if len(data) > MAX_KEY_BYTES:
        return None
    try:
        key = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None
    return key if isinstance(key, dict) and isinstance(key.get("keyid"), str) else None


def _had_expired(expires: Any, published: datetime | None) -> bool:
    if expires is None:
        return False
    moment = time_in(str(expires))
    return moment is None or published is None or published >= moment
