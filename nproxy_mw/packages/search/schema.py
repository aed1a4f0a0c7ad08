"""The tables of a search index, and the number that changes with them."""

from __future__ import annotations

import sqlite3

VERSION = 1
"""Of the tables and of what their columns hold. It stands in the file's name, so two versions of this package on one
host do not take each other's file away."""

_TABLES = """
CREATE TABLE packages (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    revision TEXT NOT NULL,         -- of the record, in the storage
    generation INTEGER NOT NULL,    -- of the record
    base TEXT NOT NULL,             -- the name within its scope, folded
    deprecated INTEGER NOT NULL,
    modified TEXT NOT NULL,
    summary TEXT                    -- JSON; NULL when there is nothing to show: unpublished, or damaged
);
CREATE INDEX by_name ON packages (name) WHERE summary IS NOT NULL;
CREATE INDEX by_time ON packages (modified, name) WHERE summary IS NOT NULL;
CREATE VIRTUAL TABLE terms USING fts5 (name, text, tags, tokenize='ascii', detail=column, prefix='1 2 3 4');
CREATE TABLE seen (event TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE state (org TEXT NOT NULL, checked REAL, compared REAL);
"""


def is_complete(connection: sqlite3.Connection, org: str) -> bool:
    """Returns whether the tables of this version are there, and of the organization *org*."""
    if connection.execute("PRAGMA user_version").fetchone() != (VERSION,):
        return False
    return bool(connection.execute("SELECT org FROM state").fetchone() == (org,))


def create(connection: sqlite3.Connection, org: str) -> None:
    """Creates the tables in an empty file, all of them or none."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in _TABLES.split(";\n"):
        connection.execute(statement)
    connection.execute("INSERT INTO state VALUES (?, NULL, NULL)", [org])
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
