"""Questions that the management API and the dashboard both ask: why a version is held, and who fetched it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from nproxy_mw.errors import NotFound
from nproxy_mw.firewall.firewall import Firewall
from nproxy_mw.ledger.facts import Install
from nproxy_mw.ledger.query import find
from nproxy_mw.ledger.wanted import wanted
from nproxy_mw.npm.names import Name
from nproxy_mw.rules.values import InvalidFields, field_at
from nproxy_mw.storage.port import Storage
from nproxy_mw.times import parse_time

SPAN = timedelta(days=30)
"""What is looked at when a question does not say from when."""

MAX_SPAN = timedelta(days=400)
"""What one question may be about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallQuestion:
    """Which installs are asked for. What is empty or None is not looked at.

    *since* and *until* are ISO 8601 with a zone.
    """

    package: str = ""
    versions: str = ""
    token: str = ""
    since: str | None = None
    until: str | None = None


def explained(firewall: Firewall | None, internal_scopes: Collection[str], name: Name, version: str) -> dict[str, Any]:
    """Returns what the rules say of a package, or of its version or dist-tag *version* when that is not empty.

    Raises:
        NotFound: the package is internal, or there is no upstream, or the upstream does not have the package.
        Forbidden, UpstreamUnavailable, UpstreamTimeout, Busy: as `Firewall.explain`.
    """
    if name.scope in internal_scopes:
        raise NotFound("This package is internal: no rule is about it.", code="internal-package")
    if firewall is None:
        raise NotFound("This server has no upstream, so there is nothing that rules are about.", code="no-upstream")
    return firewall.explain(name, version)


def asked_span(since: str | None, until: str | None, now: datetime) -> tuple[datetime, datetime]:
    """Returns the two moments: *until* is *now* by default, and *since* lies `SPAN` before it. Pure.

    Raises:
        InvalidFields: one of them is not a time with a zone, or *since* is the later one, or the span is longer than
            `MAX_SPAN`.
    """
    end = now if until is None else _moment("to", until)
    start = end - SPAN if since is None else _moment("from", since)
    if start > end:
        raise InvalidFields(
            {"from": "This is later than the end of the time that is asked about."}, code="invalid-span"
        )
    if end - start > MAX_SPAN:
        raise InvalidFields({"from": f"Ask for at most {MAX_SPAN.days} days at once."}, code="invalid-span")
    return start, end


def found_installs(storage: Storage, asked: InstallQuestion, now: datetime, limit: int) -> tuple[list[Install], bool]:
    """Returns up to *limit* installs from the organization's *storage*, oldest day first, and whether these are all.

    Raises:
        InvalidFields: see `asked_span`; or the versions are not a range.
        StorageUnavailable: the ledger cannot be read.
    """
    since, until = asked_span(asked.since, asked.until, now)
    with field_at("version"):
        is_wanted = wanted(package=asked.package, versions=asked.versions, token=asked.token)
    found = list(islice(find(storage, since, until, is_wanted), limit + 1))
    return found[:limit], len(found) <= limit


def _moment(name: str, text: str) -> datetime:
    try:
        return parse_time(text)
    except ValueError as error:
        sentence = "This is a time with its zone, like 2026-11-26T12:00:00Z."
        raise InvalidFields({name: sentence}, code="invalid-time") from error
