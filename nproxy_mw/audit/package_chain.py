"""The chain of one package: its events, wherever its record keeps them. They are read here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import RECORD
from nproxy_mw.storage.port import Storage

NEWER = "newer"
"""What takes the place of a chain that a newer version wrote: this version cannot say whether it is sound."""


def pieces_of(storage: Storage, name: str) -> Iterator[Sequence[Any]]:
    """Yields the chain of the package *name* in pieces, the newest first, each with its oldest event first.

    *storage* is the organization's own. Each piece costs one read, when it is asked for. What cannot be read shows as
    one thing that is no event: see `chain_in`.

    Raises:
        Missing: nothing was ever published under that name.
        StorageUnavailable: the storage cannot be read.
    """
    yield chain_in(storage.read(RECORD.key(name)).data)


def chain_of(storage: Storage, name: str) -> Sequence[Any]:
    """Returns the whole chain of the package *name*, oldest event first. Raises as `pieces_of`."""
    return [event for piece in reversed(list(pieces_of(storage, name))) for event in piece]


def chain_in(data: bytes) -> Sequence[Any]:
    """Returns the chain in a package's stored record.

    A record that cannot be read shows as a chain of one thing that is no event: `NEWER` when a newer version wrote it.
    """
    try:
        document = orjson.loads(data)
        if documents.is_newer(document):
            return [NEWER]
        chain = document["chain"]
    except (ValueError, KeyError, TypeError):
        return [None]
    return chain if isinstance(chain, list) else [None]
