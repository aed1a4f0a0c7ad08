"""Lists of bad versions in files: one ``name``, ``name@version`` or ``name@range`` a line, and perhaps why.

::

    # our own findings
    left-padd                   typosquatting of left-pad
    axios@1.14.1                hijacked on 31 March
    @scope/tool@>=2.0.0 <2.3.1

A line about a name condemns every version. A list is read anew when its file changes. One that cannot be read any more
keeps its last good state, and the log says so: a list must never become empty by a typing error.
"""

from __future__ import annotations

import logging
import re
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
from nproxy_mw.npm.versions import parse_loose

MAX_BYTES = 16 * 2**20
"""Of one list."""

LOOK = 5.0
"""Seconds after which a list's file is looked at again."""

_LINE = re.compile(r"(?P<name>@?[^@\s]+)(?:@(?P<range>(?:\S+(?: +(?=[<>=~^|\d])|(?<=\|) +)?)+))?(?:\s+(?P<why>\S.*))?")
_log = logging.getLogger(__name__)


class ListEntry(NamedTuple):
    """One line: the versions it condemns (None: all), and why."""

    versions: Range | None
    why: str


def parse_list(text: str) -> Mapping[str, Sequence[ListEntry]]:
    """Returns the entries of a list by package.

    Raises:
        ValueError: a line is none of the forms above; the message names it by its number.
    """
    found: dict[str, list[ListEntry]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        content = line.partition("#")[0].strip()
        if content:
            name, entry = _parse_line(content, number)
            found.setdefault(name, []).append(entry)
    return found


class ListFile:
    """The `Intelligence` of one list. Its alerts are of the kind ``malware``, and bear the list's name as their id."""

    def __init__(self, path: Path, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.monotonic = monotonic
        self._guard = threading.Lock()
        self._looked_at = float("-inf")
        self._identity = ""
        self._entries: Mapping[str, Sequence[ListEntry]] | None = None

    @property
    def revision(self) -> str:
        """The identity of the file's last good state; empty while there was none."""
        self._look()
        return self._identity

    def alerts(self, name: str, releases: Sequence[Release]) -> tuple[Alert, ...]:
        """Returns an alert per listed version. Raises `IntelligenceUnavailable` while the list was never readable."""
        self._look()
        if self._entries is None:
            raise IntelligenceUnavailable(f"The list {self.path.name} cannot be read.")
        return tuple(
            Alert(
                version=release.version,
                kind=MALWARE,
                id=self.path.name,
                summary=entry.why,
                every_version=entry.versions is None,
                affected=str(entry.versions) if entry.versions else "*",
            )
            for entry in self._entries.get(name, ())
            for release in releases
            if _covers(entry, release.version)
        )

    def _look(self) -> None:
        now = self.monotonic()
        if now - self._looked_at <= LOOK:
            return
        with self._guard:
            self._looked_at = now
            try:
                state = self.path.stat()
                identity = f"{state.st_ino:x}-{state.st_mtime_ns:x}-{state.st_size:x}"
                if identity != self._identity:
                    self._entries, self._identity = _read(self.path), identity
            except (OSError, ValueError) as error:
                _log.error("the list %s cannot be read, its last good state stays in force: %s", self.path, error)


def _read(path: Path) -> Mapping[str, Sequence[ListEntry]]:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"It has more than {MAX_BYTES} bytes.")
    return parse_list(data.decode("utf-8"))


def _parse_line(content: str, number: int) -> tuple[str, ListEntry]:
    match = _LINE.fullmatch(content)
    if match is None:
        raise ValueError(f"Line {number} is not a name, a name@version or a name@range.")
    try:
        name = str(parse_name(match["name"]))
        versions = parse_range(match["range"].strip(), loose=True) if match["range"] else None
    except BadRequest as error:
        raise ValueError(f"Line {number}: {error}") from error
    return name, ListEntry(versions, (match["why"] or "").strip())


def _covers(entry: ListEntry, version: str) -> bool:
    parsed = parse_loose(version)
    return entry.versions is None or (parsed is not None and entry.versions.matches(parsed, include_prerelease=True))
