"""Where everything is kept: one port, an adapter per back end, and storages that stand on other storages."""

from __future__ import annotations

from pathlib import Path

from fsspec.core import split_protocol
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from nproxy_mw.storage.generic import FsspecStorage
from nproxy_mw.storage.local import LocalStorage
from nproxy_mw.storage.port import Storage

__all__ = ["FsspecStorage", "LocalStorage", "Storage", "open_storage"]

_SUPPORTED = "use a folder's path, file:///srv/npm, s3://bucket/prefix or memory://name."


def open_storage(url: str, *, freshness: float = 1.0) -> Storage:
    """Opens the storage at *url*. Nothing is asked of it yet.

    *freshness* is how many seconds old an answer "unchanged" may be on a storage that every question costs a request;
    0 asks each time. A local folder is always asked.

    Raises:
        ValueError: the URL is none, or of a kind that is not supported.
    """
    scheme, rest = split_protocol(url)
    if scheme in (None, "file", "local"):
        return LocalStorage(local_path(url, rest, relative=scheme is None))
    if scheme == "memory":
        return FsspecStorage(MemoryFileSystem(), rest)
    raise ValueError(f"This kind of storage is not supported: {_SUPPORTED}")


def local_path(url: str, rest: str, *, relative: bool) -> Path:
    """The folder a URL or a path names."""
    if not rest or "\0" in rest:
        raise ValueError(f"The storage has no name: {_SUPPORTED}")
    if not relative and not rest.startswith("/"):
        raise ValueError("A file:// storage needs three slashes and an absolute path: file:///srv/npm.")
    return Path(LocalFileSystem._strip_protocol(url))
