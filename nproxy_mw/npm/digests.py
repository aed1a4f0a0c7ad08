"""Digests of a tarball, and whether those that a client states are right.

Grammar of an integrity: https://www.w3.org/TR/SRI/#the-integrity-attribute.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from nproxy_mw.errors import BadRequest

_SUPPORTED = ("sha512", "sha384", "sha256", "sha1")


class Digests(Struct, frozen=True):
    """What `digests` found of *data*."""

    data: bytes
    integrity: str
    shasum: str

    def matches(self, entry: str) -> bool | None:
        """Returns whether an SRI entry (``sha512-<base64>``) is right; None when its algorithm is unknown here."""
        algorithm, _, claimed = entry.partition("?")[0].partition("-")
        if algorithm not in _SUPPORTED:
            return None
        return claimed == _base64(algorithm, self.data)


def digests(data: bytes) -> Digests:
    """Returns the digests that a registry states for a tarball."""
    shasum = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    return Digests(data, f"sha512-{_base64('sha512', data)}", shasum)


def check_claims(dist: Mapping[str, Any], found: Digests) -> None:
    """Checks ``dist.integrity`` and ``dist.shasum``, where given.

    Raises:
        BadRequest: one of them is not of these bytes, or not of a form that can be checked.
    """
    integrity, shasum = dist.get("integrity"), dist.get("shasum")
    if shasum is not None and (not isinstance(shasum, str) or shasum.lower() != found.shasum):
        raise BadRequest("dist.shasum is not the SHA-1 of the tarball that was sent.", code="integrity-mismatch")
    if integrity in (None, found.integrity):
        return
    verdicts = [found.matches(entry) for entry in integrity.split()] if isinstance(integrity, str) else []
    known = [verdict for verdict in verdicts if verdict is not None]
    if not known or not all(known):
        raise BadRequest("dist.integrity is not that of the tarball that was sent.", code="integrity-mismatch")


def _base64(algorithm: str, data: bytes) -> str:
    return base64.b64encode(hashlib.new(algorithm, data, usedforsecurity=False).digest()).decode()
