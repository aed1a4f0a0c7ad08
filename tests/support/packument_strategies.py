"""Packuments by chance: few names, numbers and moments, so that they meet often, and every kind of absent field."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from nproxy_mw.times import timestamp
from support.histories import NOW, ago, packument

# Boundaries of every default are among them: 48 hours, 7 days, 365 days.
AGES = [0, 1, 47, 48, 49, 100, 7 * 24 - 1, 7 * 24, 7 * 24 + 1, 300, 1000, 365 * 24, 366 * 24, 9000]  # hours
ODD_TIMES = ["2026-11-26T11:00:00+02:00", "2026-11-20T00:00:00.123456Z", "yesterday", None]

PREFIXES = ["0.0", "0.1", "1.0", "1.1", "2.0"]
SUFFIXES = [".0", ".0", ".1", ".2", ".3", ".0-beta.1", ".0-beta.2", ".1-rc", ".1-rc.10"]
ODD_NUMBERS = ["1.0.0rc5", "01.2.0", "not-a-version", "1.2"]

DEPENDENCIES: list[dict[str, str]] = [
    {},
    {"ms": "^1.0.0"},
    {"ms": "latest", "debug": "*"},
    {"ms": "npm:other@1", "semver": "~7.0.0"},
    {"@scope/a": "^1.0.0"},
    {"debug": "github:a/b"},
    {"semver": "a/b#main", "ms": "1.x"},
    {"plain": "git+ssh://git@h.example/a.git"},
    {"plain": "file:../x"},
]
SCRIPTS: list[dict[str, str]] = [
    {},
    {},
    {"test": "jest"},
    {"prepare": "tsc"},
    {"postinstall": "node a.js"},
    {"postinstall": "node b.js", "prepare": "tsc"},
    {"install": "node-gyp rebuild"},
    {"preinstall": "node a.js", "install": ""},
]
USERS: list[dict[str, Any] | None] = [
    {"name": "ann"},
    {"name": "ann"},
    {"name": "bob"},
    {"name": "eve"},
    {"name": "ann", "trustedPublisher": {"id": "github"}},
    {"name": "bob", "approver": {"name": "ann"}},
    None,
]
DISTS: list[dict[str, Any]] = [{}, {}, {"attestations": {"provenance": {"predicateType": "slsa"}}}]
GONE = ["1.0.9", "2.0.9", "1.0.0"]


def numbers() -> st.SearchStrategy[str]:
    """Versions: strict ones, prereleases, old ones that only npm reads, and texts that are none."""
    strict = [prefix + suffix for prefix in PREFIXES for suffix in SUFFIXES]
    return st.sampled_from([*strict, *strict, *ODD_NUMBERS])


def manifests(*, tells: bool, dated: bool) -> st.SearchStrategy[dict[str, Any]]:
    """Manifests with a time. Without *tells*, the upstream passes on neither publishers nor attestations."""
    members: dict[str, st.SearchStrategy[Any]] = {
        "dependencies": st.sampled_from(DEPENDENCIES),
        "optionalDependencies": st.sampled_from(DEPENDENCIES[:1] * 9 + DEPENDENCIES),
        "scripts": st.sampled_from(SCRIPTS),
        "gypfile": st.sampled_from([None, None, None, True]),
    }
    if dated:
        members["time"] = st.sampled_from([*map(hours_ago, AGES), *ODD_TIMES])
    if tells:
        members |= {"_npmUser": st.sampled_from(USERS), "dist": st.sampled_from(DISTS)}
    return st.fixed_dictionaries(members).map(_without_nothing)


@st.composite
def packuments(draw: st.DrawFn) -> Any:
    """Packuments of up to ten versions, with and without each of the fields that an upstream may leave out."""
    size = draw(st.sampled_from([0, 1, 2, 3, 4, 5, 6, 8, 10, 10]))
    found = draw(st.lists(numbers(), min_size=size, max_size=size, unique=True))
    dated = draw(st.sampled_from([True, True, True, False]))
    manifest = manifests(tells=draw(st.booleans()), dated=dated)
    versions = {version: draw(manifest) for version in found}
    times = {version: hours_ago(draw(st.sampled_from(AGES))) for version in GONE if draw(st.booleans()) and dated}
    created = draw(st.sampled_from([None, None, *AGES]))
    if created is not None:
        times["created"] = hours_ago(created)
    tags = {tag: draw(numbers()) for tag in ("latest", "next") if draw(st.booleans())}
    return packument(versions=versions, time={key: one for key, one in times.items() if key not in versions}, tags=tags)


def hours_ago(hours: float) -> str:
    """The time that many hours before `NOW`."""
    return ago(hours=hours) if hours else timestamp(NOW - timedelta(seconds=1))


def _without_nothing(manifest: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in manifest.items() if value is not None}
