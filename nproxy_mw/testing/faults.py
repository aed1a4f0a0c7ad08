"""A storage that fails at a chosen operation: for tests that nothing is lost wherever a process or a disk fails.

A sweep tries every moment in turn::

    for at in itertools.count(1):
        storage = new_storage()
        faulty = Faulty(storage, at, "fail")
        with suppress(StorageUnavailable):
            publish(faulty)
        assert_readable(storage)
        if not faulty.struck:
            break  # the work has fewer than *at* operations
"""

from __future__ import annotations

import io
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO, Literal, TypeAlias, TypeVar

from nproxy_mw.errors import StorageUnavailable
from nproxy_mw.storage.port import Revision, Storage, Stored

T = TypeVar("T")

Fault: TypeAlias = Literal["fail", "lost-answer", "truncate", "delay", "kill"]
"""What happens at the chosen operation.

``fail``: nothing is done and `StorageUnavailable` is raised. ``lost-answer``: it is done, and the error is raised all
the same. ``truncate``: a stream breaks off half-way with `StorageUnavailable`; other operations fail. ``delay``:
*meanwhile* is called first; it may wait, or do what another process might do. ``kill``: this process dies at once, as
by SIGKILL.
"""


class Faulty:
    """A *storage* with a fault at operation number *at* (from 1), and at the *times* - 1 operations after it.

    Every call of the port counts as one operation. *struck* is whether that operation was reached, *operations* the
    number of operations so far.
    """

    def __init__(
        self,
        storage: Storage,
        at: int,
        kind: Fault = "fail",
        *,
        times: int = 1,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> None:
        self.storage = storage
        self.kind = kind
        self.operations = 0
        self._struck_ones = range(at, at + times)
        self._meanwhile = meanwhile
        self._guard = threading.Lock()

    @property
    def struck(self) -> bool:
        """Whether the chosen operation was reached."""
        return self.operations >= self._struck_ones.start

    def read(self, key: str) -> Stored:
        return self.strike(lambda: self.storage.read(key))

    def read_if_changed(self, key: str, revision: Revision) -> Stored | None:
        return self.strike(lambda: self.storage.read_if_changed(key, revision))

    def open(self, key: str) -> BinaryIO:
        if self.kind == "truncate" and self.counts():
            with self.storage.open(key) as whole:
                data = whole.read()
            return Truncated(data[: len(data) // 2])
        return self.strike(lambda: self.storage.open(key), counted=self.kind == "truncate")

    def create(self, key: str, data: bytes) -> Revision:
        return self.strike(lambda: self.storage.create(key, data))

    def replace(self, key: str, data: bytes, revision: Revision) -> Revision:
        return self.strike(lambda: self.storage.replace(key, data, revision))

    def delete(self, key: str) -> None:
        self.strike(lambda: self.storage.delete(key))

    def list(self, prefix: str = "") -> Iterator[str]:
        return self.strike(lambda: self.storage.list(prefix))

    def counts(self) -> bool:
        """Counts an operation, and returns whether it gets the fault."""
        with self._guard:
            self.operations += 1
            return self.operations in self._struck_ones

    def strike(self, operate: Callable[[], T], *, counted: bool = False) -> T:
        """Carries out one operation, or its fault."""
        if counted or not self.counts():
            return operate()
        if self.kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kind == "delay":
            self._meanwhile()
            return operate()
        if self.kind == "lost-answer":
            operate()
        raise StorageUnavailable("The storage fails, as this test wants it to.")


class Truncated(io.BytesIO):
    """A stream that breaks off at its end instead of ending."""

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if size is None or size < 0 or (size and not data):
            raise StorageUnavailable("The storage breaks off, as this test wants it to.")
        return data
