"""Repeat: was the same asked before, and has nothing changed since?

A registry is asked for the same things again and again: a thousand builds read the same packuments at nine in the
morning. An answer is kept with what it rests on (`nproxy_mw.grounds`), and given again as long as all of that holds:
the token is as valid, the settings are the same, the package and the decision of the security rules are. Each of them
is looked at for each request, so nothing is answered that the layers below would not answer.

Only small answers of successful reads are kept. Two requests are the same when they agree in all that an answer of this
registry depends on; what a client sends besides makes no difference. Of an API token, a digest is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeAlias

from nproxy_mw.grounds import Act, Grounds, Look, noted
from nproxy_mw.http.context import Context, context_of
from nproxy_mw.http.messages import SEND_FILE
from nproxy_mw.lru import Lru
from nproxy_mw.npm.routes import Kind

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

COMPARED = (
    *("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "wsgi.url_scheme", "SERVER_NAME", "SERVER_PORT", "HTTP_HOST"),
    *("HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING", "HTTP_IF_NONE_MATCH", "HTTP_NPM_COMMAND", SEND_FILE),
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

_Key: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What was answered, what became *known* of the request, and what the answer rests on."""

    status: str
    headers: tuple[tuple[str, str], ...]
    body: list[bytes]
    known: Context
    looks: tuple[Look, ...]
    acts: tuple[Act, ...]

    def holds(self) -> bool:
        """Whether a new answer would be the same."""
        for look in self.looks:  # noqa: SIM110 - all() takes twice as long
            if not look():
                return False
        return True

    def repeat(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a request with it."""
        context_of(environ, by="Repeat").learn(self.known)
        for act in self.acts:
            act(environ)
        start_response(self.status, list(self.headers))
        return self.body.copy()


class AnswerMemory:
    """The answers that one process keeps, of all organizations: at most *capacity* bytes."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._answers: Lru[_Key, _Answer] = Lru(max_items=MAX_ANSWERS, max_weight=capacity)

    def __len__(self) -> int:
        return len(self._answers)

    def find(self, key: _Key) -> _Answer | None:
        """Returns the answer under *key* if it still holds."""
        answer = self._answers.get(key)
        return answer if answer is not None and answer.holds() else None

    def keep(self, key: _Key, answer: _Answer) -> None:
        """Keeps *answer* under *key*, unless it is too large."""
        size, compared = sum(map(len, answer.body)), sum(len(part) for part in key if isinstance(part, str))
        if size <= _largest(answer.known) and compared <= _LONGEST:
            self._answers.put(key, answer, size + _ANSWER)

    def forget(self, owner: object) -> None:
        """Forgets the answers of *owner*, whose keys begin with it."""
        for key in self._answers.keys():  # noqa: SIM118 - no mapping
            if key[0] is owner:
                self._answers.discard(key)


class Repeat:
    """Answers from *answers* what *app* answered before, as long as nothing has changed.

    Others may keep theirs in the same *answers*: what one of them keeps, no other finds.
    """

    def __init__(self, app: WSGIApplication, *, answers: AnswerMemory) -> None:
        self.app = app
        self.answers = answers
        self._owner = object()
        self._settings: object = None  # those that the last answer was made by

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in _READS or not _is_plain(environ):
            return self.app(environ, start_response)
        key = (self._owner, _digest(environ.get("HTTP_AUTHORIZATION")), *map(environ.get, COMPARED))
        answer = self.answers.find(key)
        if answer is not None:
            return answer.repeat(environ, start_response)
        return self._made(key, environ, start_response)

    def _made(self, key: _Key, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        began = _Began(start_response)
        with noted() as grounds:
            body = self.app(environ, began)
        if isinstance(body, list) and began.is_kept(environ) and grounds.are_known:
            context = context_of(environ, by="Repeat")
            self._forget_other_settings(context.settings)
            self.answers.keep(key, _answer(began, body, context, grounds))
        return body

    def _forget_other_settings(self, settings: object) -> None:
        """Forgets what was answered by other settings: it is never given again, and would keep them in memory."""
        if settings is not self._settings:
            self._settings = settings
            self.answers.forget(self._owner)


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
    return _Answer(began.status, began.headers, body.copy(), copy(context), tuple(grounds.looks), tuple(grounds.acts))


def _largest(context: Context) -> int:
    route = context.route
    return LARGEST_TARBALL if route is not None and route.kind is Kind.TARBALL else LARGEST


def _is_plain(environ: WSGIEnvironment) -> bool:
    """Whether a read asks for a whole thing, with no condition but an ETag."""
    return not environ.get("QUERY_STRING") and "HTTP_RANGE" not in environ and "HTTP_IF_MODIFIED_SINCE" not in environ


def _digest(authorization: str | None) -> bytes | None:
    return blake2b(authorization.encode("utf-8", "surrogatepass"), digest_size=32).digest() if authorization else None
