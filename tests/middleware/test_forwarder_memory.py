"""Forwarder holds no tarball in memory."""

from __future__ import annotations

from typing import Any
from wsgiref.util import setup_testing_defaults

from support.costs import least_memory
from support.forwarding import BASE, Tokens
from support.layers import FixedSettings

from nproxy_mw.http.messages import Headers
from nproxy_mw.middleware.authenticate import Authenticate
from nproxy_mw.middleware.error_responses import ErrorResponses
from nproxy_mw.middleware.forwarder import Forwarder
from nproxy_mw.middleware.scope_router import ScopeRouter
from nproxy_mw.upstream.responses import UpstreamResponse
from nproxy_mw.upstream.transport import Body


class Endless:
    """A transport that makes and swallows what is asked of it, piece by piece; and an upload of that size."""

    upstream_url = "http://upstream.example"

    def __init__(self, size: int) -> None:
        self.size = size
        self.beginning = b'{"_id":"lodash"'

    def send(self, method: str, target: str, headers: Headers = (), body: Body = None) -> UpstreamResponse:
        if method == "PUT":
            assert body is not None
            assert sum(len(piece) for piece in body if isinstance(piece, bytes)) == self.size
            return UpstreamResponse(201, [], lambda _: iter([]))
        pieces = self.size // 2**16
        return UpstreamResponse(
            200, [("Content-Length", str(self.size))], lambda _: (bytes(2**16) for _ in range(pieces))
        )

    fetch = send

    def read(self, size: int = -1) -> bytes:
        beginning, self.beginning = self.beginning[:size], b""
        return beginning + bytes(size - len(beginning))


def test_memory_stays_flat_both_ways() -> None:
    """100 MiB down, 100 MiB up: a tarball is never held, whatever its size."""
    size = 100 * 2**20
    endless = Endless(size)
    forwarder = Forwarder(transport=endless, max_publish=size, public_url=BASE)
    app: Any = ErrorResponses(Authenticate(ScopeRouter(forwarder, settings=FixedSettings()), tokens=Tokens()))

    def both_ways() -> None:
        for method, path, length in (("GET", "/lodash/-/lodash-1.0.0.tgz", 0), ("PUT", "/lodash", size)):
            environ: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": path, "CONTENT_LENGTH": str(length)}
            environ |= {"wsgi.input": endless, "HTTP_AUTHORIZATION": "Bearer npm_x"}
            setup_testing_defaults(environ)
            chunks = app(environ, lambda status, headers, exc_info=None: None)
            assert sum(map(len, chunks)) == (size if method == "GET" else 2)

    assert least_memory(both_ways, 4 * 2**20) < 4 * 2**20
