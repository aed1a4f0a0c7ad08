"""A package's history: the few facts of a packument that security rules read, as values. Pure.

A packument of the upstream may have 19 MB. These facts are read from it in one typed pass, so that a rule never walks
trees of objects. A fact that the packument does not give is None or empty: a rule must be able to distinguish "no"
from "unknown".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import accumulate, islice
from operator import itemgetter

import msgspec
from msgspec import Struct, field

from nproxy_mw.lazy import lazy
from nproxy_mw.npm.versions import SortKey, Version, parse_loose

NO_EVIDENCE, PROVENANCE, TRUSTED_PUBLISHER, STAGED = 0, 1, 2, 3
"""How well a release says who built it: not at all; by a provenance attestation; by one of a trusted publisher; by a
staged publish that a second person approved."""

INSTALL_SCRIPTS = ("preinstall", "install", "postinstall")
"""Scripts that npm runs when it installs a package."""

_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


class Release(msgspec.Struct, frozen=True, kw_only=True, dict=True):
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

    @lazy
    def number(self) -> Version | None:
        """The version as npm reads it, strictly or not; None for a text that is no version."""
        return parse_loose(self.version)

    @property
    def major(self) -> int | None:
        """The first number of the version; None for a text that is no version even loosely."""
        number = self.number
        return number.release[0] if number is not None else None

    @property
    def is_stable(self) -> bool:
        """Whether it is a version, and no prerelease."""
        number = self.number
        return number is not None and not number.prerelease

    @lazy
    def install_scripts(self) -> Mapping[str, str]:
        """What npm runs at an install, ``node-gyp rebuild`` included, which ``gypfile`` stands for."""
        scripts = {name: self.scripts[name] for name in INSTALL_SCRIPTS if self.scripts.get(name)}
        if self.gypfile and "install" not in scripts and "preinstall" not in scripts:
            scripts["install"] = "node-gyp rebuild"
        return scripts


class History(Struct, frozen=True, kw_only=True, dict=True):
    """A package as its packument describes it: every version that the upstream lists, strict semver or not.

    *releases* keep the packument's order. *created* is the packument's ``time.created``, else the earliest time that it
    gives any version, removed ones included; *modified* is its ``time.modified``. *removed* are versions that stand in
    ``time`` and no longer in ``versions``. *maintainers* are names, empty when there are none.
    """

    name: str
    releases: tuple[Release, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    created: datetime | None = None
    modified: datetime | None = None
    removed: frozenset[str] = frozenset()
    maintainers: tuple[str, ...] = ()

    @lazy
    def by_number(self) -> tuple[Release, ...]:
        """The releases in npm's order of versions, lowest first. A text that is no version is below all versions."""
        return tuple(sorted(self.releases, key=_precedence))

    @lazy
    def _precedences(self) -> tuple[SortKey, ...]:
        """Of each release of `by_number`: looking at them together spares thousands of questions to each release."""
        return tuple(map(_precedence, self.by_number))

    @lazy
    def has_import_times(self) -> bool:
        """Whether the times are those at which a mirror imported the versions, and say nothing of their order.

        That is so when, of all pairs of neighbors by number that have one major version and both a time, more than a
        fifth have the lower version later.
        """
        last: dict[int | None, datetime] = {}
        neighbors = reversed_ = 0
        for release, precedence in zip(self.by_number, self._precedences, strict=True):
            time = release.published
            if time is None:
                continue
            major = precedence[0][0] if precedence else None
            before = last.get(major)
            if before is not None:
                neighbors += 1
                reversed_ += before > time
            last[major] = time
        return reversed_ * 5 > neighbors

    @lazy
    def is_ordered_by_number(self) -> bool:
        """Whether `by_publication` is `by_number`, because the times are a mirror's, or there are none."""
        return self.has_import_times or not any(release.published for release in self.releases)

    @lazy
    def by_publication(self) -> tuple[Release, ...]:
        """The releases in the order of (time, number), oldest first; by number where the times are a mirror's.

        A release without a time follows the one below it by number.
        """
        if self.has_import_times:
            return self.by_number
        given = [release.published for release in self.by_number]
        times = accumulate(given, _filled, initial=_BEFORE_ALL) if None in given else (_BEFORE_ALL, *given)
        pairs = zip(islice(times, 1, None), self.by_number, strict=True)
        return tuple(release for _, release in sorted(pairs, key=itemgetter(0)))

    @lazy
    def stable_below(self) -> Mapping[str, Release | None]:
        """For each version, the highest lower stable release; it is of the same major version where there is one.

        Versions of one precedence, such as 1.0.0 and 1.0.0+build, are not below each other.
        """
        highest: Release | None = None
        last: Release | None = None
        before: SortKey = ()
        found: dict[str, Release | None] = {}
        for release, precedence in zip(self.by_number, self._precedences, strict=True):
            if before and before[1] and before != precedence:  # it was stable
                highest = last
            found[release.version] = highest
            last, before = release, precedence
        return found


def _filled(last: datetime, time: datetime | None) -> datetime:
    return time or last


def _precedence(release: Release) -> SortKey:
    number = release.number
    return number.precedence if number is not None else ()
