"""A stand-in for the upstream registry: a real HTTP server on the loopback that records its requests.

::

    with RecordingUpstream() as upstream:
        upstream.publish("lodash", "4.17.21", files={"index.js": "module.exports = 1"})
        application = registry("memory://", internal_scopes=["@acme"], upstream=upstream.url)
        ...
        assert not upstream.asked("acme")                      # nothing internal was named to it
        upstream.on("GET", "/lodash", Reply(503))              # from now on it fails

It keeps npm's part of the protocol as far as a proxy needs it. ``RecordingUpstream(is_poor=True)`` is the poorest
mirror there is: the full packument and tarballs by GET, no gzip, no ETag, no times, no ranges, no dist-tags, no audits.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, SO_LINGER, SOL_SOCKET, socket
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

from nproxy_mw.testing.upstream_state import Recorded, Reply, UpstreamState, json_reply

__all__ = ["Recorded", "RecordingUpstream", "Reply", "json_reply"]


class RecordingUpstream:
    """A context manager: inside it the server runs at ``url``.

    Writes need ``Authorization: Bearer <token>``. *prefix* is a path that the registry is under (``"/npm"``).
    ``state`` has what it serves in addition to packages: ``keys``, ``attestations``, ``advisories``.
    """

    def __init__(self, *, is_poor: bool = False, token: str = "npm_upstream", prefix: str = "") -> None:  # noqa: S107
        self.state = UpstreamState(is_poor=is_poor, token=token)
        self.prefix = prefix
        self.requests: list[Recorded] = []
        self.connections = 0  # opened so far
        self.open_connections: set[socket] = set()
        self._canned: dict[tuple[str, str], Reply] = {}
        self._lock = Lock()
        # The socket listens from here on, so the URL is known before the server runs.
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.upstream = self
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reply in self._canned.values():
            if reply.wait is not None:
                reply.wait.set()
        self._server.shutdown()
        self._server.server_close()
        self.drop_connections()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where clients reach it, without a trailing slash."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{self.prefix}"

    def publish(
        self,
        name: str,
        version: str,
        package_json: Mapping[str, Any] | None = None,
        files: Mapping[str, bytes | str] | None = None,
        *,
        tag: str = "latest",
    ) -> bytes:
        """Adds a version, and returns its tarball's bytes. *package_json* overrides its manifest."""
        return self.state.publish(self.url, name, version, package_json or {}, files, tag)

    def on(self, method: str, path: str, reply: Reply) -> None:
        """Sends *reply* to that method and path (percent-decoded, without prefix or query) from now on."""
        self._canned[method, path] = reply

    def drop_connections(self) -> None:
        """Ends every open connection, as an upstream that restarts does."""
        with self._lock:
            for connection in list(self.open_connections):
                with suppress(OSError):
                    connection.shutdown(SHUT_RDWR)

    def asked(self, text: str = "") -> list[Recorded]:
        """Returns the requests that have *text* anywhere: in the path, a header or the body."""
        return [request for request in self.requests if text in _everything(request)]

    def answer(self, request: Recorded) -> Reply:
        """Records a request and returns the reply; the server calls it for each request, in any thread."""
        with self._lock:
            self.requests.append(request)
        path = unquote(request.path.partition("?")[0])
        if not path.startswith(self.prefix + "/"):
            return json_reply({"error": "outside the registry"}, 404)
        inner = path.removeprefix(self.prefix)
        canned = self._canned.get((request.method, inner))
        if canned is not None:
            return canned
        below = Recorded(request.method, request.path.removeprefix(self.prefix), request.headers, request.body)
        return self.state.reply(below)


class _Server(ThreadingHTTPServer):
    upstream: RecordingUpstream
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: tests break connections on purpose."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.server.upstream.connections += 1
        self.server.upstream.open_connections.add(self.connection)

    def finish(self) -> None:
        self.server.upstream.open_connections.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Says nothing: `RecordingUpstream.requests` is the log."""

    def handle_any(self) -> None:
        body = self._body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.upstream.answer(Recorded(self.command, self.path, headers, body))
        if reply.wait is not None:
            reply.wait.wait(60)
        if reply.reset:
            self._reset()
        else:
            self._send(reply, headers)

    def _reset(self) -> None:
        self.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def _send(self, reply: Reply, asked: Mapping[str, str]) -> None:
        body, headers = reply.body, dict(reply.headers)
        is_json = headers.get("Content-Type") == "application/json"
        if is_json and "gzip" in asked.get("accept-encoding", "") and not self.server.upstream.state.is_poor:
            body = gzip.compress(body)
            headers["Content-Encoding"] = "gzip"
        self.send_response_only(reply.status)
        if reply.status not in (204, 304):
            headers.setdefault("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD" and reply.status not in (204, 304):
            self.wfile.write(body if reply.cut is None else body[: reply.cut])
        if reply.cut is not None:
            self.close_connection = True

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815


def _everything(request: Recorded) -> str:
    headers = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
    body = gzip.decompress(request.body) if request.body.startswith(b"\x1f\x8b") else request.body
    return f"{unquote(request.path)}\n{headers}\n{body.decode('utf-8', 'replace')}"
