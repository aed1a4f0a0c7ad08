"""Errors of the operating system as sentences about the storage."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from nproxy_mw.errors import StorageUnavailable

_RETRY_AFTER = 10  # seconds; somebody has to make room or repair something first

_SENTENCES = {
    errno.ENOSPC: "The storage is full: make room on its disk.",
    errno.EDQUOT: "The storage is full: its quota is used up.",
    errno.EFBIG: "The storage does not accept an object of this size.",
    errno.EROFS: "The storage is read-only.",
    errno.EACCES: "The storage does not let this process in: correct the owner or the mode of its folder.",
    errno.EPERM: "The storage does not allow this: correct the owner or the mode of its folder.",
    errno.EIO: "The storage's disk reports errors.",
    errno.ESTALE: "The storage's folder is no longer mounted.",
    errno.EMFILE: "This process has too many files open: raise its limit.",
    errno.ENFILE: "This machine has too many files open.",
    errno.ENOSYS: "The storage's file system has no file locks: use another one.",
    errno.ENOLCK: "The storage's file system has no file locks: use another one.",
}


@contextmanager
def translated() -> Iterator[None]:
    """Raises `StorageUnavailable` for an ``OSError`` of the block."""
    try:
        yield
    except OSError as error:
        raise unavailable(error) from error


def unavailable(error: OSError) -> StorageUnavailable:
    """Returns what is raised for *error*."""
    sentence = _SENTENCES.get(error.errno or 0, "The storage cannot be read or written just now.")
    return StorageUnavailable(sentence, retry_after=_RETRY_AFTER)
