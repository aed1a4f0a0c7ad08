"""A package's stored record: its packument, the audit chain of its changes, and the numbers that are never given again.

One object holds all of it, so that one compare-and-swap changes a package together with the event that records it: a
version without its event cannot exist (docs/decisions/0002-one-record-per-package.md). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter

import orjson

from nproxy_mw.json_values import Json
from nproxy_mw.storage import documents

FORMAT = documents.FORMAT
"""Of the stored JSON. A reader refuses a number it does not know."""

_FIELDS = frozenset({"format", "generation", "nonce", "packument", "tarballs", "burnt", "chain"})


@dataclass(frozen=True, slots=True)
class Record:
    """What is stored of one package. *packument* is None when the package is unpublished, and it reads as absent.

    *tarballs* maps a version to ``{"key", "size"}`` of its bytes. *retired* are the numbers of versions that were
    unpublished. *nonce* makes every written state unique. *unknown* holds the fields that another version of this
    package added: they are kept as they are.
    """

    packument: Json | None = None
    tarballs: Mapping[str, Json] = field(default_factory=dict)
    retired: frozenset[str] = frozenset()
    chain: Sequence[Json] = ()
    generation: int = 0
    nonce: str = ""
    unknown: Json = field(default_factory=dict)

    @property
    def revision(self) -> str:
        """npm's ``_rev``: opaque, and another after each change."""
        return f"{self.generation}-{self.nonce}"

    @property
    def unavailable(self) -> frozenset[str]:
        """Every version number that cannot be published again."""
        return self.retired | self.tarballs.keys()

    @property
    def files(self) -> frozenset[str]:
        """The names of all stored tarballs."""
        return frozenset(map(itemgetter("key"), self.tarballs.values()))

    def next(self, changed: Record, chain: Sequence[Json], nonce: str) -> Record:
        """Returns the state to store after this one: what *changed* says, with the events of the change in *chain*."""
        return replace(changed, chain=chain, generation=self.generation + 1, nonce=nonce)


def encode(record: Record) -> bytes:
    """Returns the record as it is stored."""
    return orjson.dumps(
        {
            "format": FORMAT,
            "generation": record.generation,
            "nonce": record.nonce,
            "packument": record.packument,
            "tarballs": record.tarballs,
            "burnt": sorted(record.retired),
            "chain": record.chain,
            **record.unknown,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def decode(data: bytes) -> Record:
    """Returns the record that `encode` stored.

    Raises:
        UnreadableObject: the bytes are no record of this format; the sentence tells damage and a newer format apart.
    """
    document = documents.decode(data)
    try:
        return Record(
            packument=document["packument"],
            tarballs=document["tarballs"],
            retired=frozenset(document["burnt"]),
            chain=document["chain"],
            generation=document["generation"],
            nonce=document["nonce"],
            unknown={key: value for key, value in document.items() if key not in _FIELDS},
        )
    except (KeyError, TypeError) as error:
        raise documents.damaged() from error
