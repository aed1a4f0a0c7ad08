"""OSV records: what is kept of them, how severe they are, and what is refused."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import cvss
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.osv import (
    CVSS3_CRITICAL,
    CVSS3_LOW,
    CVSS4_HIGH,
    advisories,
    advisory,
    affected,
    events,
    malware,
    record,
)

from nproxy_mw.intelligence.osv_records import MAX_RECORD, parse_record
from nproxy_mw.intelligence.severity import severity_of

BELOW = events(("introduced", "0"), ("fixed", "1.2.3"))


def test_advisory() -> None:
    """What a record of GitHub's database says."""
    found = advisory(
        affected(BELOW, database_specific={"last_known_affected_version_range": "< 1.2.3"}),
        aliases=["CVE-2026-1234"],
        summary="  Prototype\n pollution ",
        severity=[{"type": "CVSS_V3", "score": CVSS3_CRITICAL}],
        database_specific={"severity": "HIGH", "cwe_ids": ["CWE-1321", "CWE-20"], "github_reviewed": True},
        references=[
            {"type": "WEB", "url": "https://code.example/1"},
            {"type": "ADVISORY", "url": "https://advisories.example/GHSA"},
        ],
    )
    assert (found.package, found.kind, found.summary) == ("left-pad", "vulnerability", "Prototype pollution")
    assert (found.severity, found.score, found.vector) == ("high", 9.8, CVSS3_CRITICAL)
    assert (found.fixed, found.every_version) == (("1.2.3",), False)
    assert (found.aliases, found.cwes) == (("CVE-2026-1234",), ("CWE-1321", "CWE-20"))
    assert found.url == "https://advisories.example/GHSA"
    assert found.published == datetime(2026, 11, 19, 10, tzinfo=UTC)


def test_modified_has_one_form() -> None:
    """Times of any precision are kept in one form, so that they sort as texts."""
    times = ["2026-11-20T10:00:00Z", "2026-11-20T10:00:00.5Z", "2026-11-20T10:00:00.789264488Z"]
    found = [parse_record(json.dumps(record(modified=time)).encode()).modified for time in times]
    assert found == ["2026-11-20T10:00:00.000Z", "2026-11-20T10:00:00.500Z", "2026-11-20T10:00:00.789Z"]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(malware("MAL-2026-1", "x"), "malware", id="a record of malware"),
        pytest.param(record("GHSA-x", affected(BELOW), aliases=["MAL-2026-1"]), "malware", id="an alias of one"),
        pytest.param(
            record("GHSA-x", affected(BELOW), database_specific={"cwe_ids": ["CWE-506"]}), "malware", id="CWE-506"
        ),
        pytest.param(
            record("GHSA-x", affected(BELOW, database_specific={"cwes": [{"cweId": "CWE-506"}]})),
            "malware",
            id="CWE-506 of an entry",
        ),
        pytest.param(
            record("GHSA-x", affected(BELOW), database_specific={"cwe_ids": ["CWE-5060"]}),
            "vulnerability",
            id="CWE-5060",
        ),
        pytest.param(record("GHSA-x", affected(BELOW), related=["MAL-2026-1"]), "vulnerability", id="only related"),
        pytest.param(
            record("GHSA-x", affected(BELOW), database_specific={"cwe_ids": "none", "cwes": [7]}),
            "vulnerability",
            id="odd words of a database",
        ),
    ],
)
def test_kind(document: Any, expected: str) -> None:
    """Malware is what its id, an alias or its weakness says is malware."""
    assert {found.kind for found in advisories(document)} == {expected}


def test_every_version() -> None:
    """Only a range from the beginning to no end condemns the package as a whole."""
    assert advisories(malware("MAL-1", "x"))[0].every_version
    assert advisory(affected(events(("introduced", "0"), ("limit", "*")))).every_version
    for ranges in (
        events(("introduced", "0"), ("fixed", "1.0.0")),
        events(("introduced", "0.0.0")),
        events(("limit", "*")),
    ):
        assert not advisory(affected(ranges)).every_version
    assert not advisories(malware("MAL-1", "x", "1.0.0"))[0].every_version


def test_withdrawn() -> None:
    """A record that was withdrawn says nothing, and is known by its id."""
    found = parse_record(json.dumps(record("GHSA-x", affected(BELOW), withdrawn="2026-11-20T00:00:00Z")).encode())
    assert (found.id, found.advisories) == ("GHSA-x", ())


def test_other_ecosystems() -> None:
    """Only packages of npm count, by their exact names."""
    entries = [affected(BELOW, ecosystem=name) for name in ("PyPI", "NPM", "npm:x")] + [affected(BELOW, package="@A/b")]
    assert [found.package for found in advisories(record("GHSA-x", *entries))] == ["@A/b"]
    assert advisories(record("GHSA-x", {"ranges": [BELOW]})) == ()


def test_several_entries() -> None:
    """Entries about one package are one advisory, with the hashes and weaknesses of all; other packages have theirs."""
    sha = "sha512-AAAA"
    (first, second) = advisories(
        record(
            "GHSA-x",
            affected(BELOW, database_specific={"integrity": sha}),
            affected(
                events(("introduced", "2.0.0"), ("fixed", "2.0.1")), database_specific={"cwes": [{"cweId": "CWE-1"}]}
            ),
            affected(BELOW, package="right-pad"),
        )
    )
    assert (first.package, second.package) == ("left-pad", "right-pad")
    assert (first.fixed, first.integrities, first.cwes) == (("1.2.3", "2.0.1"), (sha,), ("CWE-1",))


def test_entries_of_other_severity() -> None:
    """Entries about one package that differ in severity stay apart."""
    low, critical = ({"severity": [{"type": "CVSS_V3", "score": vector}]} for vector in (CVSS3_LOW, CVSS3_CRITICAL))
    found = advisories(record("GHSA-x", affected(BELOW, **low), affected(events(("introduced", "2.0.0")), **critical)))
    assert [one.severity for one in found] == ["low", "critical"]


def scored(**scores: str) -> list[dict[str, str]]:
    return [{"type": kind, "score": vector} for kind, vector in scores.items()]


@pytest.mark.parametrize(
    ("scores", "documents", "expected"),
    [
        pytest.param([], [{"severity": "LOW"}], "low", id="the database's word: low"),
        pytest.param([], [{"severity": "MODERATE"}], "moderate", id="moderate"),
        pytest.param([], [{"severity": "medium"}], "moderate", id="medium is moderate"),
        pytest.param([], [{"severity": "High"}], "high", id="high"),
        pytest.param([], [{"severity": "CRITICAL"}], "critical", id="critical"),
        pytest.param([], [{"severity": "UNKNOWN"}], None, id="no word of ours"),
        pytest.param([], [{"severity": 9.8}], None, id="no word"),
        pytest.param([], [None, {}, {"severity": "LOW"}, {"severity": "HIGH"}], "low", id="the first word counts"),
        pytest.param([scored(CVSS_V3=CVSS3_CRITICAL)], [{"severity": "LOW"}], "low", id="the word before the score"),
        pytest.param([scored(CVSS_V3=CVSS3_CRITICAL)], [], "critical", id="CVSS 3"),
        pytest.param([scored(CVSS_V4=CVSS4_HIGH)], [], "high", id="CVSS 4"),
        pytest.param([scored(CVSS_V2="AV:N/AC:L/Au:N/C:P/I:N/A:N")], [], "moderate", id="CVSS 2: 5.0"),
        pytest.param([scored(CVSS_V3=CVSS3_LOW, CVSS_V4=CVSS4_HIGH)], [], "high", id="the highest of several"),
        pytest.param([[], scored(CVSS_V3=CVSS3_LOW)], [], "low", id="the record's, where the entry has none"),
        pytest.param([scored(CVSS_V3=CVSS3_LOW), scored(CVSS_V3=CVSS3_CRITICAL)], [], "low", id="the entry's first"),
        pytest.param([scored(CVSS_V3="CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N")], [], "info", id="a score of 0"),
        pytest.param([scored(CVSS_V3="9.8")], [], None, id="no vector"),
        pytest.param([scored(CVSS_V3=CVSS3_CRITICAL + "/RC:X" * 200)], [], None, id="too long a vector"),
        pytest.param([scored(Ubuntu="high")], [], None, id="another scheme"),
        pytest.param([[{}]], [], None, id="nothing in an entry"),
        pytest.param([], [], None, id="nothing"),
    ],
)
def test_severity(scores: Any, documents: Any, expected: str | None) -> None:
    """What the database says, else the highest base score."""
    assert severity_of(scores, documents).level == expected


@pytest.mark.parametrize(
    ("score", "level"),
    [("9.0", "critical"), ("8.9", "high"), ("7.0", "high"), ("6.9", "moderate"), ("4.0", "moderate"), ("3.9", "low")],
)
def test_levels_of_scores(score: str, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Levels begin where FIRST's table says."""

    class Scored:
        def __init__(self, vector: str) -> None:
            self.vector = vector

        def scores(self) -> tuple[float]:
            return (float(self.vector),)

    monkeypatch.setattr(cvss, "CVSS3", Scored)
    assert severity_of([scored(CVSS_V3=score)], []).level == level


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"id": "GHSA-x"}', id="no modified"),
        pytest.param(json.dumps(record(modified="lately")).encode(), id="no time"),
        pytest.param(json.dumps(record(modified="2026-11-20T10:00:00")).encode(), id="a time without a zone"),
        pytest.param(json.dumps(record("../../x")).encode(), id="an id that is a path"),
        pytest.param(json.dumps(record("")).encode(), id="an empty id"),
        pytest.param(json.dumps(record("GHSA-x", {"package": "left-pad"})).encode(), id="a package that is a text"),
        pytest.param(json.dumps(record("GHSA-x", affected(events(("fixed", 1))))).encode(), id="a number as version"),  # type: ignore[arg-type]
        pytest.param(b'{"id": "a", "modified": "2026-11-20T10:00:00Z", "x": ' + b"[" * 100_000 + b"}", id="depth"),
        pytest.param(b" " * (MAX_RECORD + 1), id="too large"),
        pytest.param(b'{"id": "\xff"}', id="no UTF-8"),
    ],
)
def test_refused(data: bytes) -> None:
    """What does not follow the schema is refused whole."""
    with pytest.raises(ValueError, match="OSV record"):
        parse_record(data)


@pytest.mark.parametrize(
    "name", ["aliases", "summary", "affected", "references", "severity", "database_specific", "published"]
)
def test_null_is_absent(name: str) -> None:
    """A database that writes null means that it has nothing to say."""
    assert parse_record(json.dumps(record("GHSA-x", affected(BELOW)) | {name: None}).encode()).id == "GHSA-x"


def test_published_that_is_no_time() -> None:
    """Nothing depends on it but the exemption of fixes, so the record counts."""
    assert advisory(affected(BELOW), published="lately").published is None


KEYS = ["affected", "severity", "cwe_ids", "cwes", "cweId", "integrity", "indicators", "package_integrity", "hashes"]
ANY = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=20,
)


@given(ANY)
def test_any_words_of_a_database(value: Any) -> None:
    """Whatever a database says in its own words, the record is read, or refused as none."""
    specific = value if isinstance(value, dict) else {"severity": value, "cwes": value, "indicators": value}
    document = record("GHSA-x", affected(BELOW, database_specific=specific), database_specific=specific)
    assert len(advisories(document)) == 1
    with suppress(ValueError):
        parse_record(json.dumps(record("GHSA-x") | {"affected": value, "severity": value}).encode())
