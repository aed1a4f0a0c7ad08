"""The storage port: six verbs on whole objects, and what every back end promises of them.

A key is a relative path of plain segments (``orgs/default/packages/@acme/utils/record.json``); `check_key` is its
grammar. No key is both an object and the folder of another. The promises, held to by
`nproxy_mw.testing.StorageContract`:

- a reader sees the old object or the new one, whole;
- ``create`` has exactly one winner; ``replace`` with a stale revision raises `Changed` and does nothing;
- what a call acknowledged survives a crash of the process and a power cut;
- a listing shows every object that was there before it began, none of a sibling prefix, and nothing that is no key.

Errors of the port: `Missing`, `Exists`, `Changed`, and `StorageUnavailable` for everything that may pass (disk full,
read-only, unreachable, throttled). Nothing else comes out; the cause is chained.

A write over the network can be carried out although its answer is lost. So `StorageUnavailable` from a write leaves
open whether the object was written, whole. `Exists` and `Changed` mean that the object is another writer's now. Where
an answer was lost, that writer may have read and replaced what this call wrote; a caller that must know looks for a
mark of its own in what is there (`nproxy_mw.storage.swaps`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import BinaryIO, NewType, Protocol

from msgspec import Struct

Revision = NewType("Revision", str)
"""Names one state of one object. Opaque; only equality has a meaning, and only within one key."""


class Stored(Struct, frozen=True):
    """An object's bytes and the revision they were read at, from one read."""

    data: bytes
    revision: Revision


class Storage(Protocol):
    """Where everything is stored: objects of bytes, each under a key."""

    def read(self, key: str) -> Stored:
        """Returns the whole object. Raises `Missing`."""
        ...

    def read_if_changed(self, key: str, revision: Revision) -> Stored | None:
        """Returns the object, or None when its revision is still *revision*. Raises `Missing`.

        Cheaper than `read` when nothing changed: one stat locally, one conditional request on S3.
        """
        ...

    def open(self, key: str) -> BinaryIO:
        """Opens an object that never changes, for reading from its beginning in pieces. The caller closes it.

        Raises `Missing`.
        """
        ...

    def create(self, key: str, data: bytes) -> Revision:
        """Writes a new object. Raises `Exists` when the key is taken, whatever it holds."""
        ...

    def replace(self, key: str, data: bytes, revision: Revision) -> Revision:
        """Writes over the object read at *revision*. Raises `Changed`, also when the object is gone."""
        ...

    def delete(self, key: str) -> None:
        """Removes the object, at whatever revision. Raises `Missing`."""
        ...

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yields the keys under the folder *prefix* (no trailing slash; empty for all), at any depth, in no order."""
        ...


# No segment begins with a dot: such names belong to the adapters (temporary files, locks). File systems allow a name
# 255 bytes.
_SEGMENT = r"@?[A-Za-z0-9~!*'()_+-][A-Za-z0-9._~!*'()+-]{0,253}"
_KEY = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*", re.ASCII)
MAX_KEY_LENGTH = 900  # with every prefix above it; S3 allows 1024 bytes, the rest is for a folder of the bucket


def is_key(text: str) -> bool:
    """Returns whether *text* is a key that an object may have."""
    return len(text) <= MAX_KEY_LENGTH and _KEY.fullmatch(text) is not None


@lru_cache(maxsize=16_384)
def check_key(key: str) -> str:
    """Returns *key* when it is one.

    Raises:
        ValueError: it is not, which is a bug of the caller: names are checked where they come in.
    """
    if len(key) > MAX_KEY_LENGTH or not _KEY.fullmatch(key):
        raise ValueError("not a storage key")
    return key
