"""Updates of the database: from archives, folders and URLs, and what of them is refused."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from support.osv import affected, archive, events, malware, record
from support.scripted_web import Reply, ScriptedWeb, scripted_web

from nproxy_mw.intelligence import osv_archive, osv_update
from nproxy_mw.intelligence.osv_archive import BadArchive, changed_ids, records_in_zip
from nproxy_mw.intelligence.osv_database import OsvDatabase, summary_of
from nproxy_mw.intelligence.osv_records import MAX_RECORD
from nproxy_mw.intelligence.osv_update import Report, Source, update
from nproxy_mw.intelligence.web import FetchFailed

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
EVIL, BAD = malware("MAL-1", "evil"), malware("MAL-2", "bad")
FLAW = record("GHSA-1", affected(events(("introduced", "0"), ("fixed", "1.0.1"))))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "osv.db"


@pytest.fixture
def server() -> Iterator[ScriptedWeb]:
    with scripted_web() as found:
        yield found


def ids(path: Path) -> set[str]:
    database = OsvDatabase(path)
    found = {name for name in ("GHSA-1", "MAL-1", "MAL-2", "MAL-3") if database.by_id(name)}
    database.close()
    return found


def from_file(path: Path, data: bytes, **how: Any) -> Report:
    place = path.parent.parent / "all.zip"
    place.write_bytes(data)
    return update(path, str(place), now=NOW, **how)


# Files and folders.


def test_archive(path: Path) -> None:
    """An archive of records, and what else lies in it."""
    report = from_file(path, archive(EVIL, FLAW, more={"README.md": b"hello", "x/": b""}))
    assert (report.changed, report.refused, report.summary.records) == (2, 0, 2)
    assert ids(path) == {"MAL-1", "GHSA-1"}
    assert report.summary.built == "2026-11-26T12:00:00.000Z"


def test_folder(path: Path, tmp_path: Path) -> None:
    """A folder of records, at any depth, as a clone of a database has them; other files are left alone."""
    folder = tmp_path / "advisories" / "npm" / "e"
    folder.mkdir(parents=True)
    (folder / "MAL-1.json").write_text(json.dumps(EVIL))
    (folder.parent / "GHSA-1.json").write_text(json.dumps(FLAW))
    (folder / "notes.txt").write_text("not a record")
    (folder / "broken.json").write_text("{")
    (folder / "link.json").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.json")
    report = update(path, str(tmp_path / "advisories"), now=NOW)
    assert (ids(path), report.refused) == ({"MAL-1", "GHSA-1"}, 1)
    assert report.examples == [f"{folder / 'broken.json'}: This is not an OSV record."]


def test_source_is_remembered(path: Path) -> None:
    """Without a source, the last one is used again."""
    from_file(path, archive(EVIL))
    (path.parent.parent / "all.zip").write_bytes(archive(EVIL, BAD))
    assert update(path, now=NOW).summary.records == 2


def test_whole_update_forgets(path: Path) -> None:
    """What a new archive does not have any more is gone."""
    from_file(path, archive(EVIL, BAD))
    from_file(path, archive(BAD))
    assert ids(path) == {"MAL-2"}


def test_refused_records_are_counted(path: Path) -> None:
    """A record that cannot be used does not stop the others; the report names the first ten."""
    bad = {f"bad-{number}.json": b"{}" for number in range(12)}
    report = from_file(path, archive(EVIL, more=bad | {"large.json": b" " * (MAX_RECORD + 1)}))
    assert (report.refused, len(report.examples), report.summary.records) == (13, 10, 1)


def zipped(method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        file.writestr("MAL-1.json", json.dumps(EVIL))
    return out.getvalue()


def encrypted() -> bytes:
    data = bytearray(archive(EVIL))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(signature) + at
        data[place : place + 2] = struct.pack("<H", 1)
    return bytes(data)


def spoiled() -> bytes:
    data = bytearray(archive(EVIL))
    data[60] ^= 0xFF
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"", "not a sound zip", id="nothing"),
        pytest.param(b"<html>no such bucket</html>", "not a sound zip", id="a page"),
        pytest.param(archive(EVIL)[:-30], "not a sound zip", id="cut at its end"),
        pytest.param(archive(EVIL)[100:], "not a sound zip", id="cut at its beginning"),
        pytest.param(spoiled(), "not a sound zip", id="a flipped bit"),
        pytest.param(encrypted(), "not a sound zip", id="encrypted"),
        pytest.param(zipped(zipfile.ZIP_LZMA), "unusual method", id="LZMA"),
        pytest.param(zipped(zipfile.ZIP_BZIP2), "unusual method", id="bzip2"),
        pytest.param(archive(), "no record", id="an empty archive"),
        pytest.param(archive(more={"x.json": b"{}"}), "no record", id="none of its files is a record"),
        pytest.param(archive(record("GHSA-2", affected(ecosystem="PyPI"))), "no record", id="of another ecosystem"),
    ],
)
def test_archives_that_are_refused(path: Path, data: bytes, words: str) -> None:
    """What is no archive of npm's records changes nothing."""
    from_file(path, archive(EVIL))
    with pytest.raises(BadArchive, match=words):
        from_file(path, data)
    assert ids(path) == {"MAL-1"}
    assert [one.name for one in path.parent.iterdir() if "partial" in one.name] == []


def test_shrinking_source(path: Path) -> None:
    """A source with less than half of the records is refused until somebody removes the database."""
    from_file(path, archive(EVIL, BAD, FLAW))
    with pytest.raises(BadArchive, match="remove the database's file"):
        from_file(path, archive(EVIL))
    assert len(ids(path)) == 3
    path.unlink()
    from_file(path, archive(EVIL))
    assert ids(path) == {"MAL-1"}


def test_damaged_database_is_made_anew(path: Path) -> None:
    """A damaged database is no obstacle."""
    path.parent.mkdir()
    path.write_bytes(b"not a database")
    from_file(path, archive(EVIL))
    assert ids(path) == {"MAL-1"}


def test_bomb(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Members that inflate to more than the bound stop the reading, whatever they say of their size."""
    monkeypatch.setattr(osv_archive, "MAX_INFLATED", 10 * MAX_RECORD)
    members = {f"{number}.json": b" " * (2 * MAX_RECORD) for number in range(12)}
    with pytest.raises(BadArchive, match="inflates"):
        from_file(path, archive(EVIL, more=members))


def test_directory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive of more members than are read is refused before a list of them is made."""
    monkeypatch.setattr(osv_archive, "MAX_DIRECTORY", 2**16 + 22)
    many = archive(more={f"{number:08}.json": b"" for number in range(2000)})
    with pytest.raises(BadArchive, match="more members"):
        list(records_in_zip(io.BytesIO(many), lambda name, reason: None))


def test_members_are_read_within_bounds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No member is inflated beyond the largest record."""
    asked: list[int | None] = []
    real = zipfile.ZipExtFile.read

    def read(member: zipfile.ZipExtFile, n: int | None = -1) -> bytes:
        asked.append(n)
        return real(member, n)

    monkeypatch.setattr(zipfile.ZipExtFile, "read", read)
    from_file(path, archive(EVIL, FLAW))
    assert asked == [MAX_RECORD + 1] * 2


def test_member_that_lies_about_its_size(path: Path) -> None:
    """A member is read up to the bound of a record, not to what the directory says."""
    data = bytearray(archive(EVIL, more={"lies.json": b" " * (MAX_RECORD + 1)}))
    place = data.rfind(b"PK\x01\x02") + 24
    data[place : place + 4] = struct.pack("<I", 10)
    with pytest.raises(BadArchive, match="not a sound zip"):
        from_file(path, bytes(data))


@pytest.mark.parametrize(
    ("source", "words"),
    [("", "Say where"), ("/no/such/file", "no file"), ("ftp://h.example/x", "begins with https")],
)
def test_sources_that_are_none(path: Path, source: str, words: str) -> None:
    """A sentence says what to give."""
    with pytest.raises((BadArchive, FetchFailed), match=words):
        update(path, source, now=NOW)


def test_one_update_at_a_time(path: Path) -> None:
    """A second update does not wait for the first."""
    path.parent.mkdir()
    with FileLock(path.with_name(f".{path.name}.lock")), pytest.raises(BadArchive, match="under way"):
        from_file(path, archive(EVIL))


def test_no_place_to_write(path: Path) -> None:
    """A folder that cannot be written to is said to be so."""
    path.parent.mkdir()
    path.mkdir()
    (path / "occupied").touch()
    with pytest.raises(BadArchive, match="broke off"):
        from_file(path, archive(EVIL))


# URLs and changes.


@pytest.mark.parametrize(
    ("place", "folder", "whole"),
    [
        ("https://osv.example/npm", "https://osv.example/npm", "https://osv.example/npm/all.zip"),
        ("https://osv.example/npm/", "https://osv.example/npm", "https://osv.example/npm/all.zip"),
        ("https://osv.example/npm/all.zip", "https://osv.example/npm", "https://osv.example/npm/all.zip"),
        ("https://osv.example/x.zip?sig=a/b", "https://osv.example", "https://osv.example/x.zip?sig=a/b"),
    ],
)
def test_source(place: str, folder: str, whole: str) -> None:
    """The archive's URL or its folder's say the same."""
    assert (Source(place).folder, Source(place).archive) == (folder, whole)
    assert "sig" not in Source(place).recorded


def test_url(path: Path, server: ScriptedWeb) -> None:
    """The archive at a URL, by the folder's URL too."""
    server.pages = {"/npm/all.zip": archive(EVIL, FLAW)}
    update(path, f"{server.url}/npm", now=NOW)
    assert ids(path) == {"MAL-1", "GHSA-1"}
    found = summary_of(path)
    assert found is not None
    assert found.source == f"{server.url}/npm"


def test_signed_url(path: Path, server: ScriptedWeb) -> None:
    """The signature of a URL is asked with, and not remembered."""
    server.pages = {"/all.zip?signature=secret": archive(EVIL)}
    report = update(path, f"{server.url}/all.zip?signature=secret", now=NOW)
    assert report.summary.source == f"{server.url}/all.zip"


def changes(*lines: tuple[str, str]) -> bytes:
    return b"".join(f"{time},{name}\n".encode() for time, name in lines)


def test_changes(path: Path, server: ScriptedWeb) -> None:
    """Only what changed since is fetched, record by record; the list is read down to what is known."""
    server.pages = {"/npm/all.zip": archive(EVIL, BAD)}
    update(path, f"{server.url}/npm", now=NOW)
    withdrawn = malware("MAL-2", "bad", withdrawn="2026-11-25T00:00:00Z", modified="2026-11-25T00:00:00Z")
    server.pages |= {
        "/npm/modified_id.csv": changes(
            ("2026-11-26T00:00:00.123456Z", "MAL-3"),
            ("2026-11-25T00:00:00Z", "MAL-2"),
            ("2026-11-20T10:00:00.999999Z", "MAL-1"),  # with more digits than the record has
            ("2026-11-19T10:00:00Z", "MAL-4"),  # a day behind the newest: the list is sorted, so nothing new follows
            ("2020-01-01T00:00:00Z", "MAL-5"),
        ),
        "/npm/MAL-2.json": json.dumps(withdrawn).encode(),
        "/npm/MAL-3.json": json.dumps(malware("MAL-3", "new", modified="2026-11-26T00:00:00Z")).encode(),
        "/npm/MAL-4.json": json.dumps(malware("MAL-4", "late", modified="2026-11-19T10:00:00Z")).encode(),
    }
    server.asked.clear()
    report = update(path, changes=True, now=NOW)
    assert [asked for asked, _ in server.asked] == [
        "/npm/modified_id.csv", "/npm/MAL-3.json", "/npm/MAL-2.json", "/npm/MAL-4.json",
    ]  # fmt: skip
    assert (report.changed, ids(path)) == (3, {"MAL-1", "MAL-3"})
    assert report.summary.newest == "2026-11-26T00:00:00.000Z"
    server.asked.clear()
    assert update(path, changes=True, now=NOW).changed == 0
    assert [asked for asked, _ in server.asked] == ["/npm/modified_id.csv"]


def test_changes_without_a_database(path: Path, server: ScriptedWeb) -> None:
    """Where there is nothing to begin from, all is fetched."""
    server.pages = {"/npm/all.zip": archive(EVIL)}
    assert update(path, f"{server.url}/npm", changes=True, now=NOW).summary.records == 1
    assert [asked for asked, _ in server.asked] == ["/npm/all.zip"]


def test_too_many_changes(path: Path, server: ScriptedWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where more changed than is worth asking for one by one, all is fetched."""
    monkeypatch.setattr(osv_update, "MAX_SINGLE", 2)
    server.pages = {
        "/npm/all.zip": archive(EVIL, BAD),
        "/npm/modified_id.csv": changes(*((f"2026-11-25T00:00:0{one}Z", f"MAL-{one}") for one in range(3, 6))),
    }
    update(path, f"{server.url}/npm", now=NOW)
    update(path, changes=True, now=NOW)
    assert server.count("/npm/all.zip") == 2


def test_changed_record_that_is_not_there(path: Path, server: ScriptedWeb) -> None:
    """When a record cannot be had, nothing changes."""
    server.pages = {"/npm/all.zip": archive(EVIL), "/npm/modified_id.csv": changes(("2026-11-25T00:00:00Z", "MAL-3"))}
    update(path, f"{server.url}/npm", now=NOW)
    with pytest.raises(FetchFailed, match="404"):
        update(path, changes=True, now=NOW)
    assert ids(path) == {"MAL-1"}


@pytest.mark.parametrize(
    "line",
    ["", "nonsense", "2026-11-25T00:00:00Z", "2026-11-25T00:00:00Z,", "yesterday,MAL-3", "2026-11-25T00:00:00Z,../x y",
     "2026-11-25T00:00:00Z,MAL-3?x=1", "2026-11-25T00:00:00Z,\xff", "<html>,x"],
)  # fmt: skip
def test_lists_that_are_none(line: str) -> None:
    """A line that is not a time and an id is refused: nothing of it stands in a URL."""
    with pytest.raises(BadArchive, match="list of changes"):
        list(changed_ids([line.encode("latin-1")], {}))


def test_list_of_all_ecosystems() -> None:
    """The list of all ecosystems has paths, of which npm's count."""
    lines = changes(("2026-11-25T00:00:00Z", "npm/MAL-3"), ("2026-11-25T00:00:00Z", "PyPI/MAL-4")).splitlines()
    assert list(changed_ids(lines, {})) == ["MAL-3"]


def test_oversized(path: Path, server: ScriptedWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    """Archives and records are not read beyond their bounds."""
    server.pages = {"/npm/all.zip": archive(EVIL)}
    update(path, f"{server.url}/npm", now=NOW)
    server.pages |= {
        "/npm/modified_id.csv": changes(("2026-11-25T00:00:00Z", "MAL-3")),
        "/npm/MAL-3.json": Reply(b" " * 10, length=2**40),
    }
    monkeypatch.setattr(osv_update, "MAX_RECORD", 5)
    with pytest.raises(FetchFailed, match="more than 5 bytes"):
        update(path, changes=True, now=NOW)
    monkeypatch.setattr(osv_update, "MAX_ARCHIVE", 100)
    with pytest.raises(FetchFailed, match="more than 100 bytes"):
        update(path, now=NOW)
    assert ids(path) == {"MAL-1"}
