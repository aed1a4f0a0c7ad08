"""Where a host keeps what it derives from a storage and can derive again."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import Protocol, runtime_checkable

from nproxy_mw.storage.freshness import FreshnessCache
from nproxy_mw.storage.local import LocalStorage
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.prefixed import Prefixed


@runtime_checkable
class Addressed(Protocol):
    """A storage that other processes reach too."""

    @property
    def address(self) -> str:
        """The same for all storages that hold the same objects, and for no others."""
        ...


def derived_folder(storage: Storage, name: str) -> Path | None:
    """Returns the folder *name* of this host for *storage*; None when no other process can share it.

    A local storage has it within its own folder, where no key leads. For another one it is in the user's folder for
    caches (https://specifications.freedesktop.org/basedir/latest/).
    """
    below = back_end(storage)
    if isinstance(below, LocalStorage):
        return below.root / f".{name}"
    if isinstance(below, Addressed):
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
        return caches / "nproxy-mw" / sha256(below.address.encode()).hexdigest()[:32] / name
    return None


def is_local(storage: Storage) -> bool:
    """Returns whether reading from *storage* costs no request."""
    return folder_of(storage) is not None


def folder_of(storage: Storage) -> Path | None:
    """Returns the folder of this machine that *storage* stands on; None when it is none."""
    below = back_end(storage)
    return below.root if isinstance(below, LocalStorage) else None


def back_end(storage: Storage) -> Storage:
    """Returns what *storage* stands on."""
    return back_end(storage.storage) if isinstance(storage, Prefixed | FreshnessCache) else storage
