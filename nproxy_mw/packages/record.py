"""A package's stored record: its packument, the audit chain that tells how it came about, and what is never used again.

One object holds all of it, so that one compare-and-swap changes a package together with the event that says so: a
version without its event cannot exist (docs/decisions/0002-one-record-per-package.md). Pure: how it is stored is the
business of `packages`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson

from nproxy_mw.json_values import Json

FORMAT = 1
"""Of the stored JSON. A reader refuses a number it does not know."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is stored of one package. *packument* is None when the package is unpublished, and it reads as absent.

    *nonce* makes every written state unique: a writer who lost the answer can tell its own write from another's.
    *tarballs* maps a version to ``{"key", "size"}`` of its bytes. *burnt* are the numbers of versions once unpublished.
    """

    packument: Json | None = None
    tarballs: Mapping[str, Json] = field(default_factory=dict)
    retired: frozenset[str] = frozenset()
    chain: Sequence[Json] = ()
    generation: int = 0
    nonce: str = ""

    @property
    def revision(self) -> str:
        """npm's ``_rev``: opaque, and another after each change."""
        return f"{self.generation}-{self.nonce}"

    @property
    def taken(self) -> frozenset[str]:
        """Every version number that cannot be published again."""
        return self.retired | self.tarballs.keys()

    @property
    def files(self) -> frozenset[str]:
        """The names of all stored tarballs."""
        return frozenset(entry["key"] for entry in self.tarballs.values())

    def next(self, changed: Record, chain: Sequence[Json]) -> Record:
        """The state to store after this one: what *changed* says, told by *chain*."""
        return replace(changed, chain=chain, generation=self.generation + 1, nonce=secrets.token_hex(8))


def encode(record: Record) -> bytes:
    """The record as it is stored."""
    return orjson.dumps(
        {
            "format": FORMAT,
            "generation": record.generation,
            "nonce": record.nonce,
            "packument": record.packument,
            "tarballs": record.tarballs,
            "burnt": sorted(record.retired),
            "chain": record.chain,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def decode(data: bytes) -> Record:
    """The record that `encode` stored.

    Raises:
        ValueError: the bytes are not a record of this format.
    """
    document = orjson.loads(data)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError("not a package record of a format this version reads")
    try:
        return Record(
            packument=document["packument"],
            tarballs=document["tarballs"],
            retired=frozenset(document["burnt"]),
            chain=document["chain"],
            generation=document["generation"],
            nonce=document["nonce"],
        )
    except (KeyError, TypeError) as error:
        raise ValueError("a package record lacks a part") from error
