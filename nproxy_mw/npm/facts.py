"""What a packument tells about a package's history: the few facts that security rules read, as values. Pure.

A packument of the upstream may have 19 MB. These facts are read from it in one typed pass, so that a rule never walks
trees of objects. A fact that the packument does not give is None or empty: a rule must be able to tell "no" from
"cannot tell".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

import msgspec

from nproxy_mw.npm.versions import parse_loose, sort_key

NO_EVIDENCE, PROVENANCE, TRUSTED_PUBLISHER, STAGED = 0, 1, 2, 3
"""How well a release says who built it: not at all; by a provenance attestation; by one of a trusted publisher; by a
staged publish that a second person approved."""

INSTALL_SCRIPTS = ("preinstall", "install", "postinstall")
"""Scripts that npm runs when it installs a package."""

_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One version, as the packument describes it.

    *published* is an aware UTC time. *scripts* holds ``preinstall``, ``install``, ``postinstall`` and ``prepare``
    alone, those that are not empty. *publisher* is ``_npmUser.name``. *evidence* is one of the constants above, or None
    when no version of the packument carries the fields it is read from. *integrity* is ``dist.integrity`` as it stands.
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

    @property
    def major(self) -> int | None:
        """The first number of the version; None for a text that is no version even loosely."""
        version = parse_loose(self.version)
        return version.release[0] if version else None

    @property
    def is_stable(self) -> bool:
        """Whether it is a version, and no prerelease."""
        version = parse_loose(self.version)
        return version is not None and version.is_stable

    @property
    def install_scripts(self) -> Mapping[str, str]:
        """What npm runs at an install, ``node-gyp rebuild`` included, which ``gypfile`` stands for."""
        scripts = {name: self.scripts[name] for name in INSTALL_SCRIPTS if self.scripts.get(name)}
        if self.gypfile and "install" not in scripts and "preinstall" not in scripts:
            scripts["install"] = "node-gyp rebuild"
        return scripts


@dataclass(frozen=True, kw_only=True)
class History:
    """A package as its packument describes it: every version that the upstream lists, strict semver or not.

    *releases* keep the packument's order. *created* and *modified* are the packument's own times. *removed* are
    versions that stand in ``time`` and no longer in ``versions``. *maintainers* are names, empty when there are none.
    """

    name: str
    releases: tuple[Release, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    created: datetime | None = None
    modified: datetime | None = None
    removed: frozenset[str] = frozenset()
    maintainers: tuple[str, ...] = ()

    @cached_property
    def by_number(self) -> tuple[Release, ...]:
        """The releases in npm's order of versions, lowest first."""
        return tuple(sorted(self.releases, key=lambda release: sort_key(release.version)))

    @cached_property
    def has_import_times(self) -> bool:
        """Whether the times are those at which a mirror imported the versions, and say nothing of their order.

        That is so when more than a fifth of the neighbors of one major version are out of order.
        """
        last: dict[int | None, datetime] = {}
        neighbors = reversed_ = 0
        for release in self.by_number:
            if release.published is None:
                continue
            before = last.get(release.major)
            neighbors += before is not None
            reversed_ += before is not None and before > release.published
            last[release.major] = release.published
        return reversed_ * 5 > neighbors

    @cached_property
    def by_publication(self) -> tuple[Release, ...]:
        """The releases in the order of their publication, oldest first; by number where the times are a mirror's."""
        if self.has_import_times:
            return self.by_number
        return tuple(sorted(self.by_number, key=lambda release: release.published or _BEFORE_ALL))

    @cached_property
    def stable_below(self) -> Mapping[str, tuple[Release | None, Release | None]]:
        """For each version, the highest lower stable release of its major version, and of any."""
        of_major: dict[int | None, Release] = {}
        of_any: Release | None = None
        found: dict[str, tuple[Release | None, Release | None]] = {}
        for release in self.by_number:
            found[release.version] = of_major.get(release.major), of_any
            if release.is_stable:
                of_major[release.major] = of_any = release
        return found
