"""Updates the local OSV database: from an archive or a folder, or from what changed since the last update.

An update makes a whole new database and swaps it in, so that readers are never between two states. One that fails
leaves the present database as it is. A source that suddenly has less than half of the records is refused: a list of
malware must not shrink by a mistake.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from nproxy_mw.intelligence.osv_archive import (
    MAX_ARCHIVE,
    MAX_CHANGES,
    BadArchive,
    changed_ids,
    record_at,
    records_in_folder,
    records_in_zip,
)
from nproxy_mw.intelligence.osv_build import build, modified_of
from nproxy_mw.intelligence.osv_database import Summary, summary_of
from nproxy_mw.intelligence.osv_records import MAX_RECORD, ParsedRecord
from nproxy_mw.intelligence.web import Web, checked
from nproxy_mw.times import timestamp

MAX_SINGLE = 5_000
"""Records that are fetched one by one. When more have changed, the archive is fetched."""

SHOWN = 10
"""Refused records that a report names."""


@dataclass(slots=True)
class Report:
    """What an update did. *changed* are the records that it read; *refused* counts those that it could not use.

    *examples* are the first refused ones, each with the reason.
    """

    summary: Summary
    changed: int = 0
    refused: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Source:
    """Where records come from: *place* is a URL or a path. An archive's URL ends in ``.zip``."""

    place: str

    @property
    def is_url(self) -> bool:
        """Whether it is on the network."""
        return "://" in self.place

    @property
    def folder(self) -> str:
        """The URL below which the archive, the list of changes and single records are."""
        parts = urlsplit(self.place)
        path = parts.path.rpartition("/")[0] if parts.path.endswith(".zip") else parts.path.rstrip("/")
        return f"{parts.scheme}://{parts.netloc}{path}"

    @property
    def archive(self) -> str:
        """The URL of the archive."""
        return self.place if urlsplit(self.place).path.endswith(".zip") else f"{self.folder}/all.zip"

    @property
    def recorded(self) -> str:
        """The place as a database remembers it: without a URL's query, which may hold a signature."""
        return self.place.partition("?")[0] if self.is_url else str(Path(self.place).resolve())


def update(database: Path, source: str = "", *, changes: bool = False, now: datetime, web: Web | None = None) -> Report:
    """Updates the database at *database* from *source*: a URL, an archive's path or a folder's.

    If *source* is empty, the source of the present database is used again. With *changes*, only records that changed
    since are fetched; where that is not possible or not worth it, all are.

    Raises:
        BadArchive: the source is not what it should be, or has too little; or none is given and none is known.
        FetchFailed: the source cannot be reached.
    """
    database.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    try:
        with FileLock(database.with_name(f".{database.name}.lock"), timeout=0, fallback_to_soft=False):
            return _update(database, source, changes=changes, now=now, web=web or Web())
    except Timeout as error:
        raise BadArchive("Another update of this database is under way: wait for it.") from error
    except (sqlite3.Error, OSError) as error:
        raise BadArchive(f"The update broke off, and nothing was changed: {error}.") from error


def _update(database: Path, place: str, *, changes: bool, now: datetime, web: Web) -> Report:
    present = summary_of(database)
    source = _source(place or (present.source if present else ""))
    reader = _Reader(source, web)
    changed = reader.changed(modified_of(database)) if changes and present and source.is_url else None
    summary = build(
        database,
        reader.all() if changed is None else changed,
        built=timestamp(now),
        source=source.recorded,
        base=None if changed is None else database,
        check=lambda summary: _check(summary, present),
    )
    return Report(summary, reader.read, reader.refused, reader.examples)


def _source(place: str) -> Source:
    source = Source(place)
    if not place:
        raise BadArchive("Say where the records are: the URL of OSV's archive for npm, a file, or a folder.")
    if source.is_url:
        checked(place)
    elif not Path(place).exists():
        raise BadArchive(f"There is no file and no folder at {place}.")
    return source


def _check(summary: Summary, present: Summary | None) -> None:
    if not summary.records:
        raise BadArchive("The source has no record about an npm package, so nothing was changed.")
    if present and summary.records * 2 < present.records:
        raise BadArchive(
            f"The source has {summary.records} records, the present database {present.records}, so nothing was "
            "changed. If that is right, remove the database's file first."
        )


class _Reader:
    """Reads the records of a source, and counts them."""

    def __init__(self, source: Source, web: Web) -> None:
        self.source = source
        self.web = web
        self.read = 0
        self.refused = 0
        self.examples: list[str] = []

    def all(self) -> Iterator[ParsedRecord]:
        """Yields every record. Raises `BadArchive`, `FetchFailed`."""
        place = self.source.place
        if self.source.is_url:
            with closing(self.web.get(self.source.archive, MAX_ARCHIVE)) as file:
                yield from self._counted(records_in_zip(file, self._refuse))
        elif Path(place).is_dir():
            yield from self._counted(records_in_folder(Path(place), self._refuse))
        else:
            with Path(place).open("rb") as file:
                yield from self._counted(records_in_zip(file, self._refuse))

    def changed(self, known: dict[str, str]) -> Iterator[ParsedRecord] | None:
        """Returns the records that *known* does not have as they are now; None when there are too many to ask for."""
        with closing(self.web.get(f"{self.source.folder}/modified_id.csv", MAX_CHANGES)) as file:
            names = list(islice(dict.fromkeys(changed_ids(file, known)), MAX_SINGLE + 1))
        return self._counted(self._each(names)) if len(names) <= MAX_SINGLE else None

    def _each(self, names: list[str]) -> Iterator[ParsedRecord]:
        for name in names:
            with closing(self.web.get(f"{self.source.folder}/{name}.json", MAX_RECORD)) as file:
                yield from record_at(name, file, self._refuse)

    def _counted(self, records: Iterator[ParsedRecord]) -> Iterator[ParsedRecord]:
        for record in records:
            self.read += 1
            yield record

    def _refuse(self, name: str, reason: str) -> None:
        self.refused += 1
        if self.refused <= SHOWN:
            self.examples.append(f"{name}: {reason}")
