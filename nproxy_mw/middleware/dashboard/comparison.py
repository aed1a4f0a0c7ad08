"""What changed between two versions: files, text, dependencies, scripts.

Both may be hostile: lines, bytes and time are bounded, and what does not fit is named.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

from nproxy_mw.json_values import Json
from nproxy_mw.middleware.dashboard.tarball_files import PackedFile
from nproxy_mw.middleware.dashboard.texts import short, weight

MAX_LINES = 2000  # of a file that is compared
MAX_COMPARED = 8000  # lines of all files that are compared for one page
MAX_SECONDS = 0.5
"""After which no further file is compared. Files that are made for it take a second each; others take milliseconds."""

MAX_SHOWN = 18_000  # bytes of all differences on one page
MAX_WIDTH = 300  # characters of a line
MAX_PATH = 200  # bytes of a path on a page
MAX_LISTED = 18_000  # bytes of the list of files on one page
ROW, SECTION = 200, 160  # bytes of the elements around a file in the list, and around its difference

FULL = "The rest is left out: this page is full."

_GROUPS = ("dependencies", "optionalDependencies", "peerDependencies")
_ALONE = ("scripts", "bin", "engines")


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that is not the same. *old* and *new* are sizes in bytes, None where it is absent.

    *lines* are those of the unified diff; *note* says why there are none.
    """

    path: str
    old: int | None
    new: int | None
    lines: tuple[str, ...] = ()
    note: str = ""

    @property
    def kind(self) -> str:
        """``added``, ``removed`` or ``changed``."""
        return "added" if self.old is None else "removed" if self.new is None else "changed"

    @property
    def has_section(self) -> bool:
        """Whether there is more to say of it than the list does."""
        return bool(self.lines) or self.note != FULL


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A member of the manifest that is not the same, such as the dependency ``lodash``; None where it is absent."""

    group: str
    name: str
    old: str | None
    new: str | None


def file_changes(
    old: Mapping[str, PackedFile], new: Mapping[str, PackedFile], *, monotonic: Callable[[], float] = time.monotonic
) -> list[FileChange]:
    """Returns what changed from *old* to *new*, files and their text as far as a page can show them."""
    changes: list[FileChange] = []
    end = monotonic() + MAX_SECONDS
    room, listed, patience = MAX_SHOWN, MAX_LISTED, MAX_COMPARED
    for path in sorted(old.keys() | new.keys()):
        before, after = old.get(path), new.get(path)
        if before is not None and after is not None and before.digest == after.digest:
            continue
        path_weight = weight(short(path, MAX_PATH))
        listed -= ROW + path_weight
        if listed < 0:
            break
        patience -= max(_line_count(before), _line_count(after))
        room -= SECTION + 2 * path_weight
        is_full = patience < 0 or room < 0 or monotonic() > end
        lines, note = ((), FULL) if is_full else _difference(before, after, room)
        room -= sum(map(_line_weight, lines))
        changes.append(FileChange(path, _size(before), _size(after), lines, note))
    return changes


def count_changes(old: Mapping[str, PackedFile], new: Mapping[str, PackedFile]) -> int:
    """Returns how many files are not the same."""
    digests = [{path: file.digest for path, file in files.items()} for files in (old, new)]
    return len({path for path, _ in digests[0].items() ^ digests[1].items()})


def field_changes(old: Json, new: Json) -> Iterator[FieldChange]:
    """Yields what changed in the dependencies, scripts, programs and engines of two manifests."""
    for group in (*_GROUPS, *_ALONE):
        before, after = _members(old, group), _members(new, group)
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) != after.get(name):
                yield FieldChange(group, name, before.get(name), after.get(name))


def _members(manifest: Json, group: str) -> dict[str, str]:
    found: Any = manifest.get(group)
    if isinstance(found, str):
        return {"": found}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, Mapping) else {}


def _line_weight(line: str) -> int:
    return weight(line) + 30


def _line_count(file: PackedFile | None) -> int:
    return file.text.count("\n") + 1 if file and file.text else 0


def _size(file: PackedFile | None) -> int | None:
    return file.size if file else None


def _difference(before: PackedFile | None, after: PackedFile | None, room: int) -> tuple[tuple[str, ...], str]:
    texts = [file.text if file else "" for file in (before, after)]
    if texts[0] is None or texts[1] is None:
        return (), "This is not text, or too long to be compared here."
    old, new = texts[0].splitlines(), texts[1].splitlines()
    if max(len(old), len(new)) > MAX_LINES:
        return (), f"This has more than {MAX_LINES:,} lines, too many to be compared here."
    lines: list[str] = []
    for line in list(unified_diff(old, new, lineterm="", n=2))[2:]:
        shown = line if len(line) <= MAX_WIDTH else f"{line[:MAX_WIDTH]} …"
        room -= _line_weight(shown)
        if room < 0:
            return tuple(lines), FULL
        lines.append(shown)
    return tuple(lines), "" if lines else "Only line ends or spaces at the end differ."
