"""A web server on the loopback that answers as a test says, and remembers what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class Reply:
    """One answer. If *length* is given, it is announced in the place of the body's, and the connection ends.

    *before* is sent in front of it.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    before: bytes = b""


@dataclass
class ScriptedWeb:
    """What is at each path: bytes, a `Reply`, or a call that makes one of the request's body."""

    pages: dict[str, bytes | Reply | Callable[[bytes], Reply]] = field(default_factory=dict)
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    url: str = ""

    def reply(self, path: str, body: bytes) -> Reply:
        page = self.pages.get(path, Reply(b"no such page", 404))
        return Reply(page) if isinstance(page, bytes) else page if isinstance(page, Reply) else page(body)

    def count(self, path: str) -> int:
        """How often *path* was asked for."""
        return sum(asked == path for asked, _ in self.asked)


def as_json(value: Any, **how: Any) -> Reply:
    """A reply of JSON."""
    return Reply(json.dumps(value).encode(), **how)


@contextmanager
def scripted_web() -> Iterator[ScriptedWeb]:
    """Runs the server on a free port."""
    web = ScriptedWeb()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            web.asked.append((self.path, body))
            web.headers.append(dict(self.headers))
            reply = web.reply(self.path, body)
            self.wfile.write(reply.before)
            self.send_response(reply.status)
            length = len(reply.body) if reply.length is None else reply.length
            for name, value in {"Content-Length": str(length), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)
            self.close_connection = reply.length is not None

        do_GET = do_POST = answer  # noqa: N815 - the names that the library calls

        def log_message(self, *arguments: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        web.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield web
        finally:
            server.shutdown()
            thread.join()
