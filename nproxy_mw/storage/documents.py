"""JSON objects on Storage, changed by compare-and-swap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import orjson
from msgspec import Struct

from nproxy_mw.errors import Missing, StorageUnavailable
from nproxy_mw.json_values import Json
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.swaps import Swap

FORMAT = 1
"""Of every object stored here. A reader refuses a number it does not know."""

_DAMAGED_CODE = "damaged-object"
NEWER_CODE = "newer-object"
_DAMAGED = "An object in the storage is damaged: run 'nproxy-mw check', and restore the object from a backup."
_NEWER = (
    "An object in the storage was written by a newer version of nproxy-mw: run that version here too, on every host "
    "that uses this storage."
)


ObjectStep: TypeAlias = Callable[[dict[str, Any] | None], Json | None]
"""Returns what follows an object, which is None when there is none; returns None when nothing is to be written."""


class UnreadableObject(StorageUnavailable):
    """503: a stored object cannot be understood. *code* says whether it is damaged or of a newer format."""


def encode(document: Json) -> bytes:
    """Returns the object as it is stored."""
    return orjson.dumps({"format": FORMAT, **document}, option=orjson.OPT_APPEND_NEWLINE)


def decode(data: bytes, *, newest: int = FORMAT) -> dict[str, Any]:
    """Returns the object that `encode` stored, of a format up to *newest*.

    Raises:
        UnreadableObject: it is damaged, or of a newer format. Nothing is guessed: such an object must not read like an
            absent one.
    """
    try:
        document = orjson.loads(data)
    except ValueError as error:
        raise damaged() from error
    if is_newer(document, newest):
        raise newer()
    if not isinstance(document, dict) or document.get("format") not in range(FORMAT, newest + 1):
        raise damaged()
    return document


def is_newer(document: object, newest: int = FORMAT) -> bool:
    """Returns whether *document*, as it was parsed, is of a format after *newest*, the last one that is known here."""
    version = document.get("format") if isinstance(document, dict) else None
    return isinstance(version, int) and version > newest


def damaged() -> UnreadableObject:
    """Returns what is raised for a stored object that is damaged."""
    return UnreadableObject(_DAMAGED, code=_DAMAGED_CODE, retry_after=60)


def newer() -> UnreadableObject:
    """Returns what is raised for a stored object that a newer version wrote."""
    return UnreadableObject(_NEWER, code=NEWER_CODE, retry_after=60)


def find(storage: Storage, key: str) -> dict[str, Any] | None:
    """Returns the object as it is now, or None. Raises `UnreadableObject` as `decode` does."""
    try:
        return decode(storage.read(key).data)
    except Missing:
        return None


def change(
    storage: Storage,
    key: str,
    step: ObjectStep,
    *,
    is_done: Callable[[dict[str, Any]], bool] = lambda _: False,
) -> Replacement:
    """Replaces the object by what *step* makes of it, unless that is None. Returns what was replaced, and by what.

    *is_done* recognizes a state that holds this change: see `Swap`.

    Raises:
        Busy: every attempt lost its race. Nothing is written.
        StorageUnavailable: the object cannot be read or written, or is damaged. It may have been written.
    """
    made = Replacement(step)
    Swap[Any](storage, key, decode, encode, made.next, is_done).run()
    return made


class Replacement(Struct):
    """What `change` did: *step* made *after* of *before*. *after* is None when nothing was written."""

    step: ObjectStep
    before: dict[str, Any] | None = None
    after: Json | None = None

    def next(self, before: dict[str, Any] | None) -> Json | None:
        """Returns what follows *before*, and keeps both: the last attempt is the one that counts."""
        self.before, self.after = before, None
        self.after = self.step(before)
        return self.after
