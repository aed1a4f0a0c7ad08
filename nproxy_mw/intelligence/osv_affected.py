"""Which versions an OSV record affects: exactly as OSV defines it. Pure.

A version is affected when it is listed, or when any range holds it. A range is walked in the order of its events'
versions: ``introduced`` turns it on from its version, ``fixed`` off from its version, ``last_affected`` off above its
version; with ``limit`` events, versions at or above all of them are out. Prereleases take part in plain order.

Source: https://ossf.github.io/osv-schema/#evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from nproxy_mw.intelligence.osv_records import Advisory
from nproxy_mw.intelligence.port import Alert
from nproxy_mw.npm.facts import Release
from nproxy_mw.npm.versions import Precedence, parse_loose

_ORDER = {"fixed": 0, "introduced": 1, "last_affected": 2, "limit": 3}
Events = Sequence[tuple[str, str]]
_Bound = tuple[Precedence | tuple[()], int, str]


def affects(advisory: Advisory, version: str, integrity: str | None = None) -> bool:
    """Whether *advisory* is about *version*, or about the tarball with *integrity*."""
    return matcher(advisory)(version, integrity)


def matcher(advisory: Advisory) -> Callable[[str, str | None], bool]:
    """Returns `affects` for one advisory, prepared for a package with thousands of versions."""
    listed, condemned = frozenset(advisory.versions), frozenset(advisory.integrities)
    ranges = [_sorted(events) for events in advisory.ranges]

    def affects(version: str, integrity: str | None) -> bool:
        if version in listed or integrity in condemned:
            return True
        parsed = parse_loose(version)
        if parsed is None:
            return advisory.every_version
        return any(_holds(bounds, parsed.precedence) for bounds in ranges)

    return affects


def alerts_of(advisories: Iterable[Advisory], releases: Sequence[Release]) -> tuple[Alert, ...]:
    """Returns an alert for each of *releases* that one of *advisories* is about."""
    return tuple(alert for advisory in advisories for alert in _alerts(advisory, releases))


def _alerts(advisory: Advisory, releases: Sequence[Release]) -> Iterator[Alert]:
    is_affected = matcher(advisory)
    versions = [release.version for release in releases if is_affected(release.version, release.integrity)]
    text = npm_range(advisory) if versions else ""
    for version in versions:
        yield Alert(
            version=version,
            kind=advisory.kind,
            id=advisory.id,
            summary=advisory.summary,
            severity=advisory.severity,
            fixed=advisory.fixed,
            published=advisory.published,
            every_version=advisory.every_version,
            affected=text,
            aliases=advisory.aliases,
            cwes=advisory.cwes,
            vector=advisory.vector,
            score=advisory.score,
        )


def npm_range(advisory: Advisory) -> str:
    """Returns the affected versions as a range in npm's words, for ``npm audit``."""
    parts = [part for events in advisory.ranges for part in _intervals(_sorted(events))]
    parts += [version for version in advisory.versions if parse_loose(version)]
    return " || ".join(dict.fromkeys(parts)) or "*"


def _holds(bounds: Sequence[_Bound], version: Precedence) -> bool:
    limits = [at for at, _, event in bounds if event == "limit"]
    if limits and not any(version < limit for limit in limits):
        return False
    is_in = False
    for at, _, event in bounds:
        if event == "introduced" and version >= at:
            is_in = True
        elif (event == "fixed" and version >= at) or (event == "last_affected" and version > at):
            is_in = False
    return is_in


def _sorted(events: Events) -> list[_Bound]:
    known = ((event, version) for event, version in events if event in _ORDER and (event, version) != ("limit", "*"))
    return sorted((_at(version), _ORDER[event], event) for event, version in known)


def _at(version: str) -> Precedence | tuple[()]:
    """The place of an event's version; "0" is before every version, prereleases of 0.0.0 included."""
    parsed = None if version == "0" else parse_loose(version)
    return parsed.precedence if parsed else ()


def _intervals(bounds: Sequence[_Bound]) -> list[str]:
    found: list[str] = []
    start: str | None = None
    for at, _, event in bounds:
        if event == "introduced" and start is None:
            start = f">={_text(at)}" if at else ""
        elif event in ("fixed", "last_affected") and start is not None:
            end = f"<{_text(at)}" if event == "fixed" else f"<={_text(at)}"
            found.append(f"{start} {end}".strip())
            start = None
    if start is not None:
        found.append(start or "*")
    return found


def _text(at: Precedence | tuple[()]) -> str:
    if not at:
        return "0.0.0-0"
    (major, minor, patch), is_stable, prerelease = at
    text = f"{major}.{minor}.{patch}"
    words = ".".join(f"{int(value)}" if rank == 0 else str(value) for rank, value in prerelease)
    return text if is_stable else f"{text}-{words}"
