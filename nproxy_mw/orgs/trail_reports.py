"""What is made of a whole audit trail: a file of its newest events, and the answer whether it is as it was written.

Both are bounded, because a page or a call of the management API waits for them; the program has no bounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, islice
from typing import Any

import orjson

from nproxy_mw.access import Actor
from nproxy_mw.audit.checkpoints import Checkpoints
from nproxy_mw.audit.events import CheckFinding
from nproxy_mw.audit.pages import MAX_LIMIT
from nproxy_mw.audit.trail import Trail
from nproxy_mw.audit.verify import all_chains, verify
from nproxy_mw.errors import BadRequest
from nproxy_mw.http.tables import CSV, JSON_LINES, csv_rows, json_lines
from nproxy_mw.json_values import Json
from nproxy_mw.orgs.keys import KeyStore
from nproxy_mw.storage.layout import RECORD

MAX_EXPORT = 100_000
"""Events of one file; ``nproxy-mw audit export`` writes all of them."""

MAX_VERIFIED = 2000
"""Packages whose chains are read for one verification."""

MAX_FINDINGS = 100

MORE = "more"
"""The column with all that an event says beyond `SHARED`."""

SHARED = ("time", "event", "package", "version", "by", "tokenHash", "ip", "userAgent", "requestId", "id")
COLUMNS = (*SHARED, MORE)

_SHOWN = frozenset({*SHARED, "org", "previous", "hash"})


class ExportFormat(StrEnum):
    """How a file of events is written."""

    CSV = "csv"
    JSON = "json"
    """JSON lines: one event a line."""

    @property
    def content_type(self) -> str:
        """The media type of such a file."""
        return CSV if self is ExportFormat.CSV else JSON_LINES

    @property
    def ending(self) -> str:
        """How the name of such a file ends."""
        return "csv" if self is ExportFormat.CSV else "jsonl"


class TrailExport:
    """A body with the newest events of *trail*, read and written page by page while it is sent.

    The first page is read at once, so that a storage that cannot be read is an error and no broken file. *columns* are
    those of CSV; *after* and *filters* are those of `Trail.page`.

    Raises:
        BadRequest: *after* is no cursor.
        StorageUnavailable: the trail cannot be read.
    """

    def __init__(
        self,
        trail: Trail,
        kind: ExportFormat,
        *,
        columns: Sequence[str] = COLUMNS,
        after: str | None = None,
        limit: int = MAX_EXPORT,
        **filters: Any,
    ) -> None:
        pages = newest_pages(trail, limit, after, **filters)
        self._pages = chain([next(pages, [])], pages)
        self._kind = kind
        self._columns = columns

    def __iter__(self) -> Iterator[bytes]:
        if self._kind is ExportFormat.CSV:
            yield csv_rows([self._columns])
        for events in self._pages:
            yield json_lines(events) if self._kind is ExportFormat.JSON else csv_rows(map(self._cells, events))

    def close(self) -> None:
        """Ends nothing: between two pages nothing is open."""

    def _cells(self, event: Json) -> list[Any]:
        return [more_of(event) if column == MORE else event.get(column, "") for column in self._columns]


@dataclass(frozen=True, slots=True)
class TrailVerdict:
    """What a verification found, at most `MAX_FINDINGS`, and the newest checkpoint: number, time and hash."""

    findings: list[CheckFinding]
    checkpoint: Json | None


def verified(trail: Trail, keys: KeyStore, *, actor: Actor) -> TrailVerdict:
    """Verifies the whole trail, and takes a checkpoint when it is sound.

    Raises:
        BadRequest: there are more than `MAX_VERIFIED` packages.
        StorageUnavailable: the storage cannot be read, or the checkpoint cannot be written.
    """
    if sum(1 for _ in islice(RECORD.names(trail.storage), MAX_VERIFIED + 1)) > MAX_VERIFIED:
        raise BadRequest(
            f"With more than {MAX_VERIFIED:,} packages this takes too long here: run 'nproxy-mw audit verify'.",
            code="too-much-to-verify",
        )
    checkpoints = Checkpoints(trail.storage, org=trail.org)
    found = verify(trail, all_chains(trail), checkpoints, keys.public_keys())
    findings = list(islice(found, MAX_FINDINGS))
    if not findings:
        checkpoints.take(all_chains(trail), keys.checkpoint_signer(actor=actor))
    return TrailVerdict(findings, checkpoints.newest())


def newest_pages(trail: Trail, limit: int, after: str | None = None, **filters: Any) -> Iterator[list[dict[str, Any]]]:
    """Yields the newest events, at most *limit*, page by page; *after* and *filters* are those of `Trail.page`."""
    while limit > 0:
        events, after = trail.page(after=after, limit=min(limit, MAX_LIMIT), **filters)
        yield events
        limit -= len(events)
        if after is None:
            return


def more_of(event: Json) -> str:
    """Returns what an event says beyond the columns that all of them have."""
    rest = {key: value for key, value in event.items() if key not in _SHOWN}
    texts = {key: _text(value) for key, value in rest.items()}
    if all(text is not None for text in texts.values()):
        return ", ".join(f"{key}: {text}" for key, text in texts.items())
    return orjson.dumps(rest).decode()


def _text(value: object) -> str | None:
    """A text, a number or a list of texts as people read it; None for what has more inside."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return " ".join(value)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
