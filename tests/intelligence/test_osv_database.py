"""The local database: built whole, swapped whole, read by threads, and never an error of SQLite to its reader."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from threading import Event

import pytest
from support.forks import holds_in_child
from support.histories import releases
from support.osv import affected, events, malware, record
from support.patching import patch_here

from nproxy_mw.intelligence.osv_build import build, modified_of
from nproxy_mw.intelligence.osv_database import LOOK, OsvDatabase, Summary, summary_of
from nproxy_mw.intelligence.osv_records import ParsedRecord, parse_record
from nproxy_mw.intelligence.port import IntelligenceUnavailable
from nproxy_mw.json_values import dumps

NOW = "2026-11-26T12:00:00.000Z"


def parsed(*documents: object) -> list[ParsedRecord]:
    return [parse_record(dumps(document)) for document in documents]


def filled(path: Path, *documents: object, base: Path | None = None) -> Summary:
    return build(path, parsed(*documents), built=NOW, source="test", base=base)


VULNERABILITY = record("GHSA-1", affected(events(("introduced", "0"), ("fixed", "1.0.1"))))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "osv ?#%.db"


@pytest.fixture
def database(path: Path) -> Iterator[OsvDatabase]:
    """A database whose clock stands, so that it looks at its file once."""
    found = OsvDatabase(path, monotonic=lambda: 0.0)
    yield found
    found.close()


def test_answers(path: Path, database: OsvDatabase) -> None:
    """Alerts by package and version, advisories by package and by id."""
    filled(path, VULNERABILITY, malware("MAL-1", "left-pad", "1.0.2"), malware("MAL-2", "evil"))
    alerts = database.alerts("left-pad", releases(["1.0.0", "1.0.1", "1.0.2"]))
    assert [(alert.version, alert.id) for alert in alerts] == [("1.0.0", "GHSA-1"), ("1.0.2", "MAL-1")]
    assert database.alerts("absent", releases(["1.0.0"])) == ()
    assert [found.package for found in database.by_id("MAL-2")] == ["evil"]
    assert database.by_id("MAL-3") == []


def test_summary(path: Path) -> None:
    """What is counted: records about npm packages, packages, and malware."""
    found = filled(
        path,
        VULNERABILITY,
        malware("MAL-1", "left-pad", "1.0.2", modified="2026-11-25T00:00:00Z"),
        record("GHSA-2", affected(package="a"), affected(package="b")),
        record("GHSA-3", affected(ecosystem="PyPI"), modified="2026-11-26T00:00:00Z"),
        record("GHSA-4", affected(), withdrawn="2026-11-20T00:00:00Z"),
    )
    assert found == Summary(3, 3, 1, NOW, "2026-11-26T00:00:00.000Z", "test")
    assert summary_of(path) == found
    assert modified_of(path)["GHSA-4"] == "2026-11-20T10:00:00.000Z"


def test_base(path: Path, database: OsvDatabase) -> None:
    """Changed records replace those of the same id, withdrawn ones go, all others stay."""
    filled(path, VULNERABILITY, malware("MAL-1", "evil"), malware("MAL-2", "bad"))
    changed = record("GHSA-1", affected(package="right-pad"))
    filled(path, changed, malware("MAL-2", "bad", withdrawn="2026-11-26T00:00:00Z"), base=path)
    assert [found.package for found in database.by_id("GHSA-1")] == ["right-pad"]
    assert database.by_id("MAL-2") == []
    assert database.by_id("MAL-1") != []
    assert modified_of(path).keys() == {"GHSA-1", "MAL-1", "MAL-2"}


def test_one_id_twice(path: Path, database: OsvDatabase) -> None:
    """Of two records with one id, the later one counts, in one batch and across batches."""
    many = [malware(f"MAL-{number}", "other") for number in range(600)]
    filled(path, VULNERABILITY, record("GHSA-1", affected(package="right-pad")), *many, malware("MAL-0", "last"))
    assert [found.package for found in database.by_id("GHSA-1")] == ["right-pad"]
    assert [found.package for found in database.by_id("MAL-0")] == ["last"]


def test_failed_build_changes_nothing(path: Path, database: OsvDatabase) -> None:
    """When a build breaks off, the database is as it was, and nothing is left of the attempt."""
    filled(path, VULNERABILITY)
    before = path.read_bytes()

    def broken() -> Iterator[ParsedRecord]:
        yield from parsed(malware("MAL-1", "evil"))
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        build(path, broken(), built=NOW, source="test")
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_written_before_it_is_swapped_in(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file is on the disk before it takes the place of the old one, so that a power cut leaves one of them."""
    steps: list[str] = []
    real_sync, real_replace = os.fsync, Path.replace
    patch_here(monkeypatch, os, "fsync", lambda number: (steps.append("sync"), real_sync(number))[1])
    patch_here(monkeypatch, Path, "replace", lambda old, new: (steps.append("replace"), real_replace(old, new))[1])
    filled(path, VULNERABILITY)
    assert steps == ["sync", "replace"]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.unlink(), id="missing"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes(b"not a database" * 1000), id="something else"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:5000]), id="cut"),
        pytest.param(lambda path: os.truncate(path, 100), id="cut in its head"),
    ],
)
def test_damaged(path: Path, database: OsvDatabase, damage: object) -> None:
    """Without a sound file every question is `IntelligenceUnavailable`, and an update makes it anew."""
    filled(path, *(malware(f"MAL-{number}", f"evil-{number}") for number in range(500)))
    damage(path)  # type: ignore[operator]
    with pytest.raises(IntelligenceUnavailable):
        database.alerts("evil-1", releases(["1.0.0"]))
    assert summary_of(path) is None
    filled(path, VULNERABILITY)
    again = OsvDatabase(path)
    assert again.by_id("GHSA-1")
    again.close()


def test_damaged_body(path: Path, database: OsvDatabase) -> None:
    """A row that cannot be decoded makes the answer unavailable."""
    filled(path, VULNERABILITY)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE advisory SET body = x'00'")
    connection.close()
    with pytest.raises(IntelligenceUnavailable):
        database.advisories("left-pad")


def test_another_version_of_the_tables(path: Path, database: OsvDatabase) -> None:
    """A file of another version is not read."""
    filled(path, VULNERABILITY)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert summary_of(path) is None
    with pytest.raises(IntelligenceUnavailable):
        database.advisories("left-pad")


def test_swap_is_seen(path: Path) -> None:
    """A reader sees the new file when it looks again, and its revision changes with it."""
    seconds = [0.0]
    database = OsvDatabase(path, monotonic=lambda: seconds[0])
    assert database.revision == ""
    filled(path, VULNERABILITY)
    assert database.revision == ""
    seconds[0] += LOOK + 0.1
    first = database.revision
    assert first
    assert database.by_id("GHSA-1")
    filled(path, malware("MAL-1", "evil"))
    assert (database.revision, bool(database.by_id("GHSA-1"))) == (first, True)
    seconds[0] += LOOK + 0.1
    assert (database.by_id("GHSA-1"), bool(database.by_id("MAL-1"))) == ([], True)
    assert database.revision != first
    database.close()


def test_readers_never_see_half(path: Path) -> None:
    """While the database is swapped again and again, four readers see the old content or the new, whole."""
    generations = 8

    def content(generation: int) -> list[object]:
        return [malware(f"MAL-{number}", f"evil-{number}", f"{generation}.0.0") for number in range(40)]

    filled(path, *content(0))
    database = OsvDatabase(path, monotonic=count(0.0, 10.0).__next__)
    done = Event()

    def read() -> int:
        rounds = 0
        while not done.is_set() or rounds == 0:
            for number in range(40):
                (found,) = database.advisories(f"evil-{number}")
                assert found.versions[0] in {f"{generation}.0.0" for generation in range(generations)}
            rounds += 1
        return rounds

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        try:
            for generation in range(1, generations):
                filled(path, *content(generation))
        finally:
            done.set()
        assert all(reader.result() > 0 for reader in readers)
    assert database.advisories("evil-1")[0].versions == (f"{generations - 1}.0.0",)
    database.close()


def test_after_a_fork(path: Path) -> None:
    """A child opens the file for itself."""
    filled(path, VULNERABILITY)
    database = OsvDatabase(path)
    assert database.by_id("GHSA-1")
    assert holds_in_child(lambda: database.by_id("GHSA-1"))
    assert database.by_id("GHSA-1")
    database.close()
