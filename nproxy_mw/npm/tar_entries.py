"""The entries of a tar stream, read strictly: a header that two readers understand differently is refused.

The standard library's tarfile is lenient: it takes a damaged header for the end of the archive, optionally reads on
behind it, and lets a PAX record override a size. npm's own reader is lenient about other things. Here only regular
files and folders are accepted, in ustar or GNU form, with PAX or GNU long names; every other kind is refused by name.
An archive may end without its marker, as some archivers leave it: GNU tar and npm read those alike. After the marker
only zeros may follow, so no second archive hides there.

Format: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from nproxy_mw.errors import BadRequest
from nproxy_mw.npm.gunzip import Gunzip

BLOCK = 512
MAX_PATH = 1024
"""Bytes of one path. Windows and macOS end there or below."""

MAX_EXTENSION = 64 * 1024
"""Bytes of one PAX header or GNU long name."""

MAX_EXTENSIONS = 24 * 1024 * 1024
"""Bytes of all of them, and `_PER_RECORD` more for each record: 40,000 files with ten records of 30 bytes each fit."""

MAX_PATHS = 24 * 1024 * 1024
"""Bytes of all paths together. Each is looked at part by part; 40,000 files with paths of 200 bytes have 8 MB."""

MAX_HEADERS = 300_000
"""Headers of all kinds. An entry has one or two, and each is read in some ten microseconds."""

_PER_RECORD = 32  # bytes that reading a record costs as much as

_FILE, _FOLDER = (b"0", b"\0"), b"5"
_PAX, _PAX_GLOBAL, _GNU_LONG_NAME = b"x", b"g", b"L"
_REFUSED = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a named pipe",
    b"K": "a link",
    b"S": "a sparse file",
}
_USTAR, _GNU = b"ustar\x0000", b"ustar  \0"
_OCTAL = re.compile(rb" *([0-7]+)[ \0]*")
_RECORD = re.compile(rb"([1-9][0-9]{0,5}) ([^=\n]+)=")
# PAX records that change where an entry's bytes or links are. All others are names, times, owners and notes.
_HARMFUL = re.compile(r"linkpath|GNU\.sparse\..*|SCHILY\.(?:filetype|realsize)", re.IGNORECASE)
_READ = ("path", "size", "hdrcharset")
_SET_USER_OR_GROUP = 0o6000


class TarEntry(Struct, frozen=True):
    """One file or folder. *path* is as it stands in the archive, without a folder's closing slash."""

    path: str
    is_folder: bool
    size: int  # bytes


def entries(stream: Gunzip) -> Iterator[TarEntry]:
    """Yields the entries of the archive in *stream*.

    A caller reads an entry's bytes from *stream* before it asks for the next one, or leaves them.

    Raises:
        BadRequest: something in the archive is damaged or of another kind.
    """
    long_name: str | None = None
    extension: dict[str, str] = {}
    headers, paths, extensions = _Room(MAX_HEADERS), _Room(MAX_PATHS), _Room(MAX_EXTENSIONS)
    while (header := _next_header(stream)).strip(b"\0"):
        headers.take(1)
        kind, size = _check_header(header), _octal(header[124:136])
        end = stream.position + -(-size // BLOCK) * BLOCK
        if kind == _GNU_LONG_NAME:
            _refuse_second(long_name is not None or bool(extension))
            long_name = _text(_body(stream, size, extensions))
        elif kind == _PAX:
            _refuse_second(long_name is not None or bool(extension))
            extension = _records(_body(stream, size, extensions), extensions)
        elif kind == _PAX_GLOBAL:
            _check_global(_records(_body(stream, size, extensions), extensions))
        else:
            _check_extension(extension, size)
            entry = _entry(header, kind, extension.get("path", long_name), size)
            paths.take(len(entry.path))
            yield entry
            long_name, extension = None, {}
        stream.skip(end - stream.position)
    if long_name is not None or extension:
        raise _refusal("ends behind a header that names no entry")
    _check_end(stream)


class _Room:
    """How much of something an archive may still have."""

    def __init__(self, size: int) -> None:
        self._left = size

    def take(self, size: int) -> None:
        """Takes *size* of it. Raises `BadRequest` when there is not so much."""
        self._left -= size
        if self._left < 0:
            raise _refusal("has more headers and names than this registry reads; put fewer files into the package")


def _next_header(stream: Gunzip) -> bytes:
    """The next header; empty at an end without a marker."""
    first = stream.read_some(BLOCK)
    return first + stream.read(BLOCK - len(first)) if first else b""


def _entry(header: bytes, kind: bytes, name: str | None, size: int) -> TarEntry:
    path = name if name is not None else _name(header)
    is_folder = kind == _FOLDER
    if is_folder and size:
        raise _refusal("has a folder with bytes of its own")
    if not is_folder and path.endswith("/"):
        raise _refusal("has an entry that is both a file and a folder")
    if len(path.encode()) > MAX_PATH:
        raise _refusal(f"has a path of more than {MAX_PATH} bytes")
    return TarEntry(path.removesuffix("/") if is_folder else path, is_folder, size)


def _check_header(header: bytes) -> bytes:
    """Returns the entry's type when the header is whole and of a kind that is accepted."""
    if _octal(header[148:156]) != sum(header[:148]) + 8 * ord(" ") + sum(header[156:]):
        raise _refusal("is damaged: a header's checksum does not match")
    if header[257:265] not in (_USTAR, _GNU):
        raise _refusal("is of an old or unknown tar form")
    kind = header[156:157]
    if kind in _REFUSED:
        raise _refusal(f"has {_REFUSED[kind]}; npm packages hold files and folders only")
    if kind not in (*_FILE, _FOLDER, _PAX, _PAX_GLOBAL, _GNU_LONG_NAME):
        raise _refusal("has an entry of an unknown kind; npm packages hold files and folders only")
    if _octal(header[100:108]) & _SET_USER_OR_GROUP and kind in _FILE:
        raise _refusal("has a file with the setuid or setgid bit")
    return kind


def _octal(field: bytes) -> int:
    """A number of a header. GNU's binary form, which can be negative, is not needed below 8 GiB."""
    match = _OCTAL.fullmatch(field)
    if match is None:
        raise _refusal("has a header with a number that is not octal")
    return int(match.group(1), 8)


def _name(header: bytes) -> str:
    name = _text(header[:100])
    prefix = _text(header[345:500].partition(b"\0")[0]) if header[257:265] == _USTAR else ""
    return f"{prefix}/{name}" if prefix else name


def _text(field: bytes) -> str:
    text, _, behind = field.partition(b"\0")
    if behind.strip(b"\0"):
        raise _refusal("has a name with a NUL in it")
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise _refusal("has a name that is not UTF-8") from error


def _body(stream: Gunzip, size: int, room: _Room) -> bytes:
    room.take(size)
    if size > MAX_EXTENSION:
        raise _refusal(f"has an extended header of more than {MAX_EXTENSION // 1024} KiB")
    return stream.read(size)


def _records(body: bytes, room: _Room) -> dict[str, str]:
    """The records of a PAX header. npm reads them by line, so a value with a line break would have two readings."""
    records: dict[str, str] = {}
    at = 0
    while at < len(body):
        room.take(_PER_RECORD)
        match = _RECORD.match(body, at)
        end = at + int(match.group(1)) if match else 0
        if match is None or not match.end() < end <= len(body) or body[end - 1 : end] != b"\n":
            raise _refusal("has an extended header that cannot be read")
        key, value = _text(match.group(2)), body[match.end() : end - 1]
        if _HARMFUL.fullmatch(key) or (key in _READ and b"\n" in value) or _hides_record(value):
            raise _refusal(f"has an extended header with '{key[:40]}', which readers understand differently")
        said = _text(value) if key in _READ else ""
        if records.setdefault(key, said) != said:
            raise _refusal(f"has an extended header that gives '{key[:40]}' twice")
        at = end
    return records


def _hides_record(value: bytes) -> bool:
    """Whether a reader that goes by lines, as npm does, finds a record of its own inside *value*."""
    return any(_RECORD.match(line) for line in value.split(b"\n")[1:])


def _check_global(records: dict[str, str]) -> None:
    if not set(records).isdisjoint(_READ):
        raise _refusal("has a global header that changes its entries")


def _check_extension(extension: dict[str, str], size: int) -> None:
    # npm writes the size into the PAX header of a long name too; there it says what the header says.
    if extension.get("size", str(size)) != str(size):
        raise _refusal("has an extended header that overrides an entry's size")
    # bun says so of a name that is not ASCII, and writes UTF-8 all the same.
    if extension.get("hdrcharset", "BINARY") != "BINARY":
        raise _refusal("has a name in an unknown character set")


def _refuse_second(is_second: bool) -> None:
    if is_second:
        raise _refusal("has an entry with two extended headers")


def _check_end(stream: Gunzip) -> None:
    while piece := stream.read_some(64 * 1024):
        if piece.strip(b"\0"):
            raise _refusal("goes on behind its end-of-archive marker")


def _refusal(what: str) -> BadRequest:
    return BadRequest(f"The tarball {what}.", code="invalid-tarball")
