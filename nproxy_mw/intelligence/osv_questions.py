"""The questions that the OSV API answers: about one package, and about many at once.

Source: https://google.github.io/osv.dev/post-v1-query/ and https://google.github.io/osv.dev/post-v1-querybatch/.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from nproxy_mw.intelligence.advisories import Advisory
from nproxy_mw.intelligence.osv_records import ECOSYSTEM, parse_record
from nproxy_mw.intelligence.port import IntelligenceUnavailable
from nproxy_mw.intelligence.web import FetchFailed, Web

MAX_BATCH = 1_000
"""Packages of one question about many."""

MAX_PAGES = 20  # of 1,000 records each
MAX_PAGE = 16 * 2**20
"""Bytes of one answer. The record of a package's every version has some hundred kilobytes."""

_NOT_OFFERED = frozenset({404, 405, 501})
_PROMISES = "The OSV API's answer is not what it promises."
_log = logging.getLogger(__name__)

T = TypeVar("T")


class _Page(msgspec.Struct):
    vulns: list[msgspec.Raw] | None = None
    next_page_token: str | None = None


class _Known(msgspec.Struct):
    id: str = ""


class _Result(msgspec.Struct):
    vulns: list[_Known] | None = None
    next_page_token: str | None = None

    @property
    def is_something(self) -> bool:
        return bool(self.vulns or self.next_page_token)

    @property
    def has_malware(self) -> bool:
        return any(one.id.startswith("MAL-") for one in self.vulns or ())


class _Batch(msgspec.Struct):
    results: list[_Result | None] = []


_PAGES, _BATCHES = msgspec.json.Decoder(_Page), msgspec.json.Decoder(_Batch)


class Questions:
    """Asks the API at the URL *base*, which has no trailing slash, by way of *web*."""

    def __init__(self, base: str, web: Web) -> None:
        self.base = base
        self.web = web

    def about(self, name: str) -> tuple[Advisory, ...]:
        """Returns all advisories about one package. Raises `FetchFailed`, `IntelligenceUnavailable`."""
        question = _question(name)
        found: list[Advisory] = []
        for _ in range(MAX_PAGES):
            page = self._asked("query", question, _PAGES)
            found.extend(one for raw in page.vulns or () for one in _advisories(raw) if one.package == name)
            if not page.next_page_token:
                return tuple(found)
            question["page_token"] = page.next_page_token
        raise IntelligenceUnavailable("The OSV API answers with more pages than are read.")

    def suspects(self, names: Sequence[str]) -> list[str]:
        """Returns those of at most `MAX_BATCH` packages that something is known against, malware first.

        All of them where this question is not offered. Raises `FetchFailed`, `IntelligenceUnavailable`.
        """
        try:
            batch = self._asked("querybatch", {"queries": [_question(name) for name in names]}, _BATCHES)
        except FetchFailed as error:
            if error.answered in _NOT_OFFERED:
                return list(names)
            raise
        if len(batch.results) != len(names):
            raise IntelligenceUnavailable(_PROMISES)
        found = [(name, one) for name, one in zip(names, batch.results, strict=True) if one and one.is_something]
        return [name for name, one in sorted(found, key=lambda pair: not pair[1].has_malware)]

    def _asked(self, path: str, question: dict[str, Any], decoder: msgspec.json.Decoder[T]) -> T:
        body = self.web.post(f"{self.base}/v1/{path}", msgspec.json.encode(question), MAX_PAGE)
        try:
            return decoder.decode(body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise IntelligenceUnavailable(_PROMISES) from error


def _question(name: str) -> dict[str, Any]:
    return {"package": {"name": name, "ecosystem": ECOSYSTEM}}


def _advisories(raw: msgspec.Raw) -> tuple[Advisory, ...]:
    try:
        return parse_record(raw).advisories
    except ValueError as error:
        _log.warning("a record of the OSV API cannot be used: %s", error)
        return ()
