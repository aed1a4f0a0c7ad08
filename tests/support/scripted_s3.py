"""A bucket in memory behind HTTP that fails as it is told, request by request."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Bucket(ThreadingHTTPServer):
    """The state of the engine. Each request takes the next word of *script*, or none:

    a status and code such as ``503 SlowDown`` is answered, and nothing done; ``drop`` closes the connection before
    anything is done; ``lose`` closes it after.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.script: list[str] = []
        self.objects: dict[str, tuple[bytes, str]] = {}  # data, and the word of the write
        self.seen: list[str] = []
        self.headers: list[dict[str, str]] = []  # of each request

    def reset(self) -> None:
        self.script.clear()
        self.objects.clear()
        self.seen.clear()
        self.headers.clear()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    """One connection to a `Bucket`."""

    protocol_version = "HTTP/1.1"
    server: Bucket

    def do_GET(self) -> None:
        self.serve()

    def do_HEAD(self) -> None:
        self.serve()

    def do_PUT(self) -> None:
        self.serve()

    def do_DELETE(self) -> None:
        self.serve()

    def log_message(self, *_: object) -> None:
        pass

    def serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append(self.command)
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        word = self.server.script.pop(0) if self.server.script else ""
        if word == "drop":
            self.close_connection = True
        elif word[:1].isdigit():
            status, _, code = word.partition(" ")
            self.say(int(status), f"<Error><Code>{code}</Code><Message>testsecret123</Message></Error>".encode())
        else:
            answer = self.carry_out(body)
            if word == "lose":
                self.close_connection = True
            else:
                self.say(*answer)

    def carry_out(self, body: bytes) -> tuple[int, bytes]:
        found = self.server.objects.get(self.path)
        etag = etag_of(found[0]) if found else None
        wanted = self.headers.get("If-Match")
        if (wanted and wanted != etag) or (self.headers.get("If-None-Match") == "*" and found):
            return 412, b""
        if self.command == "PUT":
            self.server.objects[self.path] = (body, self.headers["x-amz-meta-nproxy-write"])
        elif found is None:
            return 404, b""
        elif self.command == "DELETE":
            del self.server.objects[self.path]
            return 204, b""
        elif self.headers.get("If-None-Match") == etag:
            return 304, b""
        return 200, b"" if self.command == "PUT" else found[0] if found else b""

    def say(self, status: int, body: bytes) -> None:
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        total = len(body)
        if span and status == 200:
            status, body = 206, body[int(span[1]) : int(span[2]) + 1]
        self.send_response(status)
        if status in (200, 206) and self.path in self.server.objects:
            data, word = self.server.objects[self.path]
            self.send_header("ETag", etag_of(data))
            self.send_header("x-amz-meta-nproxy-write", word)
        if span:
            self.send_header("Content-Range", f"bytes {span[1]}-{int(span[1]) + len(body) - 1}/{total}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def etag_of(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'  # noqa: S324 - S3's own


@contextmanager
def scripted_bucket() -> Iterator[Bucket]:
    """Runs an empty bucket for a ``with`` block."""
    with Bucket() as bucket:
        thread = Thread(target=bucket.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield bucket
        finally:
            bucket.shutdown()
            thread.join()
