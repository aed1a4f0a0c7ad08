"""Repeat: was the same asked before, and has nothing changed since?

A registry is asked for the same things again and again: a thousand builds read the same packuments at nine in the
morning. An answer is kept with what it rests on (`nproxy_mw.grounds`), and given again as long as all of that holds:
the token is as valid, the settings are the same, the package and the decision of the security rules are. Each of them
is looked at for each request, so nothing is answered that the layers below would not answer.

It stands outside all other layers, ErrorResponses included, so that a repeated answer enters none of them; what a layer
further out reads of the request's context is there all the same. Only small answers of successful reads are kept. Two
requests are the same when they agree in all that an answer of this registry depends on; what a client sends besides
makes no difference. Of an API token, a digest is kept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from copy import copy
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from nproxy_mw.grounds import Act, Grounds, Look, noted
from nproxy_mw.http.at_once import AT_ONCE, NotAtOnce, without_waiting
from nproxy_mw.http.context import CONTEXT, Context, opened
from nproxy_mw.http.messages import SEND_FILE
from nproxy_mw.http.request_ids import REQUEST_ID_HEADER, new_request_id
from nproxy_mw.lru import Lru
from nproxy_mw.npm.routes import Kind

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_log = logging.getLogger(__name__)

_SPECIAL = ("QUERY_STRING", "HTTP_RANGE", "HTTP_IF_MODIFIED_SINCE")
"""What asks for something else than a whole thing, or on a condition beside an ETag: its answer is never kept."""

COMPARED = (
    *("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "wsgi.url_scheme", "SERVER_NAME", "SERVER_PORT", "HTTP_HOST"),
    *("HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING", "HTTP_IF_NONE_MATCH", "HTTP_NPM_COMMAND", SEND_FILE, *_SPECIAL),
)
"""What two requests must agree in, beside their token, to get the same answer."""

_READS = ("GET", "HEAD")

LARGEST = 1024 * 1024
"""Bytes of an answer that is kept."""

LARGEST_TARBALL = 64 * 1024
"""The same for a tarball: there are many, and a large one costs more to send than to find again."""

CAPACITY = 40 * 2**20
"""Bytes of all that one process keeps: enough for a tree of 1,000 packages that is installed again and again."""

MAX_ANSWERS = 8_192
_ANSWER = 3_000  # bytes of one beside its body: its headers, its looks, and the texts that requests are compared by
_LONGEST = 2_000  # characters of those texts
_MAX_ORGS = 256

_Key: TypeAlias = tuple[Any, ...]


class _Answer(Struct, frozen=True):
    """What was answered, what became *known* of the request, and what the answer rests on.

    *headers* have no request id.
    """

    status: str
    headers: tuple[tuple[str, str], ...]
    body: list[bytes]
    known: Context
    looks: tuple[Look, ...]
    acts: tuple[Act, ...]


class Repeat:
    """Answers again what *app* answered before, as long as nothing has changed; keeps at most *capacity* bytes.

    A server that says `AT_ONCE` gets what is kept, and `NotAtOnce` where *app* would have to be asked.
    """

    def __init__(self, app: WSGIApplication, *, capacity: int = CAPACITY) -> None:
        self.app = app
        self._answers: Lru[_Key, _Answer] = Lru(max_items=MAX_ANSWERS, max_weight=capacity)
        self._settings: Lru[str | None, object] = Lru(max_items=_MAX_ORGS)  # by which each org was answered last

    def __len__(self) -> int:
        return len(self._answers)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in _READS and AT_ONCE not in environ:
            return self.app(environ, start_response)
        authorization = environ.get("HTTP_AUTHORIZATION")
        key = (_digest(authorization) if authorization else None, *map(environ.get, COMPARED))
        answer = self._answers.get(key)
        if answer is None or not _may_be_repeated(answer, environ):
            return self._made(key, environ, start_response)
        context = environ.get(CONTEXT)
        request_id = new_request_id() if context is None else _told(context, answer.known)
        start_response(answer.status, [*answer.headers, (REQUEST_ID_HEADER, request_id)])
        return answer.body.copy()

    def _made(self, key: _Key, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if AT_ONCE in environ:
            raise NotAtOnce
        if any(map(environ.get, _SPECIAL)):
            return self.app(environ, start_response)
        environ, context = opened(environ)
        began = _Began(start_response)
        with noted() as grounds:
            body = self.app(environ, began)
        if isinstance(body, list) and began.is_kept(environ) and grounds.are_known:
            self._keep(key, _answer(began, body, context, grounds))
        return body

    def _keep(self, key: _Key, answer: _Answer) -> None:
        """Keeps *answer* under *key*, unless it is too large."""
        self._forget_other_settings(answer.known)
        size, compared = sum(map(len, answer.body)), sum([len(part) for part in key if isinstance(part, str)])
        if size <= _largest(answer.known) and compared <= _LONGEST:
            self._answers.put(key, answer, size + _ANSWER)

    def _forget_other_settings(self, known: Context) -> None:
        """Forgets what the organization was answered by other settings: nobody gets it, and it keeps them in memory."""
        before = self._settings.get(known.org)
        if before is known.settings:
            return
        self._settings.put(known.org, known.settings)
        if before is None:  # none of its answers is kept, or those of so many organizations that they go soon
            return
        for key, answer in self._answers.items():
            if answer.known.org == known.org:
                self._answers.discard(key)


class _Began:
    """A ``start_response`` that remembers what it was called with."""

    def __init__(self, start_response: StartResponse) -> None:
        self._start_response = start_response
        self.status = ""
        self.headers: tuple[tuple[str, str], ...] = ()

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        self.status, self.headers = status, tuple(headers)
        start = self._start_response
        return start(status, headers, exc_info) if exc_info else start(status, headers)

    def is_kept(self, environ: WSGIEnvironment) -> bool:
        """Whether the answer is what was asked for, or that the client has it already.

        Not what replaces another ETag: there are as many of them as a client can think of.
        """
        return self.status.startswith("304" if "HTTP_IF_NONE_MATCH" in environ else "200")


def _answer(began: _Began, body: list[bytes], context: Context, grounds: Grounds) -> _Answer:
    headers = [header for header in began.headers if header[0].lower() != REQUEST_ID_HEADER.lower()]
    return _Answer(began.status, tuple(headers), body.copy(), copy(context), tuple(grounds.looks), tuple(grounds.acts))


def _may_be_repeated(answer: _Answer, environ: WSGIEnvironment) -> bool:
    return without_waiting(_still_holds, answer, environ) if AT_ONCE in environ else _still_holds(answer, environ)


def _still_holds(answer: _Answer, environ: WSGIEnvironment) -> bool:
    """Whether a new answer would be the same; if so, what goes with it is done. Raises nothing.

    An error here would pass by ErrorResponses. Where the new answer meets it, too, it becomes one that npm can read.
    """
    try:
        for look in answer.looks:
            if not look():
                return False
        for act in answer.acts:
            act(environ)
    except Exception:
        _log.exception("an answer was not repeated")
        return False
    return True


def _told(context: Context, known: Context) -> str:
    """Returns the id of a request whose *context* a layer further out will read: it gets what is *known* of it."""
    context.learn(known)
    context.request_id = context.request_id or new_request_id()
    return context.request_id


def _largest(context: Context) -> int:
    route = context.route
    return LARGEST_TARBALL if route is not None and route.kind is Kind.TARBALL else LARGEST


def _digest(authorization: str) -> bytes:
    return blake2b(authorization.encode("utf-8", "surrogatepass"), digest_size=32).digest()
