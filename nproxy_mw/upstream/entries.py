"""What the cache keeps of a document: an entry that says what is known, and the body that it names.

The entry is small and rewritten whenever the upstream was asked; a body is written once, under the digest of its
revision. So learning that nothing changed rewrites no body, and every process of a host learns it from the entry.
"""

from __future__ import annotations

import gzip
import zlib
from contextlib import suppress
from hashlib import blake2b

import msgspec

from nproxy_mw.errors import BadRequest, Changed, Exists, Forbidden, Missing, NotFound, NproxyError, StorageError
from nproxy_mw.npm.documents import Document
from nproxy_mw.npm.slices import MAX_BYTES
from nproxy_mw.storage.port import Storage

FORMAT = 1
"""Of an entry. One of another format is passed over, and written anew."""

_REFUSALS: dict[str, type[NproxyError]] = {"NotFound": NotFound, "Forbidden": Forbidden, "BadRequest": BadRequest}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one document.

    *checked* is when the upstream was last asked, in seconds of Unix time. Either there is a body, with *revision* and
    what describes it, or a *refusal* with its message: the class of the error that the upstream's answer stands for.
    *checksum* is the CRC-32 of the stored body: a power cut may leave a file shorter than it was.
    """

    format: int = FORMAT
    checked: float
    revision: str = ""
    checksum: int = 0
    is_gzipped: bool = False
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


def refused(error: NproxyError, checked: float) -> Entry:
    """Returns the entry of an upstream's refusal."""
    kind = next((name for name, one in _REFUSALS.items() if isinstance(error, one)), "NotFound")
    return Entry(checked=checked, refusal=kind, message=error.message, code=error.code)


class Entries:
    """The entries and bodies below *folder* of *storage*. Damaged ones count as absent: a cache can ask again."""

    def __init__(self, storage: Storage, folder: str) -> None:
        self.storage = storage
        self.folder = folder

    def find(self, key: str) -> Entry | None:
        """Returns the entry of *key*, or None."""
        try:
            entry = _DECODER.decode(self.storage.read(self._entry(key)).data)
        except (Missing, msgspec.DecodeError):
            return None
        return entry if entry.format == FORMAT else None

    def load(self, key: str, entry: Entry, name: str) -> Document | None:
        """Returns the document of *entry*; None when its body is gone or damaged. *name* is a packument's package."""
        try:
            data = self.storage.read(self._body(key, entry.revision)).data
            raw = _inflated(data) if entry.is_gzipped else data
        except (Missing, zlib.error, EOFError, OSError):
            return None
        if zlib.crc32(data) != entry.checksum:
            return None
        return Document(
            raw,
            entry.revision,
            name=name,
            gzipped=data if entry.is_gzipped else None,
            etag=entry.etag,
            last_modified=entry.last_modified,
        )

    def keep(self, key: str, document: Document, checked: float, before: Entry | None) -> Entry:
        """Stores *document*, in place of the one of *before*, and returns its entry.

        Raises:
            StorageUnavailable: the storage cannot be written to just now.
        """
        data = document.gzipped or document.raw
        entry = Entry(
            checked=checked,
            revision=document.revision,
            checksum=zlib.crc32(data),
            is_gzipped=document.gzipped is not None,
            etag=document.etag,
            last_modified=document.last_modified,
        )
        self._replace(self._body(key, entry.revision), data)
        self.note(key, entry)
        if before is not None and before.has_body and before.revision != entry.revision:
            with suppress(StorageError):
                self.storage.delete(self._body(key, before.revision))
        return entry

    def note(self, key: str, entry: Entry) -> None:
        """Stores *entry* alone. Raises as `keep`."""
        self._replace(self._entry(key), _ENCODER.encode(entry))

    def _replace(self, key: str, data: bytes) -> None:
        """Writes an object whatever was there. Of two processes that write at the same time, either one may win."""
        try:
            self.storage.create(key, data)
        except Exists:
            with suppress(Missing, Changed):
                self.storage.replace(key, data, self.storage.read(key).revision)

    def _entry(self, key: str) -> str:
        return f"{self.folder}/{key}/entry"

    def _body(self, key: str, revision: str) -> str:
        return f"{self.folder}/{key}/{blake2b(revision.encode(), digest_size=16).hexdigest()}"


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Entry)


def _inflated(data: bytes) -> bytes:
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    raw = inflater.decompress(data, MAX_BYTES)
    if not inflater.eof:
        raise gzip.BadGzipFile("a body that was not kept whole")
    return raw
