"""The tables of a search index."""

from __future__ import annotations

from nproxy_mw.storage.indexes.schema import IndexSchema

_TABLES = """
CREATE TABLE packages (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    revision TEXT NOT NULL,         -- of the record, in the storage
    generation INTEGER NOT NULL,    -- of the record
    base TEXT NOT NULL,             -- the name within its scope, folded
    deprecated INTEGER NOT NULL,
    modified TEXT NOT NULL,
    size INTEGER NOT NULL,          -- bytes of its tarballs
    summary TEXT                    -- JSON; NULL when there is nothing to show: unpublished, or damaged
);
CREATE INDEX by_name ON packages (name) WHERE summary IS NOT NULL;
CREATE INDEX by_time ON packages (modified, name) WHERE summary IS NOT NULL;
CREATE INDEX by_size ON packages (size);
CREATE VIRTUAL TABLE terms USING fts5 (name, text, tags, tokenize='ascii', detail=column, prefix='1 2 3 4');
CREATE TABLE seen (event TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE state (org TEXT NOT NULL, checked REAL, compared REAL);
"""

SCHEMA = IndexSchema(2, _TABLES)
