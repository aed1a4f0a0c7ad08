"""A part of a storage as a storage of its own: how one organization is kept from every other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import BinaryIO

from msgspec import Struct

from nproxy_mw.storage.listing import list_names, list_with_revisions, list_with_times
from nproxy_mw.storage.port import Revision, Storage, Stored, check_key
from nproxy_mw.storage.series import Series, in_series, stage


class Prefixed(Struct, frozen=True):
    """The objects of *storage* below the folder *prefix*. No key leads out of it.

    Each key is checked alone first: a part that is no key must not become one when it is joined to the prefix.
    """

    storage: Storage
    prefix: str

    def __post_init__(self) -> None:
        check_key(self.prefix)

    def read(self, key: str) -> Stored:
        return self.storage.read(f"{self.prefix}/{check_key(key)}")

    def read_if_changed(self, key: str, revision: Revision) -> Stored | None:
        return self.storage.read_if_changed(f"{self.prefix}/{check_key(key)}", revision)

    def open(self, key: str) -> BinaryIO:
        return self.storage.open(f"{self.prefix}/{check_key(key)}")

    def create(self, key: str, data: bytes) -> Revision:
        return self.storage.create(f"{self.prefix}/{check_key(key)}", data)

    def replace(self, key: str, data: bytes, revision: Revision) -> Revision:
        return self.storage.replace(f"{self.prefix}/{check_key(key)}", data, revision)

    def stage(self, key: str, data: bytes) -> None:
        stage(self.storage, f"{self.prefix}/{check_key(key)}", data)

    def series(self) -> Series:
        inner = in_series(self.storage)
        return Series(Prefixed(inner.storage, self.prefix), inner.order)

    def delete(self, key: str) -> None:
        self.storage.delete(f"{self.prefix}/{check_key(key)}")

    def list(self, prefix: str = "") -> Iterator[str]:
        found = self.storage.list(self.outer(prefix) if prefix else self.prefix)
        return (key.removeprefix(f"{self.prefix}/") for key in found)

    def list_with_revisions(self, prefix: str = "") -> Iterator[tuple[str, Revision | None]]:
        found = list_with_revisions(self.storage, self.outer(prefix) if prefix else self.prefix)
        return ((key.removeprefix(f"{self.prefix}/"), revision) for key, revision in found)

    def list_with_times(self, prefix: str = "") -> Iterator[tuple[str, datetime | None]]:
        found = list_with_times(self.storage, self.outer(prefix) if prefix else self.prefix)
        return ((key.removeprefix(f"{self.prefix}/"), time) for key, time in found)

    def list_names(self, prefix: str = "") -> Sequence[str] | None:
        return list_names(self.storage, self.outer(prefix) if prefix else self.prefix)

    def outer(self, key: str) -> str:
        """Returns the key in the whole storage."""
        return f"{self.prefix}/{check_key(key)}"
