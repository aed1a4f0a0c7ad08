"""ErrorResponses: the one place where an error becomes an answer.

Every error body is ``{"error": "<one sentence>", "code": "<kebab-case>", "requestId": "..."}``: npm shows ``error``,
and yarn classic takes a 4xx without it for success. An error outside the tree of `nproxy_mw.errors` is a bug: it is
logged with its traceback and answered 500 without details. A body that the client is still sending is read to its end
first (bounded), or npm would show a broken pipe instead of the sentence.

The sentence of a refusal stands in headers too, since clients hide the body in places: in ``npm-notice``, and in the
status line's reason phrase.

Each request gets an id here, which every answer carries in ``X-Request-Id``. A host's layer outside that has ids of its
own puts one into the `Context` first.

The server handles an error that comes up after the answer began, such as an upstream that goes away in the middle of a
tarball: it ends the connection, so that the client sees a broken download.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from nproxy_mw.copies import replace
from nproxy_mw.errors import ClientError, MissingLayer, NotFound, NproxyError, StorageError
from nproxy_mw.http.bodies import CountedInput, count_input, finish
from nproxy_mw.http.context import opened
from nproxy_mw.http.messages import NO_STORE, Headers, Response, json_response, send
from nproxy_mw.http.request_ids import REQUEST_ID_HEADER, new_request_id
from nproxy_mw.observability.logs import REQUEST

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_log = logging.getLogger(__name__)

LONGEST_NOTICE = 500  # characters
LONGEST_REASON = 200
_STRANGERS = (401, 403, 429)  # statuses of clients whose uploads are not read to the end


class ErrorResponses:
    """Answers every error that comes up from *app* as npm's JSON, and gives each request an id."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ, context = opened(environ)
        request_id = context.request_id = context.request_id or new_request_id()
        token = REQUEST.set(request_id)
        start = _with_id(start_response, request_id)
        counted: CountedInput | None = None
        try:
            counted = count_input(environ)
            body = self.app(environ, start)
        except Exception as error:
            if counted is not None:
                finish(environ, counted, stranger=getattr(error, "status", 500) in _STRANGERS)
            body = send(environ, start, _response(error, environ, request_id))
        if isinstance(body, list):  # of what is still to be sent, the log may have something to say
            REQUEST.reset(token)
        return body


def _with_id(start_response: StartResponse, request_id: str) -> StartResponse:
    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        # A host application below, or another ErrorResponses, may have named the request already.
        if REQUEST_ID_HEADER.lower() not in map(str.lower, dict(headers)):
            headers = [*headers, (REQUEST_ID_HEADER, request_id)]
        return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

    return start


def _response(error: Exception, environ: WSGIEnvironment, request_id: str) -> Response:
    status, headers, document = _explained(error, request_id)
    headers, sentence = [*NO_STORE, *headers], _refusal(error, LONGEST_NOTICE)
    if sentence:
        headers.append(("npm-notice", sentence))
    response = json_response({**document, "requestId": request_id}, status, headers)
    # npm would print the sentence twice.
    is_npm = environ.get("HTTP_USER_AGENT", "").startswith("npm/")
    return response if is_npm else replace(response, reason=_refusal(error, LONGEST_REASON))


def _refusal(error: Exception, most: int) -> str:
    """Returns what the person at the terminal should read, fit for a header; empty for what is absent or broken.

    It has at most *most* characters. A URL that says more stands at its end, unless that leaves little of the sentence.

    Clients hide the body's ``error``: npm on each 401, where it prints the notice; pnpm and yarn 4 on each refusal of a
    read, where they print the reason phrase.
    """
    if not isinstance(error, ClientError) or isinstance(error, NotFound):
        return ""
    more = f" See {error.see}" if error.see and len(error.see) < most // 2 else ""
    text = error.message[: most - len(more)] + more
    return "".join(character if " " <= character <= "~" else "?" for character in text)


def _explained(error: Exception, request_id: str) -> tuple[int, Headers, dict[str, Any]]:
    """Returns status, extra headers and body for an error. A bug is logged, and its answer has no details."""
    if isinstance(error, NproxyError) and not isinstance(error, StorageError):
        if error.status >= 500:
            _log.warning("request %s: %s", request_id, error, exc_info=error.__cause__)
        return error.status, error.headers(), {"error": error.message, "code": error.code, **error.details()}
    _log.error("request %s failed", request_id, exc_info=error)
    if isinstance(error, MissingLayer):
        return error.status, [], {"error": str(error), "code": "missing-layer"}
    return 500, [], {"error": "The registry failed on this request; its log says why.", "code": "internal-error"}
