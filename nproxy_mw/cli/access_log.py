"""One line in the log for each request that was answered, under any server."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nproxy_mw.cli.logs import ACCESS
from nproxy_mw.observability.logs import REQUEST

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_access = logging.getLogger(ACCESS)


def is_logged() -> bool:
    """Returns whether requests are logged at all."""
    return _access.isEnabledFor(logging.INFO)


def log_request(
    environ: Mapping[str, Any],
    path: str,
    status: str | int,
    headers: Iterable[tuple[str, str]],
    sent: int,
    seconds: float,
) -> None:
    """Logs one request. *path* has no query, because some clients put secrets there; *sent* are the body's bytes."""
    fields = {
        "method": environ.get("REQUEST_METHOD", ""),
        "path": path,
        "status": int(str(status).split(None, 1)[0]),
        "bytes": sent,
        "milliseconds": round(seconds * 1000, 1),
        "ip": environ.get("REMOTE_ADDR", ""),
        "userAgent": environ.get("HTTP_USER_AGENT", ""),
    }
    token = REQUEST.set({name.lower(): value for name, value in headers}.get("x-request-id", ""))
    _access.info(
        '%(ip)s "%(method)s %(path)s" %(status)s %(bytes)s bytes %(milliseconds)s ms "%(userAgent)s"',
        fields,
        extra={"fields": fields},
    )
    REQUEST.reset(token)


class AccessLog:
    """Logs each request to *app* when the server has taken its response, for servers without a log of this form."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = _Answered(environ)
        body = self.app(environ, request.starting(start_response))
        return request.logged(body)


class _Answered:
    """A request and what is known of its answer so far."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        self.environ = environ
        self.began = time.perf_counter()
        self.path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")  # before a layer moves its beginning
        self.status = "500"
        self.headers: list[tuple[str, str]] = []
        self.sent = 0

    def starting(self, start_response: StartResponse) -> StartResponse:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
            self.status, self.headers = status, headers
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        return start

    def logged(self, body: Iterable[bytes]) -> Iterable[bytes]:
        if isinstance(body, list):  # servers send those faster
            self.sent = sum(map(len, body))
            self.log()
            return body
        return _Counted(body, self)

    def log(self) -> None:
        seconds = time.perf_counter() - self.began
        log_request(self.environ, self.path, self.status, self.headers, self.sent, seconds)


class _Counted:
    """A body whose bytes are counted; the request is logged when it is closed."""

    def __init__(self, body: Iterable[bytes], request: _Answered) -> None:
        self._body = body
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._body:
            self._request.sent += len(chunk)
            yield chunk

    def close(self) -> None:
        """Closes the body, and logs."""
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            self._request.log()
