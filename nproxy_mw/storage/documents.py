"""JSON objects on Storage, changed by compare-and-swap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from nproxy_mw.errors import Busy, Changed, Exists, Missing, StorageUnavailable
from nproxy_mw.json_values import Json
from nproxy_mw.storage.port import Storage

FORMAT = 1
"""Of every object stored here. A reader refuses a number it does not know."""

ATTEMPTS = 3
"""How often a change is tried before its caller is told to come again."""

DAMAGED_CODE = "damaged-object"
DAMAGED = (
    "An object in the storage is damaged or of a newer format: run 'nproxy-mw check' and restore it from a backup."
)


def encode(document: Json) -> bytes:
    """The object as it is stored."""
    return orjson.dumps({"format": FORMAT, **document}, option=orjson.OPT_APPEND_NEWLINE)


def decode(data: bytes) -> dict[str, Any]:
    """The object that `encode` stored.

    Raises:
        StorageUnavailable: it is damaged. Nothing is guessed: a damaged object must not read like an absent one.
    """
    try:
        document = orjson.loads(data)
    except ValueError as error:
        raise damaged() from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise damaged()
    return document


def damaged() -> StorageUnavailable:
    """What is raised for a stored object that cannot be understood."""
    return StorageUnavailable(DAMAGED, code=DAMAGED_CODE, retry_after=60)


def find(storage: Storage, key: str) -> dict[str, Any] | None:
    """The object as it is now, or None."""
    try:
        return decode(storage.read(key).data)
    except Missing:
        return None


def change(
    storage: Storage, key: str, step: Callable[[dict[str, Any] | None], Json | None], *, attempts: int = ATTEMPTS
) -> None:
    """Reads the object, asks *step* for the next one, and writes that if nobody else wrote meanwhile; else starts over.

    *step* is given None when there is no object yet, and answers None when nothing is to be written.

    Raises:
        Busy: every attempt lost its race. Nothing is written.
    """
    for _ in range(attempts):
        if swap(storage, key, step):
            return
    raise Busy("Others are changing the same thing: try again.")


def swap(storage: Storage, key: str, step: Callable[[dict[str, Any] | None], Json | None]) -> bool:
    """One attempt of `change`; whether it was not lost."""
    try:
        stored = storage.read(key)
    except Missing:
        stored = None
    document = step(decode(stored.data) if stored else None)
    if document is None:
        return True
    try:
        if stored is None:
            storage.create(key, encode(document))
        else:
            storage.replace(key, encode(document), stored.revision)
    except (Exists, Changed):
        return False
    return True
