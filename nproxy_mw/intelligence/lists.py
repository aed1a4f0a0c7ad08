"""Lists of bad versions in files: one ``name``, ``name@version`` or ``name@range`` a line, and behind ``#`` why.

::

    # our own findings
    left-padd                   # typosquatting of left-pad
    axios@1.14.1                # hijacked on 31 March
    @scope/tool@>=2.0.0 <2.3.1

A line about a name condemns every version. Ranges are npm's; prereleases take part in them like other versions. A list
is read anew when its file changes. One that cannot be read any more keeps its last good state, and the log says so: a
list must never become empty by a typing error.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from nproxy_mw.errors import BadRequest
from nproxy_mw.intelligence.port import MALWARE, Alert, IntelligenceUnavailable
from nproxy_mw.npm.facts import Release
from nproxy_mw.npm.names import parse_name
from nproxy_mw.npm.ranges import Range, parse_range
from nproxy_mw.npm.versions import Version, parse_loose

MAX_BYTES = 16 * 2**20
"""Of one list."""

LOOK = 5.0
"""Seconds after which a list's file is looked at again."""

_log = logging.getLogger(__name__)


class ListEntry(NamedTuple):
    """One line: the versions it condemns (None: all), and why."""

    versions: Range | None
    why: str

    def covers(self, number: Version | None) -> bool:
        """Returns whether the line condemns a version; None stands for a text that is no version."""
        if self.versions is None:
            return True
        return number is not None and self.versions.matches(number, include_prerelease=True)


ListEntries = Mapping[str, Sequence[ListEntry]]
"""Entries by package."""


def parse_list(text: str) -> ListEntries:
    """Returns the entries of a list.

    Raises:
        ValueError: a line is none of the forms above; the message names it by its number.
    """
    found: dict[str, list[ListEntry]] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        entry, _, why = line.partition("#")
        if entry.strip():
            try:
                name, versions = _parse_entry(entry.strip())
            except BadRequest as error:
                raise ValueError(f"Line {number}: {error}") from error
            found.setdefault(name, []).append(ListEntry(versions, " ".join(why.split())))
    return found


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


def _parse_entry(text: str) -> tuple[str, Range | None]:
    name, at, versions = text.partition("@") if not text.startswith("@") else _scoped(text)
    if at and not versions.strip():
        raise BadRequest("Write a version or a range behind the '@', or leave it out.")
    return str(parse_name(name.strip())), _parse_versions(versions.strip()) if at else None


def _parse_versions(text: str) -> Range:
    # An old number such as 3.0.0rc5 can be listed; in a range, npm's loose reading skips what it cannot read.
    return parse_range(text, loose=parse_loose(text) is not None)


def _scoped(text: str) -> tuple[str, str, str]:
    scope, at, versions = text[1:].partition("@")
    return f"@{scope}", at, versions
