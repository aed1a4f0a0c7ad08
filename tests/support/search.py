"""Search indexes for tests: entries without a storage, and hosts that share one."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from nproxy_mw.npm.search import parse_query
from nproxy_mw.orgs.organization import open_organization
from nproxy_mw.packages.search import queries, tables
from nproxy_mw.packages.search.entries import PackageEntry
from nproxy_mw.packages.search.queries import PackageSort
from nproxy_mw.packages.search.schema import SCHEMA
from nproxy_mw.storage.indexes.files import connect
from nproxy_mw.storage.locks import ThreadLocks
from nproxy_mw.storage.port import Revision, Storage
from support.publications import publish

START = datetime(2027, 1, 1, 12, 0, tzinfo=UTC)


class SetClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Host:
    """The organization *org* on one host of several that share a storage; *folder* is this host's own."""

    def __init__(self, storage: Storage, folder: Path | None, clock: SetClock, org: str = "acme") -> None:
        self.organization = open_organization(storage, ThreadLocks(), org, search_folder=folder, clock=clock)
        self.index = self.organization.search_index

    def publish(self, name: str, version: str = "1.0.0", **how: Any) -> None:
        publish(self.organization, name, version, **how)

    def found(self, text: str = "", **how: Any) -> list[str]:
        """The names that a search finds, in their order."""
        how = {"first": 0, "size": 250, **how}
        return [one["name"] for one in self.index.search(parse_query(text), **how).summaries]

    def listed(self, sort: PackageSort = PackageSort.NAME, text: str = "") -> list[str]:
        found = self.index.page(sort=sort, after=None, text=text, size=250)
        return [one["name"] for one in found.summaries]

    def wait(self) -> None:
        """Waits for what goes on in the background."""
        for job in (self.index._check, self.index._comparison):
            job.wait(120.0)


def summary_of(name: str, **fields: Any) -> dict[str, Any]:
    """A summary with *fields*, and defaults for the others."""
    return {
        "name": name,
        "version": "1.0.0",
        "latest": "1.0.0",
        "description": "",
        "keywords": [],
        "author": "",
        "license": "",
        "maintainers": ["ci"],
        "publisher": "ci",
        "deprecated": "",
        "date": None,
        "createdAt": None,
        "modifiedAt": "2027-01-01T00:00:00.000Z",
        "versionCount": 1,
        **fields,
    }


def index_of(*summaries: dict[str, Any]) -> sqlite3.Connection:
    """An index in memory that holds *summaries*."""
    connection = connect(None)
    SCHEMA.create(connection, "acme")
    for summary in summaries:
        tables.put(connection, summary["name"], PackageEntry(summary["name"], Revision("1"), 1, 0, summary), None)
    return connection


def search(connection: sqlite3.Connection, text: str, first: int = 0, size: int = 250) -> list[str]:
    """The names that a search finds, in their order."""
    found = queries.search(connection, parse_query(text), first, size)
    return [one["name"] for one in found.summaries]
