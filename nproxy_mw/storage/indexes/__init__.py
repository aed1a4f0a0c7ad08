"""Indexes: SQLite files of one host that are derived from a storage, and made again whenever they are gone."""
