"""Requests for exceptions: who asks that a rule lets something through, and what was answered. Pure.

Open requests and answered ones are bounded. The audit trail keeps those that are dropped here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from msgspec import Struct, field

from nproxy_mw.copies import replace
from nproxy_mw.errors import Conflict, NotFound
from nproxy_mw.json_values import Json
from nproxy_mw.rules.exceptions import texts
from nproxy_mw.times import parse_time, timestamp, timestamp_or_none

MAX_OPEN = 200
"""Requests of one organization that wait for an answer."""

MAX_OPEN_OF_ONE = 10
"""Requests of one person or token that wait for an answer."""

MAX_ANSWERED = 200
"""Answered requests that are kept; the oldest are dropped."""

_ANSWER = ("answeredBy", "answeredAt", "comment", "expiresAt")
_MEMBERS = frozenset(
    {"id", "package", "versions", "rules", "reason", "requestedBy", "tokenId", "requestedAt", "state", *_ANSWER}
)


class RequestState(StrEnum):
    """Where a request stands."""

    REQUESTED = "requested"
    APPROVED = "approved"
    DENIED = "denied"


class RequestAnswer(Struct, frozen=True):
    """What an administrator answered: *state* is approved or denied, and an approved exception ends at *expires_at*."""

    state: RequestState
    by: str
    at: datetime
    comment: str | None = None
    expires_at: datetime | None = None

    def to_document(self) -> dict[str, Any]:
        """Returns the answer as the management API shows it, without its state."""
        values = (self.by, timestamp(self.at), self.comment, timestamp_or_none(self.expires_at))
        return dict(zip(_ANSWER, values, strict=True))


class ExceptionRequest(Struct, frozen=True):
    """One request. *versions* and *rules* are those of the exception that is asked for; None means all.

    *requested_by* is a name, and *token_id* the identifier of the API token, empty for a session. Times are aware UTC.
    *unknown* are members that a newer version of this package stored.
    """

    id: str
    package: str
    reason: str
    requested_by: str
    requested_at: datetime
    token_id: str = ""
    versions: tuple[str, ...] | None = None
    rules: tuple[str, ...] | None = None
    answer: RequestAnswer | None = None
    unknown: Json = field(default_factory=dict)

    @property
    def state(self) -> RequestState:
        """Where the request stands."""
        return self.answer.state if self.answer else RequestState.REQUESTED

    @property
    def subject(self) -> dict[str, Any]:
        """What the exception is for and why, as an exception's document says it."""
        scope = {"versions": self.versions, "rules": self.rules}
        given = {key: list(value) for key, value in scope.items() if value is not None}
        return {"package": self.package, **given, "reason": self.reason}

    def asks_like(self, other: ExceptionRequest) -> bool:
        """Whether the same person or token asks for the same as in *other*."""
        return _asked(self) == _asked(other)

    def to_document(self) -> dict[str, Any]:
        """Returns the request as the management API shows it and as it is stored."""
        asked = {"requestedBy": self.requested_by, "requestedAt": timestamp(self.requested_at)}
        answer = self.answer.to_document() if self.answer else dict.fromkeys(_ANSWER)
        state = {"state": self.state.value, **answer}
        return {"id": self.id, **self.subject, **asked, "tokenId": self.token_id, **state, **self.unknown}


Requests: TypeAlias = Sequence[ExceptionRequest]
"""The requests of one organization, newest first."""


def load(document: Json) -> ExceptionRequest:
    """Returns the request that `ExceptionRequest.to_document` describes.

    Raises:
        ValueError, KeyError, TypeError: it is damaged.
    """
    return ExceptionRequest(
        id=document["id"],
        package=document["package"],
        reason=document["reason"],
        requested_by=document["requestedBy"],
        requested_at=parse_time(document["requestedAt"]),
        token_id=document["tokenId"],
        versions=texts(document.get("versions")),
        rules=texts(document.get("rules")),
        answer=_answer_of(document),
        unknown={key: value for key, value in document.items() if key not in _MEMBERS},
    )


def ask(requests: Requests, new: ExceptionRequest) -> Requests:
    """Returns *requests* with *new* first; *requests* themselves when the same one is open already.

    Raises:
        Conflict: too many requests are open, of the one who asks or of all.
    """
    waiting = [one for one in requests if one.answer is None]
    if any(one.asks_like(new) for one in waiting):
        return requests
    own = [one for one in waiting if (one.requested_by, one.token_id) == (new.requested_by, new.token_id)]
    if len(own) >= MAX_OPEN_OF_ONE or len(waiting) >= MAX_OPEN:
        raise Conflict(
            "Too many requests wait for an answer: ask an administrator to answer them first.",
            code="too-many-open-requests",
        )
    return new, *requests


def answer(requests: Requests, request_id: str, given: RequestAnswer) -> Requests:
    """Returns *requests* with *given* as the answer to one of them; *requests* themselves when it has the same already.

    The oldest answered requests beyond `MAX_ANSWERED` are dropped.

    Raises:
        NotFound: there is no request with that id.
        Conflict: it has the opposite answer.
    """
    found = find(requests, request_id)
    if found.state is given.state:
        return requests
    if found.answer is not None:
        raise Conflict(f"This request was {found.state} already.", code="request-answered")
    return _without_oldest([replace(one, answer=given) if one is found else one for one in requests])


def find(requests: Requests, request_id: str) -> ExceptionRequest:
    """Returns the request with that id. Raises NotFound when there is none."""
    for request in requests:
        if request.id == request_id:
            return request
    raise NotFound("There is no request with that id: list the requests to see their ids.", code="unknown-request")


def _asked(request: ExceptionRequest) -> tuple[object, ...]:
    return request.requested_by, request.token_id, request.package, request.versions, request.rules


def _without_oldest(requests: Requests) -> Requests:
    answered = sorted((one.answer.at, one.id) for one in requests if one.answer)
    dropped = {request_id for _, request_id in answered[:-MAX_ANSWERED]}
    return [one for one in requests if one.id not in dropped]


def _answer_of(document: Json) -> RequestAnswer | None:
    state = RequestState(document["state"])
    if state is RequestState.REQUESTED:
        return None
    expires_at = document["expiresAt"]
    return RequestAnswer(
        state,
        document["answeredBy"],
        parse_time(document["answeredAt"]),
        document["comment"],
        parse_time(expires_at) if expires_at is not None else None,
    )
