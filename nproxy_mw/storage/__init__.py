"""Where everything is kept: one port, an adapter per back end, and storages that wrap other storages."""

from __future__ import annotations

from nproxy_mw.storage.freshness import FreshnessCache
from nproxy_mw.storage.generations import generations_of
from nproxy_mw.storage.generic import FsspecStorage
from nproxy_mw.storage.local import LocalStorage
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.urls import SUPPORTED, bucket_and_prefix, local_folder, split_url

__all__ = ["FsspecStorage", "LocalStorage", "Storage", "open_storage"]


def open_storage(url: str, *, freshness: float = 1.0) -> Storage:
    """Returns the storage at *url*. It is not asked anything yet.

    *freshness*: for so many seconds a process may rely on "unchanged" without asking again; 0 asks each time. Changes
    by other processes of this host end that at once.

    Raises:
        TypeError: *url* is no text.
        ValueError: *url* is not the URL of a storage, or not of a kind that is supported.
    """
    folder = local_folder(url)
    if folder is not None:
        return LocalStorage(folder, freshness=freshness)
    scheme, rest = split_url(url)
    if scheme == "memory":
        # Only here, as s3fs below: a folder needs nothing of fsspec.
        from fsspec.implementations.memory import MemoryFileSystem

        return FsspecStorage(MemoryFileSystem(), rest)
    if scheme == "s3":
        # Also where every question is asked: what is written there must be told to those who rely on an answer.
        return FreshnessCache(_s3_storage(url), freshness, generations=generations_of(*bucket_and_prefix(url)))
    raise ValueError(f"This kind of storage is not supported: {SUPPORTED}")


def _s3_storage(url: str) -> Storage:
    bucket, prefix = bucket_and_prefix(url)
    try:
        # Only here: s3fs takes a second to import, and is not installed without the extra.
        from nproxy_mw.storage.s3 import S3Storage
    except ImportError as error:
        raise ValueError("An s3:// storage needs s3fs: pip install 'nproxy_mw[s3]'.") from error
    return S3Storage(bucket, prefix)
