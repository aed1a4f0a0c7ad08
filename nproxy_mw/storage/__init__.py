"""Where everything is kept: one port, an adapter per back end, and storages that stand on other storages."""

from __future__ import annotations

import re
from pathlib import Path

from fsspec.core import split_protocol
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from nproxy_mw.storage.freshness import FreshnessCache
from nproxy_mw.storage.generic import FsspecStorage
from nproxy_mw.storage.local import LocalStorage
from nproxy_mw.storage.port import Storage, is_key

__all__ = ["FsspecStorage", "LocalStorage", "Storage", "open_storage"]

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_LONGEST_PREFIX = 120  # beside a key, within the 1024 bytes of S3
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
    if scheme == "s3":
        storage = s3_storage(rest)
        return FreshnessCache(storage, freshness) if freshness > 0 else storage
    raise ValueError(f"This kind of storage is not supported: {_SUPPORTED}")


def local_path(url: str, rest: str, *, relative: bool) -> Path:
    """The folder a URL or a path names."""
    if not rest or "\0" in rest:
        raise ValueError(f"The storage has no name: {_SUPPORTED}")
    if not relative and not rest.startswith("/"):
        raise ValueError("A file:// storage needs three slashes and an absolute path: file:///srv/npm.")
    return Path(LocalFileSystem._strip_protocol(url))


def s3_storage(rest: str) -> Storage:
    """The storage in a bucket, and a folder of it, that the rest of a URL names."""
    bucket, _, prefix = rest.rstrip("/").partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise ValueError("An s3:// storage needs the name of a bucket: s3://bucket/prefix.")
    if prefix and (not is_key(prefix) or len(prefix) > _LONGEST_PREFIX):
        raise ValueError("The prefix in an s3:// URL is made of letters, digits and hyphens: s3://bucket/prefix.")
    try:
        # Only here: s3fs takes a second to import, and is not installed without the extra.
        from nproxy_mw.storage.s3 import S3Storage
    except ImportError as error:
        raise ValueError("An s3:// storage needs s3fs: pip install 'nproxy_mw[s3]'.") from error
    return S3Storage(bucket, prefix)
