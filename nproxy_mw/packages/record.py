"""A package's stored record: its packument, the audit chain of its changes, and the numbers that are never given again.

One object holds it, so that one compare-and-swap changes a package together with the event that records it: a version
without its event cannot exist (docs/decisions/0002-one-record-per-package.md). A record that has grown names parts,
immutable objects with the versions and events of before (docs/decisions/0040-a-record-has-parts.md). Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter, itemgetter

import orjson
from msgspec import Struct, field

from nproxy_mw.audit.package_chain import FORMAT
from nproxy_mw.copies import replace
from nproxy_mw.json_values import Json
from nproxy_mw.storage import documents
from nproxy_mw.storage.parts import PartRef, parse_refs

_count: Callable[[PartRef], int] = attrgetter("count")
_PARTS = ("versionParts", "eventParts")
_FIELDS = frozenset({"format", "generation", "nonce", "packument", "tarballs", "burnt", "chain", *_PARTS})


class Record(Struct, frozen=True):
    """What is stored of one package. *packument* is None when the package is unpublished, and it reads as absent.

    *tarballs* maps a version to ``{"key", "size"}`` of its bytes. *retired* are the numbers of versions that were
    unpublished. *nonce* makes every written state unique. *unknown* holds the fields that another version of this
    package added: they are kept as they are.

    All of these are the record's own. What it has grown out of is in its *version_parts* and *event_parts*, in the
    order of time; a version is either in one part or in the record. The version that ``latest`` names is always the
    record's own.
    """

    packument: Json | None = None
    tarballs: Mapping[str, Json] = field(default_factory=dict)
    retired: frozenset[str] = frozenset()
    chain: Sequence[Json] = ()
    generation: int = 0
    nonce: str = ""
    unknown: Json = field(default_factory=dict)
    version_parts: tuple[PartRef, ...] = ()
    event_parts: tuple[PartRef, ...] = ()

    @property
    def parts(self) -> frozenset[str]:
        """The keys of all parts."""
        if not self.version_parts and not self.event_parts:
            return frozenset()
        return frozenset(ref.key for ref in (*self.version_parts, *self.event_parts))

    @property
    def version_count(self) -> int:
        """How many versions there are, in the record and in its parts."""
        own = len(self.packument["versions"]) if self.packument else 0
        return own + sum(map(_count, self.version_parts))

    @property
    def tarball_bytes(self) -> int | None:
        """How many bytes the tarballs have, also those in its parts; None when a part does not say."""
        sizes = [bytes_of(self.tarballs), *(ref.tarballs for ref in self.version_parts)]
        return None if None in sizes else sum(filter(None, sizes))

    @property
    def event_count(self) -> int:
        """How many events the chain has, in the record and in its parts."""
        return len(self.chain) + sum(map(_count, self.event_parts))

    @property
    def revision(self) -> str:
        """npm's ``_rev``: opaque, and another after each change."""
        return f"{self.generation}-{self.nonce}"

    @property
    def unavailable(self) -> frozenset[str]:
        """Every version number of its own that cannot be published again."""
        return self.retired | self.tarballs.keys()

    @property
    def files(self) -> frozenset[str]:
        """The names of all stored tarballs of its own versions."""
        return frozenset(map(itemgetter("key"), self.tarballs.values()))

    def next(self, changed: Record, chain: Sequence[Json], nonce: str) -> Record:
        """Returns the state to store after this one: what *changed* says, with the events of the change in *chain*."""
        return replace(changed, chain=chain, generation=self.generation + 1, nonce=nonce)


def bytes_of(tarballs: Mapping[str, Json]) -> int:
    """Returns how many bytes *tarballs* have, as a record or a part of it lists them."""
    return sum(size for entry in tarballs.values() if isinstance(size := entry.get("size"), int))


def encode(record: Record) -> bytes:
    """Returns the record as it is stored. Without parts, every version of this package can read it."""
    has_parts = record.version_parts or record.event_parts
    parts = {"versionParts": record.version_parts, "eventParts": record.event_parts} if has_parts else {}
    return orjson.dumps(
        {
            "format": FORMAT if parts else documents.FORMAT,
            "generation": record.generation,
            "nonce": record.nonce,
            "packument": record.packument,
            "tarballs": record.tarballs,
            "burnt": sorted(record.retired),
            "chain": record.chain,
            **parts,
            **record.unknown,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def decode(data: bytes) -> Record:
    """Returns the record that `encode` stored.

    Raises:
        UnreadableObject: the bytes are no record of this format; the sentence tells damage and a newer format apart.
    """
    document = documents.decode(data, newest=FORMAT)
    version_parts, event_parts = (parse_refs(document.get(name, ())) for name in _PARTS)
    try:
        return Record(
            packument=document["packument"],
            tarballs=document["tarballs"],
            retired=frozenset(document["burnt"]),
            chain=document["chain"],
            generation=document["generation"],
            nonce=document["nonce"],
            unknown={key: value for key, value in document.items() if key not in _FIELDS},
            version_parts=version_parts,
            event_parts=event_parts,
        )
    except (KeyError, TypeError) as error:
        raise documents.damaged() from error
