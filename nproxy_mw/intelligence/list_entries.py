"""Lists of bad versions: one ``name``, ``name@version`` or ``name@range`` a line, and the reason after ``#``. Pure.

::

    # our own findings
    left-padd                   # typosquatting of left-pad
    axios@1.14.1                # hijacked on 31 March
    @scope/tool@>=2.0.0 <2.3.1

A line about a name condemns every version. Ranges are npm's; prereleases take part in them like other versions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from nproxy_mw.errors import BadRequest
from nproxy_mw.npm.names import parse_name
from nproxy_mw.npm.ranges import Range, parse_range
from nproxy_mw.npm.versions import Version, parse_loose


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


def _parse_entry(text: str) -> tuple[str, Range | None]:
    name, at, versions = text.partition("@") if not text.startswith("@") else _scoped(text)
    if at and not versions.strip():
        raise BadRequest("Write a version or a range after the '@', or leave it out.")
    return str(parse_name(name.strip())), _parse_versions(versions.strip()) if at else None


def _parse_versions(text: str) -> Range:
    # An old number such as 3.0.0rc5 can be listed; in a range, npm's loose reading skips what it cannot read.
    return parse_range(text, loose=parse_loose(text) is not None)


def _scoped(text: str) -> tuple[str, str, str]:
    scope, at, versions = text[1:].partition("@")
    return f"@{scope}", at, versions
