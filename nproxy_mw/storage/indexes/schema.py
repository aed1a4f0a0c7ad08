"""The tables of a kind of index, and the number that changes with them."""

from __future__ import annotations

import sqlite3

from msgspec import Struct


class IndexSchema(Struct, frozen=True):
    """What an index consists of: SQL *statements*, one of which makes the table ``state`` with the column ``org``.

    *version* changes with the tables and with what their columns hold. It stands in the file's name, so two versions of
    this package on one host do not take each other's file away.
    """

    version: int
    statements: str

    def is_complete(self, connection: sqlite3.Connection, org: str) -> bool:
        """Returns whether the tables of this version are there, and of the organization *org*."""
        if connection.execute("PRAGMA user_version").fetchone() != (self.version,):
            return False
        return bool(connection.execute("SELECT org FROM state").fetchone() == (org,))

    def create(self, connection: sqlite3.Connection, org: str) -> None:
        """Creates the tables in an empty file, all of them or none."""
        connection.execute("BEGIN IMMEDIATE")
        for statement in self.statements.split(";\n"):
            connection.execute(statement)
        connection.execute("INSERT INTO state (org) VALUES (?)", [org])
        connection.execute(f"PRAGMA user_version = {self.version}")
        connection.execute("COMMIT")
