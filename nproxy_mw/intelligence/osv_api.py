"""The OSV API as a source of intelligence: it is asked about one package at a time, and its answers are kept a day.

An audit asks about hundreds at once: one question finds those that anything is known against, and only these are then
asked about one by one, within an allowance. The next audit asks about what is left over.

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
from typing import NamedTuple, TypeVar

from nproxy_mw.http.at_once import about_to_wait
from nproxy_mw.intelligence.advisories import Advisory
from nproxy_mw.intelligence.allowance import Allowance
from nproxy_mw.intelligence.osv_affected import alerts_of
from nproxy_mw.intelligence.osv_answers import Answers
from nproxy_mw.intelligence.osv_questions import MAX_BATCH, Questions
from nproxy_mw.intelligence.port import Alert, Intelligence, IntelligenceUnavailable
from nproxy_mw.intelligence.web import FetchFailed, Web, checked
from nproxy_mw.npm.facts import Release
from nproxy_mw.storage.locks import folder_of_user
from nproxy_mw.times import Clock, utc_now

KEPT = timedelta(hours=24)
"""How long an answer is not asked for again."""

PATIENCE = timedelta(seconds=60)
"""How long the API is left alone after it could not be reached."""

LOOK = 5.0
"""Seconds after which the kept answers are asked whether the API is out of reach."""

PATIENCE_OF_AUDIT = 8.0
"""Seconds after which no further question is asked for one audit."""


class Share(NamedTuple):
    """What audits may ask: *batch* packages and *details* single ones for one audit; all of them *per_minute*."""

    batch: int
    details: int
    per_minute: int


KNOWN, STRANGERS = Share(MAX_BATCH, 50, 300), Share(300, 3, 10)
"""The shares of those who show a token, and of all others together, in one process."""

_HOUR = timedelta(hours=1)
_log = logging.getLogger(__name__)


T = TypeVar("T")


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
        self.questions = Questions(base.rstrip("/"), web or Web(timeout=5.0, deadline=20.0))
        self.clock = clock
        self.monotonic = monotonic
        self._looked_at = float("-inf")
        self._is_failing = False
        self._allowances = {
            share: Allowance(share.per_minute, share.per_minute, monotonic=monotonic) for share in (KNOWN, STRANGERS)
        }

    @property
    def revision(self) -> str:
        """The hour; and the minute while the API is out of reach, so that decisions do not stay blind for an hour."""
        now = self.monotonic()
        if now - self._looked_at > LOOK:
            about_to_wait()  # others may be writing to the file with the answers
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

    def learn(self, names: Sequence[str], *, of_stranger: bool) -> None:
        """Asks about many packages: see `Distant`."""
        share, now = STRANGERS if of_stranger else KNOWN, self.clock()
        end = self.monotonic() + PATIENCE_OF_AUDIT

        def may_ask() -> bool:
            return self.monotonic() < end and self._allowances[share].take()

        unknown = [name for name in names if not self._is_fresh(self.answers.find(name), now)][: share.batch]
        try:
            suspects = self._suspects(unknown, now) if unknown and may_ask() else []
            for name in suspects[: share.details]:
                if not may_ask():
                    break
                self._ask(name, now)
        except IntelligenceUnavailable:  # and the log says why
            return

    @property
    def kept(self) -> Intelligence:
        """What is kept of this API's answers."""
        return KeptAnswers(self)

    def advisories(self, name: str) -> Sequence[Advisory]:
        """Returns all advisories about the package *name*. Raises `IntelligenceUnavailable`."""
        now = self.clock()
        kept = self.answers.find(name)
        if kept is not None and self._is_fresh(kept, now):
            return kept[1]
        try:
            return self._ask(name, now)
        except IntelligenceUnavailable:
            if kept is None:
                raise
            return kept[1]

    def _is_fresh(self, kept: tuple[datetime, object] | None, now: datetime) -> bool:
        return kept is not None and now - kept[0] < KEPT

    def _suspects(self, names: Sequence[str], now: datetime) -> list[str]:
        """Returns those of *names* that something is known against. Raises `IntelligenceUnavailable`."""
        suspects = self._asked(lambda: self.questions.suspects(names), now)
        self.answers.keep_nothing_known(sorted(set(names).difference(suspects)), now)
        return suspects

    def _ask(self, name: str, now: datetime) -> tuple[Advisory, ...]:
        found = self._asked(lambda: self.questions.about(name), now)
        self.answers.keep(name, now, found)
        return found

    def _asked(self, ask: Callable[[], T], now: datetime) -> T:
        """Returns what *ask* returns, unless the API is left alone just now. Raises `IntelligenceUnavailable`."""
        failed_at = self.answers.failed_at
        if failed_at is not None and now - failed_at < PATIENCE:
            raise IntelligenceUnavailable("The OSV API could not be reached a moment ago.")
        try:
            found = ask()
        except FetchFailed as error:
            if error.answered is None or error.answered >= 500 or error.answered == 429:
                self._set_failing(now)
            _log.warning("the OSV API cannot be asked: %s", error)
            raise IntelligenceUnavailable(f"The OSV API cannot be asked: {error}") from error
        if failed_at is not None:
            self._set_failing(None)
        return found

    def _set_failing(self, at: datetime | None) -> None:
        self.answers.failed_at = at
        self._looked_at = float("-inf")


class KeptAnswers:
    """The `Intelligence` of what *api* answered, however long ago. Nobody is asked."""

    def __init__(self, api: OsvApi) -> None:
        self.api = api

    @property
    def revision(self) -> str:
        """That of the API."""
        return self.api.revision

    def alerts(self, name: str, releases: Sequence[Release]) -> tuple[Alert, ...]:
        """Returns what is kept against *releases*. Raises `IntelligenceUnavailable` where nothing is kept."""
        kept = self.api.answers.find(name)
        if kept is None:
            raise IntelligenceUnavailable("The OSV API was not asked about this package yet.")
        return alerts_of(kept[1], releases)


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
