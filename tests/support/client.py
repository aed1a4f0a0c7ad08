"""A client for WSGI applications that looks at every answer as a hostile reviewer would."""

from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.validate import validator

from nproxy_mw.stack import Layer

HOST = "registry.example"
STREAMED = ("application/x-ndjson", "text/csv; charset=utf-8")
"""Types of bodies that are made while they are sent, so that nobody knows their length before."""
ABBREVIATED = "application/vnd.npm.install-v1+json"


@dataclass(frozen=True)
class Response:
    """One answer. Names of headers are in lower case; the request's id, another each time, stands apart from them."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    request_id: str = field(default="", compare=False)

    @property
    def json(self) -> Any:
        encoded = self.headers.get("content-encoding") == "gzip"
        return json.loads(gzip.decompress(self.body) if encoded else self.body)

    @property
    def error(self) -> str:
        return str(self.json["error"])

    @property
    def code(self) -> str:
        return str(self.json["code"])


class ChunkedInput(io.BytesIO):
    """The body of a chunked request, as servers hand it over: it ends by itself."""


@dataclass
class Client:
    """Asks *app*, between two of wsgiref's validators; *token* and *headers* go with each request."""

    app: Any
    token: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, Any] = field(default_factory=dict)

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        json: Any = None,
        query: str = "",
        chunked: bool = False,
        environ: Mapping[str, Any] | None = None,
        **headers: str,
    ) -> Response:
        """Asks for the percent-encoded *path*; underscores in the names of *headers* stand for dashes."""
        data = _encoded(json) if json is not None else body
        asked = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.7",
            "HTTP_HOST": HOST,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": ChunkedInput(data),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        if chunked:
            asked.update({"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True})
        elif data or method in ("PUT", "POST"):
            asked["CONTENT_LENGTH"] = str(len(data))
        if self.token:
            asked["HTTP_AUTHORIZATION"] = f"Bearer {self.token}"
        for name, value in {**self.headers, **headers}.items():
            asked["HTTP_" + name.upper().replace("-", "_")] = value
        asked.update({**self.environ, **(environ or {})})
        response = run(self.app, {name: value for name, value in asked.items() if value is not None})
        check(method, response)
        return response

    def get(self, path: str, **how: Any) -> Response:
        return self.ask("GET", path, **how)

    def head(self, path: str, **how: Any) -> Response:
        return self.ask("HEAD", path, **how)

    def put(self, path: str, json: Any = None, **how: Any) -> Response:
        return self.ask("PUT", path, json=json, **how)

    def delete(self, path: str, **how: Any) -> Response:
        return self.ask("DELETE", path, **how)

    def post(self, path: str, json: Any = None, **how: Any) -> Response:
        return self.ask("POST", path, json=json, **how)


def run(app: Any, environ: dict[str, Any]) -> Response:
    """One request through *app*, its iterable closed as a server closes it."""
    answer: list[Any] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        answer[:] = [status, headers]
        return written.append

    iterable: Iterable[bytes] = validator(app)(environ, start_response)
    try:
        body = b"".join(iterable)
    finally:
        close = getattr(iterable, "close", None)
        if close is not None:
            close()
    status, headers = answer
    names = [name.lower() for name, _ in headers]
    assert len(names) == len(set(names)), "a header stands there twice"
    by_name = {name.lower(): value for name, value in headers}
    request_id = by_name.pop("x-request-id", "")
    return Response(int(status.split()[0]), by_name, b"".join(written) + body, request_id)


def check(method: str, response: Response) -> None:
    """What holds for every answer, whatever was asked."""
    headers, body = response.headers, response.body
    assert "connection" not in headers
    assert all(value.isprintable() for value in headers.values())
    if method == "HEAD" or response.status in (204, 304):
        assert body == b""
    elif headers.get("content-type") not in STREAMED:
        assert len(body) == int(headers["content-length"])
    if method == "HEAD" or response.status == 304:
        return
    if response.status >= 400:
        document = response.json
        assert headers["content-type"] == "application/json"
        assert isinstance(document["error"], str)
        assert document["error"].endswith((".", "npmrc."))
        assert document["code"]
        assert document["requestId"] == response.request_id
    elif headers.get("content-type") == "application/json":
        document = response.json
        assert not isinstance(document, dict) or "error" not in document


def validated(layers: Iterable[Layer], on: Any) -> Any:
    """*layers* on *on*, with a validator outside, inside and between each two of them."""
    app = validator(on)
    for layer in reversed(list(layers)):
        app = validator(layer(app))
    return app


def _encoded(value: Any) -> bytes:
    return json.dumps(value).encode()
