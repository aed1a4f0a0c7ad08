"""Audits: the upstream is asked without internal names, and its answer is merged with this registry's own advisories.

An install asks for an audit, too: it must not fail, nor wait for retries, because no audit can be had. Where
there is no upstream, this registry's own advisories are the answer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from nproxy_mw.copies import replace
from nproxy_mw.errors import BadRequest, Forbidden, NotFound, ServerError
from nproxy_mw.firewall.advisories import Advisors
from nproxy_mw.http.handlers import Request
from nproxy_mw.http.json_bodies import BULK_AUDIT, QUICK_AUDIT, read_json
from nproxy_mw.http.messages import PRIVATE, Response, json_response
from nproxy_mw.npm.audits import (
    OwnAdvisories,
    bulk_without,
    empty_report,
    is_empty,
    merged_bulk,
    merged_quick,
    quick_without,
    versions_of,
)
from nproxy_mw.npm.slices import Members, outline
from nproxy_mw.upstream.remote import Remote

_log = logging.getLogger(__name__)

_UNCHECKED = "The upstream registry offers no security audit: nothing was checked."
_OWN_ALONE = "The upstream registry offers no security audit: only this registry's own advisories were looked at."
_NO_UPSTREAM = "This registry has no upstream: only its own advisories were looked at."
_NOTHING_KNOWN = "This registry has no upstream, and no security advisories of its own: nothing was checked."


class Audits:
    """Answers audits. *finish* makes a response of what is found.

    If *remote* is None, no upstream is asked; if *advisors* is None, nothing is known here.
    """

    def __init__(
        self, remote: Remote | None, advisors: Advisors | None, finish: Callable[[Request, Members], Response]
    ) -> None:
        self.remote = remote
        self.advisors = advisors
        self.finish = finish

    def bulk(self, request: Request) -> Response:
        """Returns the advisories by package, as npm 7 and newer want them."""
        public = bulk_without(read_json(request.environ, BULK_AUDIT), request.is_internal)
        theirs = self._asked(request, public) if public else {}
        return self._noticed(request, theirs, merged_bulk(theirs or {}, self._own(request, public), public))

    def quick(self, request: Request) -> Response:
        """Returns a report, as older clients want it."""
        public = quick_without(read_json(request.environ, QUICK_AUDIT), request.is_internal)
        if is_empty(public):
            return json_response(empty_report(), headers=PRIVATE)
        theirs = self._asked(request, public)
        report = outline(msgspec.json.encode(empty_report())) if theirs is None else theirs
        return self._noticed(request, theirs, merged_quick(report, self._own(request, versions_of(public))))

    def _asked(self, request: Request, public: Any) -> dict[str, Raw] | None:
        """What the upstream says; None when there is none, or it has no audits or cannot be asked."""
        if self.remote is None:
            return None
        try:
            return self.remote.audit(request.route, public)
        except (ServerError, Forbidden, BadRequest) as error:
            _log.warning("the upstream's audit failed: %s", error)
            return None

    def _own(self, request: Request, asked: Mapping[str, Sequence[str]]) -> OwnAdvisories:
        if self.advisors is None:
            return {}
        return self.advisors.advisories(asked, of_stranger=request.principal.is_anonymous)

    def _noticed(self, request: Request, theirs: Members | None, found: Members) -> Response:
        response = self.finish(request, found)
        if theirs is not None:
            return response
        knows = self.advisors is not None and self.advisors.has_advisories
        if not knows and request.settings.audit_without_advisories == "not-found":
            raise NotFound("Neither the upstream registry nor this one has security advisories.", code="no-audit")
        return replace(response, headers=[*response.headers, ("npm-notice", self._notice(knows))])

    def _notice(self, knows: bool) -> str:
        if self.remote is None:
            return _NO_UPSTREAM if knows else _NOTHING_KNOWN
        return _OWN_ALONE if knows else _UNCHECKED
