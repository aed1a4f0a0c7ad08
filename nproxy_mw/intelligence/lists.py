"""Lists of bad versions in files, in the form that `nproxy_mw.intelligence.list_entries` reads.

A list is read anew when its file changes. One that cannot be read any more keeps its last good state, and the log says
so: a list must never become empty by a typing error.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from nproxy_mw.http.at_once import about_to_wait
from nproxy_mw.intelligence.list_entries import ListEntries, ListEntry, parse_list
from nproxy_mw.intelligence.port import MALWARE, Alert, IntelligenceUnavailable
from nproxy_mw.npm.facts import Release

MAX_BYTES = 16 * 2**20
"""Of one list."""

LOOK = 5.0
"""Seconds after which a list's file is looked at again."""

_log = logging.getLogger(__name__)


class ListFile:
    """The `Intelligence` of one list. Its alerts are of the kind ``malware``, and bear the list's name as their id.

    The file is read when the object is made, so that the first question has an answer. *monotonic* counts seconds.
    """

    def __init__(self, path: Path, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.monotonic = monotonic
        self._guard = threading.Lock()
        self._looked_at = float("-inf")
        self._seen = ""  # the identity of the file when it was read last, well or not
        self._complaint = ""
        self._good: tuple[str, ListEntries] | None = None
        self._look()

    @property
    def revision(self) -> str:
        """The identity of the file's last good state; empty while there was none."""
        self._look()
        return self._good[0] if self._good else ""

    def alerts(self, name: str, releases: Sequence[Release]) -> tuple[Alert, ...]:
        """Returns an alert per listed version. Raises `IntelligenceUnavailable` while the list was never readable."""
        self._look()
        if self._good is None:
            raise IntelligenceUnavailable(f"The list {self.path.name} cannot be read.")
        entries = self._good[1].get(name, ())
        covered = ((release, entry) for entry in entries for release in releases if entry.covers(release.number))
        return tuple(self._alert(release, entry) for release, entry in covered)

    def _alert(self, release: Release, entry: ListEntry) -> Alert:
        return Alert(
            version=release.version,
            kind=MALWARE,
            id=self.path.name,
            summary=entry.why,
            every_version=entry.versions is None,
            affected=str(entry.versions) if entry.versions else "*",
        )

    def _look(self) -> None:
        now = self.monotonic()
        if now - self._looked_at <= LOOK:
            return
        about_to_wait()  # a long list takes seconds, if it has changed
        with self._guard:
            self._looked_at = now
            try:
                self._read()
                self._complaint = ""
            except (OSError, ValueError) as error:
                self._complain(str(error))

    def _read(self) -> None:
        state = self.path.stat()
        identity = f"{state.st_ino:x}-{state.st_mtime_ns:x}-{state.st_size:x}"
        if identity != self._seen:
            if state.st_size > MAX_BYTES:
                raise ValueError(f"It has more than {MAX_BYTES} bytes.")
            data = _bytes_of(self.path)
            self._seen = identity
            self._good = identity, parse_list(data.decode("utf-8"))

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            self._complaint = complaint
            state = "its last good state stays in force" if self._good else "nothing is known from it"
            _log.error("the list %s cannot be read, %s: %s", self.path, state, complaint)


def _bytes_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES)
