"""Compare-and-swap: an object is read, its next state computed, and written unless another writer came first.

A write has three outcomes that a caller must tell apart: it is stored, another writer came first, or nobody knows,
because the answer was lost. Another writer may also have replaced what was stored before the answer came, so that the
newest state does not show it. A change therefore carries a mark of its own that later states keep, and every state that
is read after the first attempt is asked for that mark.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from msgspec import Struct

from nproxy_mw.errors import Busy, Changed, ClientError, Exists, Missing, StorageUnavailable
from nproxy_mw.storage.port import Revision, Storage, Stored

T = TypeVar("T")

ATTEMPTS = 3
"""How often a change is tried before it is Busy."""


class Swap(Struct, Generic[T]):
    """One change of the object under *key*, which *decode* and *encode* translate.

    *decode* raises `StorageUnavailable` for a damaged object. *next* is called once for each attempt. It is given the
    present state, or None when there is no object, and returns the state that follows, or None when nothing is to be
    written. It raises `Changed` when it finds out that it was given an old state. *is_done* returns whether a state
    that was read later holds this change. *written* is set to what this change wrote, unless the answer to that was
    lost.
    """

    storage: Storage
    key: str
    decode: Callable[[bytes], T]
    encode: Callable[[T], bytes]
    next: Callable[[T | None], T | None]
    is_done: Callable[[T], bool]
    written: Stored | None = None

    def run(self, remembered: tuple[T | None, Revision | None] | None = None) -> None:
        """Makes the change.

        *remembered* is a state that may be a little old, and its revision. The first attempt starts from it, but
        nothing is refused because of it: a refusal is decided on a state that was read.

        Raises:
            Busy: every attempt lost its race. Nothing is written.
            StorageUnavailable: the object cannot be read or written, or is damaged. It may have been written.
            ClientError: whatever *next* raises.
        """
        if remembered is not None and self._tried_on(remembered):
            return
        for attempt in range(ATTEMPTS if remembered is None else ATTEMPTS - 1):
            before, revision = self._read()
            if (attempt or remembered) and before is not None and self.is_done(before):
                return
            if self._attempt(before, revision):
                return
        if not self._is_stored():
            raise Busy(f"Others changed the same thing {ATTEMPTS} times meanwhile; nothing is stored. Try again.")

    def _tried_on(self, remembered: tuple[T | None, Revision | None]) -> bool:
        try:
            return self._attempt(*remembered)
        except ClientError:
            return False

    def _attempt(self, before: T | None, revision: Revision | None) -> bool:
        """Computes the next state and writes it; returns whether the change is over."""
        try:
            after = self.next(before)
        except Changed:
            return False
        if after is None:
            return True
        data = self.encode(after)
        try:
            if revision is None:
                revision = self.storage.create(self.key, data)
            else:
                revision = self.storage.replace(self.key, data, revision)
        except (Exists, Changed):
            return False
        except StorageUnavailable:
            if not self._is_stored():
                raise
            return True
        self.written = Stored(data, revision)
        return True

    def _is_stored(self) -> bool:
        found, _ = self._read()
        return found is not None and self.is_done(found)

    def _read(self) -> tuple[T | None, Revision | None]:
        try:
            stored = self.storage.read(self.key)
        except Missing:
            return None, None
        return self.decode(stored.data), stored.revision


def overwrite(storage: Storage, key: str, data: bytes) -> None:
    """Writes an object whatever was there. Of two writers at the same time, either one may win.

    Raises:
        StorageUnavailable: the storage cannot be written to just now.
    """
    try:
        storage.create(key, data)
    except Exists:
        with suppress(Missing, Changed):
            storage.replace(key, data, storage.read(key).revision)
