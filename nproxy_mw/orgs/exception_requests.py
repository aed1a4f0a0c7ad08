"""Requests for exceptions on Storage: developers ask, administrators answer.

An approval is stored before its exception is added to the settings. A crash between the two leaves an approved request
without an exception, which lets nothing through; approving it again adds the exception.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any

from nproxy_mw.access import Actor
from nproxy_mw.audit.audited import AuditedObject
from nproxy_mw.audit.events import AuditedChange, Fact
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import Conflict
from nproxy_mw.json_values import Json
from nproxy_mw.orgs.settings import SettingsStore
from nproxy_mw.orgs.token_records import ID_LENGTH
from nproxy_mw.rules import requests
from nproxy_mw.rules.exception_documents import APPROVAL, DENIAL, MAX_EXCEPTIONS, printable, request_type_of
from nproxy_mw.rules.exceptions import texts
from nproxy_mw.rules.requests import ExceptionRequest, RequestAnswer, Requests, RequestState
from nproxy_mw.rules.values import InvalidFields, Problems, ValueType
from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import EXCEPTION_REQUESTS
from nproxy_mw.storage.port import Storage
from nproxy_mw.times import Clock, parse_time, utc_now


class ExceptionRequestStore:
    """The requests for exceptions of one organization on *storage*, its own; approved ones go into *settings*."""

    def __init__(self, storage: Storage, *, trail: Trail, settings: SettingsStore, clock: Clock = utc_now) -> None:
        self.storage = storage
        self.trail = trail
        self.settings = settings
        self.clock = clock

    def list(self) -> Requests:
        """Returns the requests, newest first.

        Raises:
            StorageUnavailable: they cannot be read, or are damaged.
        """
        return _of(documents.find(self.storage, EXCEPTION_REQUESTS.key()))

    def ask(self, document: object, *, actor: Actor) -> ExceptionRequest:
        """Stores and returns the request that *document* describes; the open one when *actor* asked for the same.

        Raises:
            InvalidFields: something in *document* is invalid.
            Conflict: too many requests are open.
            Busy: others are changing the requests at the same time.
        """
        given = _checked(request_type_of(self.settings.catalog), document)
        new = ExceptionRequest(
            id=secrets.token_hex(8),
            package=given["package"],
            reason=given["reason"],
            requested_by=printable(actor.name),
            requested_at=self.clock(),
            token_id=actor.token_hash[:ID_LENGTH],
            versions=texts(given.get("versions")),
            rules=texts(given.get("rules")),
        )
        stored = self._change(partial(requests.ask, new=new), actor)
        return next(one for one in stored if one.asks_like(new))

    def approve(self, request_id: str, document: object, *, actor: Actor) -> ExceptionRequest:
        """Approves a request, and adds its exception to the settings with *actor* as its author. Returns the request.

        Raises:
            InvalidFields: something in *document* is invalid.
            NotFound: there is no such request.
            Conflict: the request was denied, or there are too many exceptions.
            Busy: others are changing the requests or the settings at the same time.
        """
        fields, now = _checked(APPROVAL, document), self.clock()
        end = parse_time(fields["expiresAt"])
        if end <= now:
            raise InvalidFields({"expiresAt": "This is in the past."})
        if len(self.settings.get().exceptions) >= MAX_EXCEPTIONS:
            raise Conflict("There are too many exceptions: remove some from the settings.", code="too-many-exceptions")
        given = RequestAnswer(RequestState.APPROVED, printable(actor.name), now, fields.get("comment"), end)
        approved = self._answer(request_id, given, actor)
        expires_at = approved.to_document()["expiresAt"]
        self.settings.add_exception({**approved.subject, "expiresAt": expires_at}, actor=actor)
        return approved

    def deny(self, request_id: str, document: object, *, actor: Actor) -> ExceptionRequest:
        """Denies a request and returns it.

        Raises:
            InvalidFields: something in *document* is invalid.
            NotFound: there is no such request.
            Conflict: the request was approved.
            Busy: others are changing the requests at the same time.
        """
        comment = _checked(DENIAL, document).get("comment")
        given = RequestAnswer(RequestState.DENIED, printable(actor.name), self.clock(), comment)
        return self._answer(request_id, given, actor)

    def _answer(self, request_id: str, given: RequestAnswer, actor: Actor) -> ExceptionRequest:
        stored = self._change(partial(requests.answer, request_id=request_id, given=given), actor)
        return requests.find(stored, request_id)

    def _change(self, answer: Callable[[Requests], Requests], actor: Actor) -> Requests:
        step = partial(_changed, answer=answer)
        document = AuditedObject(self.storage, EXCEPTION_REQUESTS.key(), self.trail).change(step, actor)
        return self.list() if document is None else _of(document)


def _changed(stored: Json | None, _: datetime, *, answer: Callable[[Requests], Requests]) -> AuditedChange[Json | None]:
    before = _of(stored)
    after = answer(before)
    if after is before:
        return AuditedChange(None)
    return AuditedChange({"requests": [request.to_document() for request in after]}, list(_facts(before, after)))


def _facts(before: Requests, after: Requests) -> Iterator[Fact]:
    """Yields what the audit trail records of each request that was asked or answered."""
    for request in after:
        if request not in before:
            answer = request.answer.to_document() if request.answer else {}
            given = {key: answer[key] for key in ("comment", "expiresAt") if answer.get(key)}
            yield f"exception.{request.state}", {"request": request.id, **request.subject, **given}


def _of(document: Json | None) -> Requests:
    try:
        return tuple(map(requests.load, document["requests"])) if document else ()
    except (KeyError, TypeError, ValueError) as error:
        raise documents.damaged() from error


def _checked(value_type: ValueType, document: object) -> dict[str, Any]:
    """Returns *document* when it is valid. Raises InvalidFields."""
    problems = Problems()
    if not value_type.accepts(document, "", problems) or not isinstance(document, dict):
        raise InvalidFields(problems.fields, count=problems.count)
    return document
