"""What the cache keeps of a document: an entry that says what is known, and the body that it names.

The entry is small and rewritten whenever the upstream was asked; a large body is written once, under the digest of its
revision. So learning that nothing changed rewrites no large body, and every process of a host learns it from the entry.
A body of up to `INLINE` bytes lies behind its entry, in one object with it: most packuments have no more, and each
object that is made costs as much as writing it anew.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from nproxy_mw.errors import BadRequest, Exists, Forbidden, Missing, NotFound, NproxyError, StorageError
from nproxy_mw.grounds import Look
from nproxy_mw.http.compressing import gunzipped
from nproxy_mw.npm.documents import Document
from nproxy_mw.npm.slices import MAX_BYTES
from nproxy_mw.storage.looks import look_at
from nproxy_mw.storage.port import Revision, Storage, Stored
from nproxy_mw.storage.swaps import Swap

FORMAT = 1
"""Of an entry. One of another format is passed over, and written anew."""

INLINE = 32 * 1024  # bytes

_REFUSALS: dict[str, type[NproxyError]] = {"NotFound": NotFound, "Forbidden": Forbidden, "BadRequest": BadRequest}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one document. Times are in seconds of Unix time, 0 for never.

    *checked* is when the upstream was last asked. Either there is a body, with *revision* and what describes it, or a
    *refusal* with its message: the class of the error that the upstream's answer stands for; or neither, and nothing is
    known. *checksum* is the CRC-32 of the stored body: a power cut may leave a file shorter than it was. If it
    *is_inline*, the body lies behind the entry. If it *is_text*, `nproxy_mw.npm.slices.readable` left it as it was, and
    need not look through it again; `FORMAT` must grow when that becomes stricter.

    *changed* is when a client last changed the document through this registry: what the upstream was asked before that
    is out of date. *doubted* is since when the upstream refuses what is still served here.
    """

    format: int = FORMAT
    checked: float = 0.0
    changed: float = 0.0
    doubted: float = 0.0
    revision: str = ""
    checksum: int = 0
    is_gzipped: bool = False
    is_inline: bool = False
    is_text: bool = False
    etag: str = ""
    last_modified: str = ""
    refusal: str = ""
    message: str = ""
    code: str = ""

    @property
    def has_body(self) -> bool:
        """Whether there is a document to serve."""
        return bool(self.revision)

    def raise_refusal(self) -> None:
        """Raises the error that the entry stands for, if it stands for one."""
        if self.refusal:
            raise _REFUSALS.get(self.refusal, NotFound)(self.message, code=self.code)


class Found(NamedTuple):
    """An entry, and the *revision* of the object that it was read from; empty when it could not be stored.

    *look* tells whether it is still that one, where that can be told without asking the storage.
    """

    entry: Entry
    revision: Revision
    look: Look | None = None


class _Kept(NamedTuple):
    """What is stored under the key of an entry: the entry, and its *body* if it is inline."""

    entry: Entry
    body: bytes = b""

    @property
    def bodies(self) -> frozenset[str]:
        """The revision of the body that is an object of its own, if there is one."""
        return frozenset([self.entry.revision] if self.entry.has_body and not self.entry.is_inline else [])


UNSTORED = Revision("")


def refused(error: NproxyError, checked: float) -> Entry:
    """Returns the entry of an upstream's refusal."""
    kind = next((name for name, one in _REFUSALS.items() if isinstance(error, one)), "NotFound")
    return Entry(checked=checked, refusal=kind, message=error.message, code=error.code)


class Entries:
    """The entries and bodies below *folder* of *storage*. Damaged ones count as absent: a cache can ask again."""

    def __init__(self, storage: Storage, folder: str) -> None:
        self.storage = storage
        self.folder = folder

    def find(self, key: str) -> Found | None:
        """Returns the entry of *key*, or None."""
        try:
            stored = self.storage.read(self._entry(key))
        except Missing:
            return None
        return self._found(key, stored)

    def current(self, key: str, known: Found) -> Found | None:
        """Returns *known* if the entry of *key* is still that, or what another process wrote since then; or None."""
        if not known.revision or (known.look is not None and known.look()):
            return known
        try:
            stored = self.storage.read_if_changed(self._entry(key), known.revision)
        except Missing:
            return None
        return known if stored is None else self._found(key, stored)

    def load(self, key: str, entry: Entry, name: str) -> Document | None:
        """Returns the document of *entry*; None when its body is gone or damaged. *name* is a packument's package.

        A damaged body is removed.
        """
        try:
            data = self._read_body(key, entry)
        except Missing:
            return None
        raw = _undamaged(data, entry)
        if raw is None:
            self.drop(key, entry.revision)
            return None
        return Document(
            raw,
            entry.revision,
            name=name,
            gzipped=data if entry.is_gzipped else None,
            etag=entry.etag,
            last_modified=entry.last_modified,
            is_text=entry.is_text,
        )

    def keep(self, key: str, document: Document, checked: float, known: Found | None = None) -> Found:
        """Stores *document*, in place of the one before, and returns its entry. *known* is as for `note`.

        Raises:
            StorageUnavailable, Busy: the storage cannot be written to just now.
        """
        data = document.gzipped or document.raw
        entry = Entry(
            checked=checked,
            revision=document.revision,
            checksum=zlib.crc32(data),
            is_gzipped=document.gzipped is not None,
            is_inline=len(data) <= INLINE,
            is_text=document.text == document.raw,
            etag=document.etag,
            last_modified=document.last_modified,
        )
        if entry.is_inline:
            return self._put(key, entry, data, known)
        with suppress(Exists):
            self.storage.create(self._body(key, entry.revision), data)
        return self._put(key, entry, b"", known)

    def note(self, key: str, entry: Entry, known: Found | None = None) -> Found:
        """Stores *entry* in place of the one before, and removes a body that it does not name. Raises as `keep`.

        *known* is what was found before, which may be a little old; it is not read again then, unless its body lies
        behind it and stays.
        """
        return self._put(key, entry, None, None if entry.is_inline else known)

    def mark(self, key: str, changed: float) -> None:
        """Notes that a client changed the document. Raises as `keep`."""

        def next_to(before: _Kept | None) -> _Kept:
            kept = before or _Kept(Entry())
            return kept._replace(entry=msgspec.structs.replace(kept.entry, changed=changed))

        self._swapped(key, next_to)

    def drop(self, key: str, revision: str) -> None:
        """Removes the body at *revision*, if it is there."""
        with suppress(StorageError):
            self.storage.delete(self._body(key, revision))

    def _put(self, key: str, entry: Entry, body: bytes | None, known: Found | None) -> Found:
        """Stores *entry* with *body* behind it; with the one that lies there if *body* is None."""
        bodies = set[str]()

        def next_to(before: _Kept | None) -> _Kept:
            if before is None:
                return _Kept(entry, body or b"")
            bodies.update(before.bodies)
            is_same = entry.is_inline and before.entry.revision == entry.revision
            behind = before.body if body is None and is_same else body or b""
            return _Kept(msgspec.structs.replace(entry, changed=before.entry.changed), behind)

        found = self._swapped(key, next_to, known)
        for revision in bodies - _Kept(found.entry).bodies:
            self.drop(key, revision)
        return found

    def _swapped(self, key: str, next_to: Callable[[_Kept | None], _Kept], known: Found | None = None) -> Found:
        swap = Swap(self.storage, self._entry(key), _decoded, _encoded, next_to, lambda found: False)
        is_stored = known is not None and known.revision
        swap.run(None if known is None else (_Kept(known.entry), known.revision) if is_stored else (None, None))
        assert swap.written is not None  # noqa: S101 - a swap that writes nothing raises
        return self._found(key, swap.written)

    def _found(self, key: str, stored: Stored) -> Found:
        return Found(
            _decoded(stored.data).entry, stored.revision, look_at(self.storage, self._entry(key), stored.revision)
        )

    def _entry(self, key: str) -> str:
        return f"{self.folder}/{key}.entry"

    def _body(self, key: str, revision: str) -> str:
        return f"{self.folder}/{key}.{blake2b(revision.encode(), digest_size=16).hexdigest()}"

    def _read_body(self, key: str, entry: Entry) -> bytes:
        """Returns the stored body of *entry*. Raises `Missing`, also when another process has replaced it."""
        if not entry.is_inline:
            return self.storage.read(self._body(key, entry.revision)).data
        kept = _decoded(self.storage.read(self._entry(key)).data)
        if not kept.entry.is_inline or kept.entry.revision != entry.revision:
            raise Missing("The body was replaced.")
        return kept.body


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Entry)


def _encoded(kept: _Kept) -> bytes:
    return b"%b\n%b" % (_ENCODER.encode(kept.entry), kept.body) if kept.entry.is_inline else _ENCODER.encode(kept.entry)


def _decoded(data: bytes) -> _Kept:
    """Returns what *data* says; an entry that knows nothing for what is damaged or of another format."""
    head, _, body = data.partition(b"\n")  # in JSON it is written otherwise
    try:
        entry = _DECODER.decode(head)
    except msgspec.DecodeError:
        return _Kept(Entry())
    return _Kept(entry, body) if entry.format == FORMAT else _Kept(Entry())


def _undamaged(data: bytes, entry: Entry) -> bytes | None:
    if zlib.crc32(data) != entry.checksum:
        return None
    return gunzipped(data, MAX_BYTES) if entry.is_gzipped else data
