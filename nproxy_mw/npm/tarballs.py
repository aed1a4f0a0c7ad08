"""What a package's tarball holds, found by reading it once from end to end. Nothing is unpacked to disk."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from nproxy_mw.errors import BadRequest
from nproxy_mw.json_values import parse_object
from nproxy_mw.npm.gunzip import Gunzip
from nproxy_mw.npm.tar_entries import Entry, entries

MAX_ENTRIES = 100_000
"""Files and folders, those included that a path only implies. The largest public packages have about 40,000."""

MAX_PACKAGE_JSON = 4 * 1024 * 1024
"""Bytes of ``package/package.json``: as much as a manifest may have."""

ROOT = "package"
"""The folder that npm packs everything into. npm drops the first folder of each path, whatever its name, when it
unpacks, so a second name would be a second way to write the same file."""

_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class Contents:
    """What was found. Sizes are bytes."""

    package_json: dict[str, Any]
    file_count: int
    unpacked_size: int
    root_files: frozenset[str]
    """Names of the files beside ``package.json``."""

    @property
    def has_shrinkwrap(self) -> bool:
        """Whether npm would install by the package's own lock."""
        return "npm-shrinkwrap.json" in self.root_files

    @property
    def has_gyp(self) -> bool:
        """Whether npm would build the package by node-gyp when it has no install script."""
        return any(name.endswith(".gyp") for name in self.root_files)


Folder = dict[str, "Folder | None"]  # None is a file


def inspect(data: bytes) -> Contents:
    """Reads the tarball *data*.

    Raises:
        BadRequest: it is not one gzip member with one plain tar archive of one package, or breaks a cap.
    """
    stream = Gunzip(data)
    tree: Folder = {}
    package_json: dict[str, Any] | None = None
    count = room = size = 0
    for entry in entries(stream):
        parts = _parts(entry)
        room += _place(tree, parts, entry.is_folder)
        if room > MAX_ENTRIES:
            raise _refusal(f"has more than {MAX_ENTRIES} files and folders")
        if not entry.is_folder:
            count += 1
            size += entry.size
            if _is_package_json(parts):
                package_json = _read_package_json(stream, entry)
    if package_json is None:
        raise _refusal("has no package/package.json")
    files = frozenset(name for name, below in (tree[ROOT] or {}).items() if below is None)
    return Contents(package_json, count, size, files)


def _parts(entry: Entry) -> list[str]:
    path = entry.path
    if "\\" in path or any(unicodedata.category(character) == "Cc" for character in path):
        raise _refusal("has a name with a backslash or a control character")
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise _refusal("has a path that is absolute, or has an empty part, '.' or '..'")
    if parts[0] != ROOT or (len(parts) == 1 and not entry.is_folder):
        raise _refusal(f"has something outside the folder {ROOT}/")
    if len(parts) > 1 and _DRIVE.match(parts[1]):
        raise _refusal("has a path that begins with a drive letter")
    return parts


def _place(tree: Folder, parts: list[str], is_folder: bool) -> int:
    """Puts a path into the tree and answers how many names that added."""
    added = 0
    for part in parts if is_folder else parts[:-1]:
        if part not in tree:
            added += 1
        below = tree.setdefault(part, {})
        if below is None:
            raise _refusal("has an entry that is both a file and a folder")
        tree = below
    if is_folder:
        return added
    if parts[-1] in tree:
        raise _refusal("has the same path twice; the reader would decide which one counts")
    tree[parts[-1]] = None
    return added + 1


def _is_package_json(parts: list[str]) -> bool:
    """Whether the path is the package's own package.json; refuses one that only some file systems take for it."""
    if parts[1] == "package.json":  # with more parts it is a folder, and then no file
        return len(parts) == 2
    visible = "".join(character for character in parts[1] if unicodedata.category(character) != "Cf")
    if unicodedata.normalize("NFKC", visible).casefold().rstrip(" .") == "package.json":
        raise _refusal("has a second package.json, spelled in another way")
    return False


def _read_package_json(stream: Gunzip, entry: Entry) -> dict[str, Any]:
    if entry.size > MAX_PACKAGE_JSON:
        raise _refusal(f"has a package.json of more than {MAX_PACKAGE_JSON // 2**20} MiB")
    return parse_object(stream.read(entry.size), "The package.json in the tarball")


def _refusal(what: str) -> BadRequest:
    return BadRequest(f"The tarball {what}.", code="invalid-tarball")
