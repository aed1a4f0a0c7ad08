"""Where OSV records come from: a zip archive, a folder of records, or single records below a URL.

OSV publishes one archive per ecosystem, ``all.zip``, and next to it ``modified_id.csv``: lines of a time and a record's
id, newest first. Everything here is bounded before it is read: the archive in bytes, members and what they inflate to,
each record in bytes.

Source: https://google.github.io/osv.dev/data/.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, TypeAlias, cast

from nproxy_mw.errors import NproxyError
from nproxy_mw.intelligence.osv_records import ECOSYSTEM, MAX_RECORD, ParsedRecord, is_id, parse_record
from nproxy_mw.times import parse_time

MAX_ARCHIVE = 2**30
"""Bytes of an archive."""

MAX_DIRECTORY = 48 * 2**20
"""Bytes of an archive's directory, which has some 80 for each record: a list of all is built before any is read."""

MAX_INFLATED = 16 * 2**30
"""Bytes of all members of an archive."""

MAX_CHANGES = 64 * 2**20
"""Bytes of the list of changes."""

OVERLAP = timedelta(days=1)
"""How far behind the newest known record the list of changes is read: records do not appear in order of their times."""

# Others inflate without a bound on what they give at once.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGED = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError)

Refused: TypeAlias = Callable[[str, str], None]
"""Hears of each record that cannot be used: its name, and why."""


class BadArchive(NproxyError):
    """The archive, folder or list is not what it should be. The message says what to do."""

    code = "bad-archive"


def records_in_zip(file: BinaryIO, refused: Refused) -> Iterator[ParsedRecord]:
    """Yields the records of an archive.

    Raises:
        BadArchive: it is no zip archive, is damaged, or is beyond the bounds.
    """
    inflated = 0
    try:
        with zipfile.ZipFile(cast(IO[bytes], _Bounded(file))) as archive:
            for member in archive.infolist():
                if not member.filename.endswith(".json"):
                    continue
                if member.compress_type not in _METHODS:
                    raise BadArchive("The archive is compressed by an unusual method: give OSV's all.zip for npm.")
                with archive.open(member) as content:
                    data = content.read(MAX_RECORD + 1)
                inflated += len(data)
                if inflated > MAX_INFLATED:
                    raise BadArchive("The archive inflates to more than is read here: give OSV's all.zip for npm.")
                yield from _parsed(data, member.filename, refused)
    except _DAMAGED as error:
        raise BadArchive("This is not a sound zip archive: give OSV's all.zip for npm, or fetch it again.") from error


def records_in_folder(folder: Path, refused: Refused) -> Iterator[ParsedRecord]:
    """Yields the records of a folder, at any depth: files that end in ``.json``."""
    for path in folder.rglob("*.json"):
        if not path.is_file():
            continue
        try:
            with path.open("rb") as file:
                data = file.read(MAX_RECORD + 1)
        except OSError as error:
            refused(str(path), f"it cannot be read: {error.strerror}")
            continue
        yield from _parsed(data, str(path), refused)


def changed_ids(lines: Iterable[bytes], known: Mapping[str, str]) -> Iterator[str]:
    """Yields the ids in *lines*, those of ``modified_id.csv``, that are not in *known* or were modified since then.

    *known* maps ids to times in the form of `timestamp`.

    Raises:
        BadArchive: a line is not a time and an id.
    """
    newest = parse_time(max(known.values())) if known else None
    for line in lines:
        time, name = _change(line)
        if newest is not None and time < newest - OVERLAP:  # the list is sorted, newest first
            return
        # The list may give more digits than a record does.
        if name and (name not in known or _whole_second(time) > _whole_second(parse_time(known[name]))):
            yield name


def record_at(name: str, file: BinaryIO, refused: Refused) -> Iterator[ParsedRecord]:
    """Yields the record *name* that *file* holds."""
    yield from _parsed(file.read(MAX_RECORD + 1), name, refused)


def _change(line: bytes) -> tuple[datetime, str]:
    time, _, path = line.decode("utf-8", "replace").strip().partition(",")
    place = PurePosixPath(path)
    try:
        if not is_id(place.name):
            raise ValueError(path)
        return parse_time(time), place.name if place.parent.name in ("", ECOSYSTEM) else ""
    except ValueError as error:
        raise BadArchive("The list of changes is not what OSV publishes: lines of a time and an id.") from error


def _whole_second(time: datetime) -> datetime:
    return time.replace(microsecond=0)


class _Bounded:
    """A file of which no more than an archive's directory may have is read at once: `zipfile` reads that in one go."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self._file = file

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size if 0 <= size <= MAX_DIRECTORY else MAX_DIRECTORY + 1)
        if len(data) > MAX_DIRECTORY:
            raise BadArchive("The archive has more members than are read here: give OSV's all.zip for npm.")
        return data


def _parsed(data: bytes, name: str, refused: Refused) -> Iterator[ParsedRecord]:
    try:
        yield parse_record(data)
    except ValueError as error:
        refused(name, str(error))
