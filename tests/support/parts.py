"""What is in the parts of packages' records, and what is asked of a storage about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nproxy_mw.npm.names import Name
from nproxy_mw.packages.record import Record
from nproxy_mw.packages.store import PackageStore
from nproxy_mw.packages.version_parts import VersionPart
from nproxy_mw.storage.layout import PART
from nproxy_mw.storage.parts import decode_part, read_part
from nproxy_mw.storage.port import Storage
from support.packages import NAME


def own(packages: PackageStore, name: Name = NAME) -> Record:
    """The record without its parts, as it is stored now."""
    return packages.records.own(name, current=True)[0]


def stored_parts(storage: Storage) -> list[str]:
    """The keys of all parts on the storage, within their package."""
    return sorted(PART.parse(key)[1] for key in PART.keys(storage))


def version_parts(storage: Storage, packages: PackageStore) -> list[VersionPart]:
    """The contents of the parts with versions."""
    refs = own(packages).version_parts
    return [decode_part(read_part(storage, NAME, ref.key), VersionPart) for ref in refs]


class Traced:
    """A storage that notes each call: its verb and its key."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.calls: list[tuple[str, str]] = []

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        def call(key: str = "", *arguments: Any) -> Any:
            self.calls.append((verb, key))
            return getattr(self.storage, verb)(key, *arguments)

        return call

    def keys(self, *verbs: str, under: str = "") -> list[str]:
        """The keys that *verbs* were called with."""
        return [key for verb, key in self.calls if verb in verbs and key.startswith(under)]


class Meanwhile:
    """A storage on which something happens, once, just after a call of *verb* with a key under *folder*."""

    def __init__(self, storage: Storage, verb: str, folder: str, happens: Callable[[], object]) -> None:
        self.storage, self.verb, self.folder, self.happens = storage, verb, folder, happens
        self.happened = False

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        real = getattr(self.storage, verb)

        def call(key: str = "", *arguments: Any) -> Any:
            result = real(key, *arguments)
            if verb == self.verb and key.startswith(self.folder) and not self.happened:
                self.happened = True
                self.happens()
            return result

        return call
