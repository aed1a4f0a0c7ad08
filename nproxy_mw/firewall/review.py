"""Review: a package as the upstream has it, for people who decide about a hold. Held versions are there, too.

Clients get none of this: they read `Firewall.source`, which leaves out what the rules hold.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Raw

from nproxy_mw.errors import BadRequest, NotFound, UpstreamTimeout
from nproxy_mw.firewall.firewall import Firewall
from nproxy_mw.npm.documents import Blob
from nproxy_mw.npm.forms import pointing_tags
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.slices import Members, as_text, members_of
from nproxy_mw.npm.source import PackageSource
from nproxy_mw.npm.versions import sort_key
from nproxy_mw.rules.decisions import Decision
from nproxy_mw.upstream.kept_tarballs import wanted
from nproxy_mw.upstream.verifying import Verifier, verified

MAX_PACKED = 32 * 2**20
"""Bytes of a tarball that is read into memory for a person. Larger ones are left to the command line."""

PATIENCE = 20.0
"""Seconds that a person waits for a tarball; what has come by then is kept, so that the next look goes on."""

_LONGEST_TIME = 40  # characters
_TOO_LARGE = "The tarball is too large to be opened on a page."
_TOO_SLOW = "The upstream registry is slow to send the tarball: try again in a moment."


@dataclass(frozen=True, slots=True)
class ReviewedPackage:
    """One package of the upstream. *versions* are the highest first; *tags* are the upstream's own.

    *decision* says what the rules make of it.
    """

    name: Name
    versions: Sequence[str]
    tags: Mapping[str, str]
    decision: Decision
    _source: PackageSource
    _manifests: Mapping[str, Members]
    _times: Members

    def manifest(self, version: str) -> dict[str, Any]:
        """Returns the manifest of a version as JSON. What cannot be read of it is left out."""
        return {key: value for key, raw in self._manifests[version].items() if (value := _plain(raw)) is not None}

    def published(self, version: str) -> str:
        """Returns when a version was published, as the upstream writes it; empty when it does not say."""
        return (as_text(self._times.get(version)) or "")[:_LONGEST_TIME]

    def tarball(self, version: str, *, monotonic: Callable[[], float] = time.monotonic) -> bytes:
        """Returns the tarball of a version, whole, and verified where its manifest has a digest.

        Raises:
            BadRequest: it has more than `MAX_PACKED` bytes.
            UpstreamTimeout: it takes longer than `PATIENCE`.
            NotFound, Forbidden, UpstreamUnavailable, Busy: as the source's tarball.
        """
        filename = self.name.tarball(version)
        end = monotonic() + PATIENCE
        digest = wanted(self.name, filename, self._manifests[version]).digest
        with self._source.tarball(self.name, filename) as blob:
            data = _within(blob, lambda: monotonic() > end)
        return b"".join(verified([data], Verifier(digest)))


def reviewed(firewall: Firewall, name: Name) -> ReviewedPackage:
    """Returns the package *name* before any rule.

    Raises:
        NotFound: there is no such package.
        Forbidden, UpstreamUnavailable, UpstreamTimeout, Busy: as the source's packument.
    """
    document = firewall.unruled.packument(name)
    if document is None:
        raise NotFound("The upstream registry has no such package.", code="package-not-found")
    decision = firewall.source.decision(name)
    with document.alone():
        packument = document.packument
        return ReviewedPackage(
            name,
            sorted(packument.versions, key=sort_key, reverse=True),
            pointing_tags(packument),
            decision,
            firewall.unruled,
            packument.versions,
            members_of(packument.members.get("time")),
        )


def _within(blob: Blob, is_late: Callable[[], bool]) -> bytes:
    if blob.size is not None and blob.size > MAX_PACKED:
        raise BadRequest(_TOO_LARGE, code="tarball-too-large")
    data = bytearray()
    for chunk in blob:
        data += chunk
        if len(data) > MAX_PACKED:
            raise BadRequest(_TOO_LARGE, code="tarball-too-large")
        if is_late():
            raise UpstreamTimeout(_TOO_SLOW)
    return bytes(data)


def _plain(raw: Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
