"""ErrorResponses: the one place where an error becomes an answer.

Every error body is ``{"error": "<one sentence>", "code": "<kebab-case>", "requestId": "..."}``: npm shows ``error``,
and yarn classic takes a 4xx without it for success. An error outside the tree of `nproxy_mw.errors` is a bug: it is
logged with its traceback and answered 500 without details. A body the client is still sending is read to its end first
(bounded), or npm would show a broken pipe instead of the sentence.

An error that comes up after an answer was begun, like an upstream that goes away in the middle of a tarball, is left to
the server: it ends the connection, so that nothing looks whole.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import orjson

from nproxy_mw.errors import MissingLayer, NproxyError, StorageError
from nproxy_mw.http import messages
from nproxy_mw.http.bodies import CountedInput, drain, with_counted_input
from nproxy_mw.http.context import REQUEST_ID

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_log = logging.getLogger(__name__)


class ErrorResponses:
    """Answers every error that comes up from *app* as npm's JSON, and gives each request an id."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ = REQUEST_ID.leave(environ, uuid.uuid4().hex)
        counted: CountedInput | None = None
        try:
            inner, counted = with_counted_input(environ)
            return self.app(inner, start_response)
        except Exception as error:
            if counted is not None:
                drain(counted)
            return _answer(environ, start_response, error)


def _answer(environ: WSGIEnvironment, start_response: StartResponse, error: Exception) -> Iterable[bytes]:
    request_id = environ[REQUEST_ID.name]
    status, headers, document = _explained(error, request_id)
    body = orjson.dumps({**document, "requestId": request_id})
    all_headers = [("Content-Type", messages.JSON), ("Cache-Control", "no-store"), *headers]
    return messages.send(environ, start_response, status, all_headers, body)


def _explained(error: Exception, request_id: str) -> tuple[int, list[tuple[str, str]], dict[str, Any]]:
    """Status, extra headers and body for an error; bugs are logged here and explained to nobody."""
    if isinstance(error, NproxyError) and not isinstance(error, StorageError):
        if error.status >= 500:
            _log.warning("request %s: %s", request_id, error, exc_info=error.__cause__)
        return error.status, error.headers(), {"error": error.message, "code": error.code, **error.details()}
    _log.error("request %s failed", request_id, exc_info=error)
    if isinstance(error, MissingLayer):
        return error.status, [], {"error": str(error), "code": "missing-layer"}
    return 500, [], {"error": "The registry failed on this request; its log says why.", "code": "internal-error"}
