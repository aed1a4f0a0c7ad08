"""What a source of packages returns: documents and tarballs as values. Pure.

A document is its bytes and a revision. Its content is parsed when it is first needed, and only once.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import BinaryIO, Self

from msgspec import Raw, Struct

from nproxy_mw.lazy import lazy
from nproxy_mw.npm.facts import History
from nproxy_mw.npm.history import history_of, read_history
from nproxy_mw.npm.installed import Installed, read_installed
from nproxy_mw.npm.quick_history import quick_history
from nproxy_mw.npm.quick_splits import manifest_of, packument_of
from nproxy_mw.npm.slices import Members, Packument, members_in, readable, split

LARGE = 4 * 2**20  # bytes

_RANGE = re.compile(r"bytes=(?:([0-9]{1,15})-([0-9]{0,15})|-([0-9]{1,15}))", re.ASCII)

_place_for_a_large_one = threading.RLock()


class Document:
    """A JSON object of a registry, as its source gave it: a packument, signing keys, an attestation.

    *raw* is its text. *revision* names this state of it: two documents of one source with equal revisions are equal.
    *name* is the package that a packument is of. *gzipped* is *raw* as its source compressed it, if it did. *etag* and
    *last_modified* are the validators that the source's own source gave, empty when it gave none. If *is_text*, it is
    known that *raw* is what `text` would be.
    """

    def __init__(
        self,
        raw: bytes,
        revision: str,
        *,
        name: str = "",
        gzipped: bytes | None = None,
        etag: str = "",
        last_modified: str = "",
        is_text: bool = False,
    ) -> None:
        self.raw = raw
        self.revision = revision
        self.name = name
        self.gzipped = gzipped
        self.etag = etag
        self.last_modified = last_modified
        self.is_as_sent = True
        """Whether `packument` is what *raw* says; `at` may have given another."""
        self._installed: Installed | None = None
        if is_text:
            self.__dict__["text"] = raw  # where a lazy property keeps its value

    def __repr__(self) -> str:
        return f"Document(<{len(self.raw)} bytes>, {self.revision!r}, name={self.name!r})"

    def alone(self) -> AbstractContextManager[object]:
        """Returns a context in which a caller takes the document apart and then drops it.

        In one process, only one large document is in such a context at a time, so that hostile ones do not add up in
        memory.
        """
        return _place_for_a_large_one if len(self.raw) > LARGE else nullcontext()

    def check(self) -> None:
        """Passes when the document can be read: as a packument of *name*, or as an object where no name is given.

        What is built of a large one for that is dropped again. Raises as `packument`.
        """
        if self.__dict__.keys() & {"packument", "history"}:  # somebody reads it already
            return
        with self.alone():
            document = Document(self.raw, "", name=self.name) if len(self.raw) > LARGE else self
            _ = document.history if self.name else document.members

    def at(self, revision: str, packument: Packument | None = None) -> Document:
        """Returns this document at another *revision*, and with another *packument* when one is given.

        It is not split again, unless what it is split into takes much memory.
        """
        other = Document(
            self.raw,
            revision,
            name=self.name,
            gzipped=self.gzipped if packument is None else None,
            etag=self.etag,
            last_modified=self.last_modified,
        )
        other.is_as_sent = self.is_as_sent and packument is None
        if "text" in self.__dict__:
            other.__dict__["text"] = self.text
        other._installed = self._taken_installed() if other.is_as_sent else None
        known = packument or self.__dict__.get("packument")
        if known is not None and (known is packument or known.is_light):
            other.__dict__["packument"] = known
        return other

    @lazy
    def text(self) -> bytes:
        """The JSON in *raw*. Raises as `nproxy_mw.npm.slices.readable`."""
        return readable(self.raw)

    @lazy
    def members(self) -> dict[str, Raw]:
        """The members of the object. Raises as `nproxy_mw.npm.slices.outline`."""
        return members_in(self.text)

    @lazy
    def packument(self) -> Packument:
        """The document split as a packument of *name*. Raises as `nproxy_mw.npm.slices.split`."""
        return split(self.members, self.name) if "members" in self.__dict__ else packument_of(self.text, self.name)

    def manifest(self, version: str) -> Members | None:
        """Returns what the packument says of *version*; None when it does not have it. Raises as `packument`."""
        split_already: Packument | None = self.__dict__.get("packument")
        if split_already is not None:
            return split_already.versions.get(version)
        return manifest_of(self.text, self.name, version)

    @lazy
    def history(self) -> History:
        """The releases as the packument describes them. Raises as `packument`."""
        if "packument" in self.__dict__:
            return read_history(self.packument)
        self._installed = self._read_installed()
        if self._installed is not None:
            return history_of(*self._installed)
        return quick_history(self.text, self.name) or read_history(self.packument)

    def installed(self) -> Installed | None:
        """Returns what facts and forms have of it, for the caller to change; None if it cannot be read so.

        It is read once for both where one follows the other. Whether it can be is up to the text alone: a form that is
        written without facts is the same to the byte.
        """
        return self._taken_installed() or self._read_installed()

    def _taken_installed(self) -> Installed | None:
        installed, self._installed = self._installed, None
        return installed

    def _read_installed(self) -> Installed | None:
        return read_installed(self.text, self.name) if len(self.raw) <= LARGE else None


class ByteRange(Struct, frozen=True):
    """A part of a tarball that is asked for: from *first* to *last*, both included, to its end when *last* is None.

    If *first* is None, *last* is how many bytes of its end are asked for.
    """

    first: int | None
    last: int | None

    def __str__(self) -> str:
        return f"bytes={'' if self.first is None else self.first}-{'' if self.last is None else self.last}"

    def within(self, size: int) -> tuple[int, int] | None:
        """Returns the positions of the first and last byte in a tarball of *size* bytes; None when it has none."""
        if self.first is None:
            first, last = max(size - (self.last or 0), 0), size - 1
        else:
            first, last = self.first, size - 1 if self.last is None else min(self.last, size - 1)
        return (first, last) if first <= last else None


def parse_range(value: str) -> ByteRange | None:
    """Returns the one range that a Range header asks for; None for several, or for what is no range of bytes.

    Such a header is ignored (RFC 9110, 14.2): several ranges would be sent in an envelope that is not a tarball.
    """
    match = _RANGE.fullmatch(value)
    if match is None:
        return None
    first, last, suffix = (int(number) if number else None for number in match.groups())
    if suffix is not None:
        return ByteRange(None, suffix)
    return ByteRange(first, last) if last is None or (first is not None and first <= last) else None


class Part(Struct, frozen=True):
    """Where the bytes of a part lie in the whole: positions of the first and last one, and the *size* of the whole."""

    first: int
    last: int
    size: int

    def __str__(self) -> str:
        return f"bytes {self.first}-{self.last}/{self.size}"


def _nothing() -> None:
    return


class Blob:
    """An open tarball, or a part of one. It is read once. The caller that received it closes it; closing twice is
    harmless.

    *chunks* are the bytes. *size* is their number, None when it is unknown. *part* is where they are in the whole, None
    when they are the whole. *integrity* is that of the whole (``sha512-...``), empty when it is not known. *etag* (with
    quotes) and *last_modified* are the validators of the whole. *file*, if given, holds the same bytes from its
    position to its end, for servers that send files by themselves.
    """

    def __init__(
        self,
        chunks: Iterator[bytes],
        *,
        size: int | None = None,
        part: Part | None = None,
        integrity: str = "",
        etag: str = "",
        last_modified: str = "",
        file: BinaryIO | None = None,
        close: Callable[[], None] = _nothing,
    ) -> None:
        self.size = size
        self.part = part
        self.integrity = integrity
        self.etag = etag
        self.last_modified = last_modified
        self.file = file
        self._chunks = chunks
        self._close = close

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def through(self, chunks: Iterator[bytes], close: Callable[[], None] | None = None) -> Blob:
        """Returns this blob with its bytes passing through *chunks*, which reads it, and closed by *close*."""
        return Blob(
            chunks,
            size=self.size,
            part=self.part,
            integrity=self.integrity,
            etag=self.etag,
            last_modified=self.last_modified,
            file=self.file,
            close=close or self.close,
        )

    def close(self) -> None:
        """Closes what the blob holds open: a file, a connection."""
        close, self._close = self._close, _nothing
        close()
