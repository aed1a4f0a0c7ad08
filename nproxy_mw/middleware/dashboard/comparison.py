"""What changed between two versions: files, text, dependencies, scripts. Bounded, and pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

from nproxy_mw.json_values import Json
from nproxy_mw.middleware.dashboard.tarball_files import PackedFile

MAX_LINES = 2000  # of a file that is compared
MAX_COMPARED = 8000  # lines of all files that are compared for one page
MAX_SHOWN = 24_000  # characters of all differences on one page
MAX_WIDTH = 300  # characters of a line
MAX_FILES = 150

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


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A member of the manifest that is not the same, such as the dependency ``lodash``; None where it is absent."""

    group: str
    name: str
    old: str | None
    new: str | None


def file_changes(old: Mapping[str, PackedFile], new: Mapping[str, PackedFile]) -> list[FileChange]:
    """Returns what changed from *old* to *new*, at most `MAX_FILES` files, with text as far as a page can show it."""
    changes: list[FileChange] = []
    room, patience = MAX_SHOWN, MAX_COMPARED
    for path in sorted(old.keys() | new.keys()):
        before, after = old.get(path), new.get(path)
        if before is not None and after is not None and before.digest == after.digest:
            continue
        if len(changes) == MAX_FILES:
            break
        patience -= max(_line_count(before), _line_count(after))
        lines, note = _difference(before, after, room) if patience >= 0 and room > 0 else ((), FULL)
        room -= sum(len(line) + 30 for line in lines)
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
        room -= len(shown) + 30
        if room < 0:
            return tuple(lines), FULL
        lines.append(shown)
    return tuple(lines), "" if lines else "Only line ends or spaces at the end differ."
