"""Which versions an OSV record affects: exactly as OSV defines it. Pure.

A version is affected when it is listed, or when any range holds it. A range is walked in the order of its events'
versions: ``introduced`` turns it on from its version, ``fixed`` off from its version, ``last_affected`` off above its
version. What is introduced where something is fixed is introduced. With ``limit`` events, only versions below one of
them are in. Prereleases take part in plain order.

Source: https://ossf.github.io/osv-schema/#evaluation. Where a database does not keep to it, more is affected rather
than less: an ``introduced`` that is no version counts as the beginning, and any other such event as absent.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from nproxy_mw.copies import replace
from nproxy_mw.intelligence.advisories import Advisory, Events
from nproxy_mw.intelligence.port import Alert
from nproxy_mw.npm.facts import Release
from nproxy_mw.npm.versions import Precedence, Version, parse_loose

_WALKED = ("fixed", "introduced", "last_affected")
_UNLIMITED = "*"
_PARTIAL = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
_Place = Precedence | tuple[()]  # () is before every version, prereleases of 0.0.0 included


class Bound(NamedTuple):
    """An event of a range at its place. *text* is its version as npm writes it."""

    place: _Place
    rank: int
    event: str
    text: str


class RangeBounds(NamedTuple):
    """A range: what is walked, in order, and the highest of its limits; None when there is none."""

    walk: Sequence[Bound]
    limit: Bound | None


def matcher(advisory: Advisory) -> Callable[[str, str | None], bool]:
    """Returns whether *advisory* is about a version, or the tarball of that integrity; made for thousands of calls."""
    listed, condemned = frozenset(advisory.versions), frozenset(advisory.integrities)
    ranges = [bounds_of(events) for events in advisory.ranges]

    def affects(version: str, integrity: str | None = None) -> bool:
        if version in listed or (condemned and integrity and not condemned.isdisjoint(integrity.split())):
            return True
        parsed = parse_loose(version)
        if parsed is None:
            return advisory.every_version
        return any(_holds(bounds, parsed) for bounds in ranges)

    return affects


def alerts_of(advisories: Iterable[Advisory], releases: Sequence[Release]) -> tuple[Alert, ...]:
    """Returns an alert for each of *releases* that one of *advisories* is about."""
    ordered = _Ordered(releases)
    return tuple(alert for advisory in advisories for alert in _alerts(advisory, ordered))


class _Ordered:
    """Releases in npm's order of versions, so that a range is two look-ups: made once for many advisories."""

    def __init__(self, releases: Sequence[Release]) -> None:
        self.releases = releases
        numbered = [(one.number.precedence, place) for place, one in enumerate(releases) if one.number is not None]
        numbered.sort()
        self._precedences = [precedence for precedence, _ in numbered]
        self._places = [place for _, place in numbered]
        self._nameless = [place for place, one in enumerate(releases) if one.number is None]

    def affected(self, advisory: Advisory) -> list[Release]:
        """Returns the releases that *advisory* is about, as `matcher` says, in their own order."""
        found = {place for bounds in map(bounds_of, advisory.ranges) for place in self._within(bounds)}
        if advisory.every_version:
            found.update(self._nameless)
        if advisory.versions or advisory.integrities:
            found.update(self._listed(frozenset(advisory.versions), frozenset(advisory.integrities)))
        return [self.releases[place] for place in sorted(found)]

    def _within(self, bounds: RangeBounds) -> Iterator[int]:
        """The places of the releases in a range. Its events turn it on and off at ever later positions."""
        end = len(self._places) if bounds.limit is None else bisect_left(self._precedences, bounds.limit.place)
        start: int | None = None
        for place, _, event, _ in bounds.walk:
            at = (bisect_right if event == "last_affected" else bisect_left)(self._precedences, place)
            if event == "introduced":
                start = at if start is None else start
            elif start is not None:
                yield from self._places[start : min(at, end)]
                start = None
        if start is not None:
            yield from self._places[start:end]

    def _listed(self, versions: frozenset[str], condemned: frozenset[str]) -> Iterator[int]:
        for place, one in enumerate(self.releases):
            if one.version in versions or not condemned.isdisjoint((one.integrity or "").split()):
                yield place


def npm_range(advisory: Advisory) -> str:
    """Returns the affected versions as a range in npm's words, for ``npm audit``: prereleases must take part in it."""
    ranges = [bounds_of(events) for events in advisory.ranges]
    parts = [part for bounds in ranges for part in _intervals(bounds)]
    listed = (version for version in map(parse_loose, advisory.versions) if version is not None)
    parts += [str(version) for version in listed if not any(_holds(bounds, version) for bounds in ranges)]
    return " || ".join(dict.fromkeys(parts)) or "*"


def bounds_of(events: Events) -> RangeBounds:
    """Returns the range of *events*, sorted."""
    bounds = [bound for event, version in events if (bound := _bound(event, version)) is not None]
    limits = [bound for bound in bounds if bound.event == "limit"]
    is_limited = limits and ("limit", _UNLIMITED) not in events
    return RangeBounds(sorted(bound for bound in bounds if bound.event != "limit"), max(limits) if is_limited else None)


def _alerts(advisory: Advisory, ordered: _Ordered) -> list[Alert]:
    releases = ordered.affected(advisory)
    if not releases:
        return []
    first = Alert(
        version=releases[0].version,
        kind=advisory.kind,
        id=advisory.id,
        summary=advisory.summary,
        severity=advisory.severity,
        fixed=advisory.fixed,
        published=advisory.published,
        every_version=advisory.every_version,
        affected=npm_range(advisory),
        url=advisory.url,
        aliases=advisory.aliases,
        cwes=advisory.cwes,
        vector=advisory.vector,
        score=advisory.score,
    )
    return [first, *(replace(first, version=release.version) for release in releases[1:])]


def _bound(event: str, version: str) -> Bound | None:
    if event not in (*_WALKED, "limit"):
        return None
    parsed = None if version == "0" and event == "introduced" else _parsed(version)
    if parsed is None and event != "introduced":
        return None
    rank = _WALKED.index(event) if event in _WALKED else 0
    return Bound(parsed.precedence if parsed else (), rank, event, _text(parsed) if parsed else "0.0.0-0")


def _parsed(version: str) -> Version | None:
    """The version as npm reads it; ``1.2`` is 1.2.0."""
    return parse_loose(f"{version}{'.0' * (2 - version.count('.'))}" if _PARTIAL.fullmatch(version) else version)


def _text(version: Version) -> str:
    return str(Version(version.release, version.prerelease, ()))


def _holds(bounds: RangeBounds, version: Version) -> bool:
    place = version.precedence
    if bounds.limit is not None and place >= bounds.limit.place:
        return False
    is_in = False
    for at, _, event, _ in bounds.walk:
        if event == "introduced":
            is_in = is_in or place >= at
        elif place > at or (event == "fixed" and place == at):
            is_in = False
    return is_in


def _intervals(bounds: RangeBounds) -> list[str]:
    found: list[str] = []
    start: str | None = None
    for place, _, event, text in bounds.walk:
        if event == "introduced":
            start = start if start is not None else f">={text}" if place else ""
        elif start is not None:
            found.append(f"{start} {'<' if event == 'fixed' else '<='}{text}".strip())
            start = None
    if start is not None:
        found.append(start or "*")
    if bounds.limit is None:
        return found
    below = f"<{bounds.limit.text}"
    return [below if interval == "*" else f"{interval} {below}" for interval in found]
