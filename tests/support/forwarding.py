"""A client of Forwarder under the layers that stand above it, between validators."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

from nproxy_mw.access import Grant, Principal
from nproxy_mw.http.context import Destination
from nproxy_mw.middleware.authenticate import Authenticate
from nproxy_mw.middleware.error_responses import ErrorResponses
from nproxy_mw.middleware.forwarder import Forwarder
from nproxy_mw.middleware.scope_router import ScopeRouter
from nproxy_mw.npm.routes import parse_route
from nproxy_mw.token_format import make_secret
from nproxy_mw.upstream.transport import Urllib3Transport
from support.layers import FixedSettings

BASE = "https://npm.acme.example/npm"
READS = ("/lodash", "/lodash/latest", "/lodash/-/lodash-1.0.0.tgz", "/-/package/lodash/dist-tags", "/-/npm/v1/keys")
ABBREVIATED = "application/vnd.npm.install-v1+json"
INTERNAL_TOKEN = make_secret()
ROUTED: Mapping[str, Any] = {
    "route": parse_route("/x"),
    "destination": Destination.UPSTREAM,
    "settings": FixedSettings(),
    "principal": Principal(),
}


class Tokens:
    """One token that may do everything."""

    def find(self, secret: str) -> Principal | None:
        return Principal(token_hash="0" * 64, grants=frozenset(Grant)) if secret == INTERNAL_TOKEN else None


@dataclass
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(gzip.decompress(self.body) if self.headers.get("Content-Encoding") == "gzip" else self.body)


class Client:
    """Asks a stack of the layers above Forwarder, Forwarder, and validators between them."""

    def __init__(self, upstream_url: str, app: Any = None, **options: Any) -> None:
        self.options = {"public_url": BASE, **options}
        settings = self.options.pop("settings", FixedSettings())
        transport = Urllib3Transport(upstream_url, read_timeout=60, allowed_origins=self.options.pop("origins", ()))
        layers = [partial(ScopeRouter, settings=settings), partial(Authenticate, tokens=Tokens()), ErrorResponses]
        self.app: Any = validator(Forwarder(app, transport=transport, **self.options))
        for layer in layers:
            self.app = layer(self.app)
        self.app = validator(self.app)

    def start(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[Response, Any]:
        path, _, query = path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": "application/json" if body else "",
            "wsgi.input": io.BytesIO(body),
        }
        setup_testing_defaults(environ)
        environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
        response = Response(0, {}, b"")

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
            response.status, response.headers = int(status[:3]), dict(headers)
            del response.headers["X-Request-Id"]  # another one each time
            return lambda data: None

        return response, self.app(environ, start_response)

    def ask(self, method: str, path: str, body: bytes | Any = b"", **headers: str) -> Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        if method in ("PUT", "DELETE"):
            headers = {"Authorization": "Bearer npm_upstream", **headers}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response, chunks = self.start(method, path, raw, named)
        try:
            response.body = b"".join(chunks)
        finally:
            chunks.close()
        return response

    def get(self, path: str, **headers: str) -> Response:
        return self.ask("GET", path, **headers)
