"""What a package's tarball holds, found by reading it once from end to end. Nothing is unpacked to disk."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from mmap import mmap
from typing import Any, TypeAlias

from msgspec import Struct

from nproxy_mw.errors import BadRequest
from nproxy_mw.json_values import parse_object
from nproxy_mw.npm.gunzip import Gunzip
from nproxy_mw.npm.tar_entries import TarEntry, entries

Whole: TypeAlias = "bytes | mmap"
"""All bytes of a tarball, in memory or in a file."""

MAX_ENTRIES = 100_000
"""Files and folders, those included that a path only implies. The largest public packages have about 40,000."""

MAX_PACKAGE_JSON = 4 * 1024 * 1024
"""Bytes of ``package/package.json``: as much as a manifest may have."""

_LONGEST_TWIN = 64  # characters of a name that may be taken for package.json: dots and spaces may follow it

_REFUSED_CHARACTER = re.compile(r"[\\\x00-\x1f\x7f-\x9f]")  # a backslash, or of the category Cc
_GYP = re.compile(r"\.gyp\Z")
_DRIVE = re.compile(r"[A-Za-z]:")


class Contents(Struct, frozen=True):
    """What was found. Sizes are bytes."""

    package_json: dict[str, Any]
    file_count: int
    unpacked_size: int
    root_files: frozenset[str]
    """Names of the files next to ``package.json``."""

    @property
    def has_shrinkwrap(self) -> bool:
        """Whether npm would install by the package's own lock."""
        return "npm-shrinkwrap.json" in self.root_files

    @property
    def has_gyp(self) -> bool:
        """Whether npm would build the package by node-gyp when it has no install script."""
        return any(map(_GYP.search, self.root_files))


Folder = dict[str, "Folder | None"]  # None is a file


def _strictly(raw: bytes) -> dict[str, Any]:
    return parse_object(raw, "The package.json in the tarball", equal_twins=True)


def inspect(data: Whole, parse: Callable[[bytes], dict[str, Any]] = _strictly) -> Contents:
    """Reads the tarball *data*, and its package.json by *parse*, whose errors come out.

    Raises:
        BadRequest: it is not one gzip member with one plain tar archive of one package, or breaks a cap.
    """
    stream = Gunzip(data)
    tree: Folder = {}
    spelled: dict[tuple[str, ...], str] = {}
    twins: set[tuple[str, ...]] = set()
    package_json: dict[str, Any] | None = None
    count = room = size = 0
    for entry in entries(stream):
        parts = _parts(entry)
        added = _place(tree, parts, entry.is_folder)
        room += added
        if room > MAX_ENTRIES:
            raise _refusal(f"has more than {MAX_ENTRIES} files and folders")
        if len(tree) > 1:
            raise _refusal("has more than one top folder; npm drops it when it unpacks, so two would overlap")
        if not entry.is_folder and not added:
            twins.add(_twin(entry, parts, spelled))
        elif not entry.is_folder:
            spelled[tuple(parts)] = entry.path
            count += 1
            size += entry.size
            if _is_package_json(parts):
                package_json = parse(_read_package_json(stream, entry))
    if package_json is None:
        raise _refusal("has no package.json in its top folder")
    _check_twins(data, twins)
    (root,) = tree.values()
    files = frozenset({name for name, below in (root or {}).items() if below is None})
    return Contents(package_json, count, size, files)


def _parts(entry: TarEntry) -> list[str]:
    """The parts of an entry's path. npm drops the first one, whatever its name; '.' in the others means nothing."""
    path = entry.path
    if _REFUSED_CHARACTER.search(path):
        raise _refusal("has a name with a backslash or a control character")
    root, *below = path.split("/")
    if root in ("", ".", "..") or not {"", ".."}.isdisjoint(below):
        raise _refusal("has a path that is absolute, or has an empty part or '..'")
    parts = [root, *filter(".".__ne__, below)]
    if len(parts) == 1 and not entry.is_folder:
        raise _refusal("has a file outside its top folder")
    if len(parts) > 1 and _DRIVE.match(parts[1]):
        raise _refusal("has a path that begins with a drive letter")
    return parts


def _twin(entry: TarEntry, parts: list[str], spelled: Mapping[tuple[str, ...], str]) -> tuple[str, ...]:
    """The path of a file that is there twice, once with a '.' in it."""
    path = tuple(parts)
    if spelled[path] == entry.path:
        raise _refusal("has the same path twice; the reader would decide which one counts")
    return path


def _check_twins(data: Whole, twins: Collection[tuple[str, ...]]) -> None:
    """Passes when all entries of one path have the same bytes: pnpm 7 and 8 wrote such pairs. Reads *data* again."""
    if not twins:
        return
    stream = Gunzip(data)
    digests: dict[tuple[str, ...], bytes] = {}
    for entry in entries(stream):
        path = tuple(_parts(entry))
        if not entry.is_folder and path in twins:
            digest = _digest(stream, entry.size)
            if digests.setdefault(path, digest) != digest:
                raise _refusal("has one path twice, with other bytes; the reader would decide which ones count")


def _digest(stream: Gunzip, size: int) -> bytes:
    digest = hashlib.sha256()
    while size:
        piece = stream.read_some(size)
        if not piece:
            raise _refusal("ends in the middle of an entry")
        digest.update(piece)
        size -= len(piece)
    return digest.digest()


def _place(tree: Folder, parts: list[str], is_folder: bool) -> int:
    """Puts a path into the tree. Returns how many names that added: none for a file that is there already."""
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
        if tree[parts[-1]] is not None:
            raise _refusal("has an entry that is both a file and a folder")
        return 0
    tree[parts[-1]] = None
    return added + 1


def _is_package_json(parts: list[str]) -> bool:
    """Whether the path is the package's own package.json; refuses one that only some file systems take for it."""
    if parts[1] == "package.json":  # with more parts it is a folder, and then no file
        return len(parts) == 2
    if parts[1].isascii() and parts[1].lower().rstrip(" .") != "package.json":
        return False
    visible = "".join(character for character in parts[1] if unicodedata.category(character) != "Cf")
    if len(visible) > _LONGEST_TWIN:  # normalizing could make it eighteen times as long
        return False
    if unicodedata.normalize("NFKC", visible).casefold().rstrip(" .") == "package.json":
        raise _refusal("has a second package.json, spelled in another way")
    return False


def _read_package_json(stream: Gunzip, entry: TarEntry) -> bytes:
    if entry.size > MAX_PACKAGE_JSON:
        raise _refusal(f"has a package.json of more than {MAX_PACKAGE_JSON // 2**20} MiB")
    return stream.read(entry.size)


def _refusal(what: str) -> BadRequest:
    return BadRequest(f"The tarball {what}.", code="invalid-tarball")
