"""A part of a storage as a storage of its own: how one organization is kept from every other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from nproxy_mw.storage.port import Revision, Storage, Stored, check_key


@dataclass(frozen=True, slots=True)
class Prefixed:
    """The objects of *storage* below the folder *prefix*. No key leads out of it."""

    storage: Storage
    prefix: str

    def __post_init__(self) -> None:
        check_key(self.prefix)

    def read(self, key: str) -> Stored:
        return self.storage.read(self.inner(key))

    def read_if_changed(self, key: str, revision: Revision) -> Stored | None:
        return self.storage.read_if_changed(self.inner(key), revision)

    def open(self, key: str) -> BinaryIO:
        return self.storage.open(self.inner(key))

    def create(self, key: str, data: bytes) -> Revision:
        return self.storage.create(self.inner(key), data)

    def replace(self, key: str, data: bytes, revision: Revision) -> Revision:
        return self.storage.replace(self.inner(key), data, revision)

    def delete(self, key: str, revision: Revision | None = None) -> None:
        self.storage.delete(self.inner(key), revision)

    def list(self, prefix: str = "") -> Iterator[str]:
        found = self.storage.list(self.inner(prefix) if prefix else self.prefix)
        return (key.removeprefix(f"{self.prefix}/") for key in found)

    def inner(self, key: str) -> str:
        """The key in the whole storage. Checked alone first: a part that is no key must not become one when joined."""
        return f"{self.prefix}/{check_key(key)}"
