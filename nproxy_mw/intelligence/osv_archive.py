"""Where OSV records come from: a zip archive, a folder of records, or the archive and the list of changes at a URL.

OSV publishes one archive per ecosystem, ``all.zip``, and beside it ``modified_id.csv``: lines of a time and a record's
id, newest first. Everything here is bounded before it is read: the archive in bytes, its records in number and size.

Source: https://google.github.io/osv.dev/data/.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from nproxy_mw.intelligence.osv_database import ParsedRecord
from nproxy_mw.intelligence.osv_records import MAX_RECORD, parse_record

MAX_ARCHIVE = 2 * 2**30
"""Bytes of an archive."""

MAX_RECORDS = 2_000_000
MAX_CHANGES = 64 * 2**20
"""Bytes of the list of changes."""


class BadArchive(ValueError):
    """The archive, folder or list is not what it should be. The message says what to do."""


class Fetch(Protocol):
    """How URLs are asked for."""

    def __call__(self, url: str, limit: int) -> BinaryIO:
        """Returns what is at *url*, spooled to a temporary file that can be sought in.

        Raises:
            BadArchive: it cannot be had, or is longer than *limit* bytes.
        """
        ...


def records_in_zip(file: BinaryIO, refused: Callable[[str, str], None]) -> Iterator[ParsedRecord]:
    """Yields the records of an archive. What is no record goes to *refused*, with its name and why.

    Raises:
        BadArchive: it is no zip archive, or has too many members.
    """
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise BadArchive("This is not a zip archive: give OSV's all.zip for npm.") from error
    with archive:
        members = [one for one in archive.infolist() if one.filename.endswith(".json")]
        if len(members) > MAX_RECORDS:
            raise BadArchive(f"The archive holds more than {MAX_RECORDS} records.")
        for member in members:
            if member.file_size > MAX_RECORD:
                refused(member.filename, f"it has more than {MAX_RECORD} bytes")
                continue
            try:
                with archive.open(member) as content:
                    data = content.read(MAX_RECORD + 1)
            except (zipfile.BadZipFile, OSError, EOFError) as error:
                raise BadArchive("The archive is damaged: fetch it again.") from error
            yield from _parsed(data, member.filename, refused)


def records_in_folder(folder: Path, refused: Callable[[str, str], None]) -> Iterator[ParsedRecord]:
    """Yields the records of a folder, at any depth: files that end in ``.json``."""
    for path in sorted(folder.rglob("*.json")):
        with path.open("rb") as file:
            yield from _parsed(file.read(MAX_RECORD + 1), str(path), refused)


def changed_since(changes: Iterable[bytes], newest: str) -> Iterator[str]:
    """Yields the ids of *changes*, lines of ``modified_id.csv``, that were modified after *newest*.

    Raises:
        BadArchive: a line is not a time and an id.
    """
    for line in changes:
        time, comma, name = line.decode("utf-8", "replace").strip().partition(",")
        if not comma:
            raise BadArchive("The list of changes is not what OSV publishes: lines of a time and an id.")
        if time[:19] <= newest[:19]:  # the list is sorted, newest first
            return
        if PurePosixPath(name).parent.name in ("", "npm"):
            yield PurePosixPath(name).name


def records_at(
    base: str, ids: Iterable[str], fetch: Fetch, refused: Callable[[str, str], None]
) -> Iterator[ParsedRecord]:
    """Yields the records *ids* below the URL *base*."""
    for name in ids:
        with fetch(f"{base}/{name}.json", MAX_RECORD) as file:
            yield from _parsed(file.read(MAX_RECORD + 1), name, refused)


def _parsed(data: bytes, name: str, refused: Callable[[str, str], None]) -> Iterator[ParsedRecord]:
    try:
        yield ParsedRecord(*parse_record(data))
    except (ValueError, json.JSONDecodeError) as error:
        refused(name, str(error))
