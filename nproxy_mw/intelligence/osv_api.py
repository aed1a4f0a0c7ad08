"""The OSV API as a source of intelligence: it is asked about one package at a time, and its answers are kept a day.

Only the names of public packages are sent: nothing asks intelligence about an internal one. When the API cannot be
reached, an older answer counts on, because what was known to be malware must not be installable during an outage;
without one, the question raises `IntelligenceUnavailable`. It is asked again a minute later at the earliest.

Source: https://google.github.io/osv.dev/post-v1-query/.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b

import msgspec

from nproxy_mw.intelligence.advisories import Advisory
from nproxy_mw.intelligence.osv_affected import alerts_of
from nproxy_mw.intelligence.osv_answers import Answers
from nproxy_mw.intelligence.osv_records import ECOSYSTEM, parse_record
from nproxy_mw.intelligence.port import Alert, IntelligenceUnavailable
from nproxy_mw.intelligence.web import FetchFailed, Web, checked
from nproxy_mw.npm.facts import Release
from nproxy_mw.storage.locks import folder_of_user
from nproxy_mw.times import Clock, utc_now

KEPT = timedelta(hours=24)
"""How long an answer is not asked for again."""

PATIENCE = timedelta(seconds=60)
"""How long the API is left alone after it could not be reached."""

MAX_PAGES = 20  # of 1,000 records each
MAX_PAGE = 16 * 2**20
"""Bytes of one page. The record of a package's every version has some hundred kilobytes."""

LOOK = 5.0
"""Seconds after which the kept answers are asked whether the API is out of reach."""

_HOUR = timedelta(hours=1)
_log = logging.getLogger(__name__)


class _Page(msgspec.Struct):
    vulns: list[msgspec.Raw] | None = None
    next_page_token: str | None = None


_PAGES = msgspec.json.Decoder(_Page)


class OsvApi:
    """The `Intelligence` of the OSV API at the URL *base*, such as ``https://osv.example``. Safe for threads and forks.

    *answers* keeps what was answered; if it is None, this process does. *monotonic* counts seconds.

    Raises:
        FetchFailed: *base* is not a URL of http or https.
    """

    def __init__(
        self,
        base: str,
        *,
        answers: Answers | None = None,
        web: Web | None = None,
        clock: Clock = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        checked(base)
        self.url = f"{base.rstrip('/')}/v1/query"
        self.answers = answers or Answers()
        self.web = web or Web(timeout=5.0, deadline=20.0)
        self.clock = clock
        self.monotonic = monotonic
        self._looked_at = float("-inf")
        self._is_failing = False

    @property
    def revision(self) -> str:
        """The hour; and the minute while the API is out of reach, so that decisions do not stay blind for an hour."""
        now = self.monotonic()
        if now - self._looked_at > LOOK:
            self._is_failing, self._looked_at = self.answers.failed_at is not None, now
        length = PATIENCE if self._is_failing else _HOUR
        state = "failing" if self._is_failing else "sound"
        return f"{self.url} {state} {int(self.clock().timestamp() // length.total_seconds())}"

    def alerts(self, name: str, releases: Sequence[Release]) -> tuple[Alert, ...]:
        """Returns what the API knows against *releases* of the package *name*.

        Raises:
            IntelligenceUnavailable: it cannot be asked, and was never asked about this package.
        """
        return alerts_of(self.advisories(name), releases)

    def advisories(self, name: str) -> Sequence[Advisory]:
        """Returns all advisories about the package *name*. Raises `IntelligenceUnavailable`."""
        now = self.clock()
        kept = self.answers.find(name)
        if kept is not None and now - kept[0] < KEPT:
            return kept[1]
        try:
            return self._ask(name, now)
        except IntelligenceUnavailable:
            if kept is None:
                raise
            return kept[1]

    def _ask(self, name: str, now: datetime) -> tuple[Advisory, ...]:
        failed_at = self.answers.failed_at
        if failed_at is not None and now - failed_at < PATIENCE:
            raise IntelligenceUnavailable("The OSV API could not be reached a moment ago.")
        try:
            found = self._pages(name)
        except FetchFailed as error:
            if error.answered is None or error.answered >= 500 or error.answered == 429:
                self._set_failing(now)
            _log.warning("the OSV API cannot be asked: %s", error)
            raise IntelligenceUnavailable(f"The OSV API cannot be asked: {error}") from error
        if failed_at is not None:
            self._set_failing(None)
        self.answers.keep(name, now, found)
        return found

    def _set_failing(self, at: datetime | None) -> None:
        self.answers.failed_at = at
        self._looked_at = float("-inf")

    def _pages(self, name: str) -> tuple[Advisory, ...]:
        """Returns the advisories of all pages. Raises `FetchFailed`, `IntelligenceUnavailable`."""
        question: dict[str, object] = {"package": {"name": name, "ecosystem": ECOSYSTEM}}
        found: list[Advisory] = []
        for _ in range(MAX_PAGES):
            page = _parsed(self.web.post(self.url, msgspec.json.encode(question), MAX_PAGE))
            found.extend(one for raw in page.vulns or () for one in _advisories(raw) if one.package == name)
            if not page.next_page_token:
                return tuple(found)
            question["page_token"] = page.next_page_token
        raise IntelligenceUnavailable("The OSV API answers with more pages than are read.")


def _parsed(body: bytes) -> _Page:
    try:
        return _PAGES.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise IntelligenceUnavailable("The OSV API's answer is not what it promises.") from error


def _advisories(raw: msgspec.Raw) -> tuple[Advisory, ...]:
    try:
        return parse_record(raw).advisories
    except ValueError as error:
        _log.warning("a record of the OSV API cannot be used: %s", error)
        return ()


def host_osv_api(base: str) -> OsvApi:
    """Returns the API at *base* with answers that all processes of this user on this host share.

    Raises:
        ValueError: *base* is not a URL of http or https without a password.
    """
    file = f"osv-api-{blake2b(base.encode(), digest_size=8).hexdigest()}.db"
    try:
        return OsvApi(base, answers=Answers(folder_of_user() / file))
    except FetchFailed as error:
        raise ValueError(error.message) from error
