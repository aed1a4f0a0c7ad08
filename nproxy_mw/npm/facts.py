"""What a packument tells about a package's history: the few facts that security rules read, as values. Pure.

A packument of the upstream may have 19 MB. These facts are read from it in one typed pass (`nproxy_mw.npm.slices`), so
that a rule never walks trees of objects. A fact that the packument does not give is None or empty: a rule must be able
to tell "no" from "cannot tell".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

NO_EVIDENCE, PROVENANCE, TRUSTED_PUBLISHER, STAGED = 0, 1, 2, 3
"""How well a release says who built it: not at all; by a provenance attestation; by one of a trusted publisher; by a
staged publish that a second person approved."""

INSTALL_SCRIPTS = ("preinstall", "install", "postinstall")
"""Scripts that npm runs when it installs a package."""


class Release(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One version, as the packument describes it.

    *published* is an aware UTC time. *scripts* holds ``preinstall``, ``install``, ``postinstall`` and ``prepare``
    alone, those that are not empty. *publisher* is ``_npmUser.name``. *evidence* is one of the constants above, or
    None when no version of the packument carries the fields it is read from. *integrity* is ``dist.integrity`` as it
    stands.
    """

    version: str
    published: datetime | None = None
    dependencies: Mapping[str, str] = {}
    optional_dependencies: Mapping[str, str] = {}
    scripts: Mapping[str, str] = {}
    gypfile: bool = False
    publisher: str | None = None
    evidence: int | None = None
    integrity: str | None = None
    unpacked_size: int | None = None  # bytes
    file_count: int | None = None
    deprecated: bool = False


class History(msgspec.Struct, frozen=True, kw_only=True):
    """A package as its packument describes it: every version that the upstream lists, strict semver or not.

    *releases* keep the packument's order. *created* and *modified* are the packument's own times. *removed* are
    versions that stand in ``time`` and no longer in ``versions``. *maintainers* are names, empty when the packument
    has none.
    """

    name: str
    releases: tuple[Release, ...] = ()
    tags: Mapping[str, str] = {}
    created: datetime | None = None
    modified: datetime | None = None
    removed: frozenset[str] = frozenset()
    maintainers: tuple[str, ...] = ()
