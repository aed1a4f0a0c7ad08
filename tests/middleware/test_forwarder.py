"""Forwarder, between two validators and in front of a real upstream: what goes up, what comes down."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import logging
import socket
import tracemalloc
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from threading import Event, Thread
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from support.layers import FixedSettings, with_context

from nproxy_mw.access import Grant, Principal
from nproxy_mw.errors import MissingLayer, UpstreamUnavailable
from nproxy_mw.http.context import Destination
from nproxy_mw.middleware.authenticate import Authenticate
from nproxy_mw.middleware.error_responses import ErrorResponses
from nproxy_mw.middleware.forwarder import Forwarder
from nproxy_mw.middleware.scope_router import ScopeRouter
from nproxy_mw.npm.routes import parse_route
from nproxy_mw.testing.documents import publish_document
from nproxy_mw.testing.upstream import RecordingUpstream, Reply, json_reply
from nproxy_mw.token_format import make_secret
from nproxy_mw.upstream.responses import Headers, UpstreamResponse
from nproxy_mw.upstream.transport import Body, Urllib3Transport

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
        transport = Urllib3Transport(upstream_url, read_timeout=5, allowed_origins=self.options.pop("origins", ()))
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


@pytest.fixture
def upstream() -> Iterator[RecordingUpstream]:
    with RecordingUpstream() as running:
        yield running


@pytest.fixture
def poor() -> Iterator[RecordingUpstream]:
    with RecordingUpstream(is_poor=True) as running:
        yield running


@pytest.fixture
def client(upstream: RecordingUpstream) -> Client:
    return Client(upstream.url)


def bare(app: Any, environ: Mapping[str, Any]) -> Any:
    full: dict[str, Any] = dict(environ)
    setup_testing_defaults(full)
    return app(full, lambda *_: None)


# What the layer stands on


@pytest.mark.parametrize("missing", ["route", "destination", "settings", "principal"])
def test_missing_layers_are_loud(upstream: RecordingUpstream, missing: str) -> None:
    """Without one of the facts it needs, the layer is an error that names the cure, never an open door."""
    with pytest.raises(MissingLayer, match=rf"found no {missing}: put \w+ outside Forwarder"):
        bare(Forwarder(transport=Urllib3Transport(upstream.url)), with_context({}, **{**ROUTED, missing: None}))
    assert upstream.requests == []


@pytest.mark.parametrize("mark", [Destination.INTERNAL, Destination.UPSTREAM])
def test_internal_package_is_refused_whatever_the_order(upstream: RecordingUpstream, mark: Destination) -> None:
    """The second wall: marked internal, or under an internal scope and marked wrongly."""
    environ = with_context({}, **{**ROUTED, "route": parse_route("/@acme/x"), "destination": mark})
    with pytest.raises(MissingLayer, match="put InternalStore outside Forwarder"):
        bare(Forwarder(transport=Urllib3Transport(upstream.url)), environ)
    assert upstream.requests == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"])
@pytest.mark.parametrize(
    "path",
    [
        "/@acme/x",
        "/@acme%2fx",
        "/@acme/x/latest",
        "/@acme/x/-/x-1.0.0.tgz",
        "/@acme/x/-/x-1.0.0.tgz/-rev/1",
        "/@acme/x/-rev/1",
        "/-/package/@acme/x/dist-tags",
        "/-/package/@acme/x/dist-tags/beta",
        "/-/package/@acme/x/collaborators",
        "/-/npm/v1/attestations/@acme/x@1.0.0",
        "/@acme/x/y/z",
        "/-/v1/search?text=@acme/x",
        "/-/user/org.couchdb.user:@acme",
    ],
)
def test_nothing_internal_reaches_the_upstream(upstream: RecordingUpstream, path: str, method: str) -> None:
    """Every route and verb: zero requests, even with InternalStore forgotten."""
    logging.disable(logging.ERROR)
    try:
        response = Client(upstream.url).ask(method, path)
    finally:
        logging.disable(logging.NOTSET)
    assert response.status >= 400
    assert upstream.requests == []


@pytest.mark.parametrize(
    "path",
    [
        "/-/ping",
        "/-/whoami",
        "/-/v1/search",
        "/-/v1/login",
        "/-/npm/v1/user",
        "/-/npm/v1/tokens",
        "/-/user/token/x",
        "/-/user/org.couchdb.user:alice",
        "/-/org/acme/package",
        "/-/package/lodash/collaborators",
        "/-/npm/v1/oidc/token/exchange/package/lodash",
        "/-/stage/package/lodash",
        "/-/anything",
        "/lodash/a/b",
        "/",
    ],
)
def test_what_is_not_in_the_table_is_not_forwarded(upstream: RecordingUpstream, client: Client, path: str) -> None:
    """Deny by default: 404 with a sentence, as clients take an absent endpoint best."""
    for method in ("GET", "POST", "PUT"):
        response = client.ask(method, path)
        assert (response.status, response.json["code"]) == (404, "not-found")
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/lodash", "GET, HEAD, PUT"),
        ("DELETE", "/lodash", "GET, HEAD, PUT"),
        ("PUT", "/lodash/-/lodash-1.0.0.tgz", "GET, HEAD"),
        ("GET", "/lodash/-rev/1", "PUT, DELETE"),
        ("GET", "/-/npm/v1/security/advisories/bulk", "POST"),
        ("PATCH", "/lodash/latest", "GET, HEAD"),
    ],
)
def test_other_verbs_are_405(upstream: RecordingUpstream, client: Client, method: str, path: str, allow: str) -> None:
    """And Allow names those that are offered."""
    response = client.ask(method, path)
    assert (response.status, response.headers["Allow"]) == (405, allow)
    assert upstream.requests == []


def test_host_application_gets_the_root_alone(upstream: RecordingUpstream) -> None:
    """A page of the host's own can stand at the registry's root; no package path ever reaches it."""

    def host(environ: Mapping[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
        return [b"hello"]

    client = Client(upstream.url, app=host)
    assert client.get("/").body == b"hello"
    assert client.get("/-/about").status == 404
    assert client.get("/about").status == 404


# Packuments


def test_packument_points_at_us_and_keeps_what_is_unknown(upstream: RecordingUpstream, client: Client) -> None:
    """Tarballs and attestations are ours, signatures and publishers pass, the upstream's address is nowhere."""
    extra = {
        "_npmUser": {"name": "jdalton"},
        "x-unknown": [1, {"deep": f"see {upstream.url}/lodash"}],
        "dist": {
            "tarball": "https://files.example/whatever.tgz",
            "signatures": [{"keyid": "SHA256:x", "sig": "y"}],
            "attestations": {"url": f"{upstream.url}/-/npm/v1/attestations/@types%2fnode@1.0.0", "provenance": {}},
        },
    }
    upstream.publish("@types/node", "1.0.0", extra)
    response = client.get("/@types/node")
    manifest = response.json["versions"]["1.0.0"]
    assert response.status == 200
    assert manifest["dist"] == {
        "tarball": f"{BASE}/@types/node/-/node-1.0.0.tgz",
        "signatures": [{"keyid": "SHA256:x", "sig": "y"}],
        "attestations": {"url": f"{BASE}/-/npm/v1/attestations/@types/node@1.0.0", "provenance": {}},
    }
    assert manifest["_npmUser"] == {"name": "jdalton"}
    assert manifest["x-unknown"] == [1, {"deep": f"see {BASE}/lodash"}]
    assert upstream.url.encode() not in response.body
    assert upstream.requests[0].path.lower() == "/@types%2fnode"


def test_abbreviated_form_is_derived_from_the_full_one(upstream: RecordingUpstream, client: Client) -> None:
    """The upstream is always asked for the full form; the short one carries time and hasInstallScript too."""
    upstream.publish("lodash", "1.0.0", {"scripts": {"install": "x"}, "readme": "long"})
    accept = f"{ABBREVIATED}; q=1.0, application/json; q=0.8, */*"
    response = client.get("/lodash", Accept=accept)
    assert response.headers["Content-Type"] == ABBREVIATED
    assert response.json["versions"]["1.0.0"]["hasInstallScript"] is True
    assert response.json["time"]["1.0.0"]
    assert "readme" not in response.json["versions"]["1.0.0"]
    assert upstream.requests[0].headers["accept"] == "application/json"


def test_every_representation_has_its_own_etag(upstream: RecordingUpstream, client: Client) -> None:
    """Form, encoding and base URL each make another; asking again with it is a 304."""
    upstream.publish("lodash", "1.0.0", {"description": "x" * 5000})
    elsewhere = Client(upstream.url, public_url=None)
    seen = set()
    for asking in (client, elsewhere):
        for accept in ("*/*", ABBREVIATED):
            for encoding in ("identity", "gzip"):
                headers = {"Accept": accept, "Accept-Encoding": encoding}
                response = asking.get("/lodash", **headers)
                etag = response.headers["ETag"]
                seen.add(etag)
                assert (response.headers.get("Content-Encoding") == "gzip") is (encoding == "gzip" and accept == "*/*")
                assert "Accept-Encoding" in response.headers["Vary"]
                assert response.headers["Cache-Control"] == "private, no-cache"
                again = asking.get("/lodash", **headers, If_None_Match=f'"x", {etag}')
                assert (again.status, again.headers["ETag"], again.body) == (304, etag, b"")
                assert asking.get("/lodash", **headers, If_None_Match='"other"').status == 200
    assert len(seen) == 6  # the short forms are too short to be worth gzip


def test_head_is_get_without_a_body(upstream: RecordingUpstream, client: Client) -> None:
    """The same headers, Content-Length included."""
    upstream.publish("lodash", "1.0.0")
    get, head = client.get("/lodash"), client.ask("HEAD", "/lodash")
    assert (head.status, head.body, head.headers) == (200, b"", get.headers)


@pytest.mark.parametrize("wanted", ["1.0.0", "latest", "next"])
def test_manifest_is_found_by_version_and_by_tag(poor: RecordingUpstream, wanted: str) -> None:
    """Also where the upstream knows packuments alone."""
    poor.publish("lodash", "1.0.0", tag="next")
    poor.publish("lodash", "1.0.0")
    client = Client(poor.url)
    assert client.get(f"/lodash/{wanted}").json["dist"]["tarball"] == f"{BASE}/lodash/-/lodash-1.0.0.tgz"
    assert client.get("/lodash/9.9.9").status == 404
    assert client.get("/lodash/9.9.9").json["error"].endswith(".")


@pytest.mark.parametrize("is_poor", [False, True])
def test_dist_tags_come_from_the_packument_where_need_be(is_poor: bool) -> None:
    """A mirror without that route still has tags."""
    with RecordingUpstream(is_poor=is_poor) as upstream:
        upstream.publish("lodash", "1.0.0")
        client = Client(upstream.url)
        assert client.get("/-/package/lodash/dist-tags").json == {"latest": "1.0.0"}
        assert client.get("/-/package/absent/dist-tags").status == 404


def test_poorest_mirror_is_enough(poor: RecordingUpstream) -> None:
    """Packument in both forms, version, tarball: all an install needs."""
    data = poor.publish("lodash", "1.0.0")
    client = Client(poor.url)
    for accept in ("*/*", ABBREVIATED):
        document = client.get("/lodash", Accept=accept).json
        assert document["dist-tags"] == {"latest": "1.0.0"}
    tarball = client.get("/lodash/-/lodash-1.0.0.tgz", Range="bytes=0-1")
    assert (tarball.status, tarball.body) == (200, data)


def test_write_query_goes_up_and_no_other(upstream: RecordingUpstream, client: Client) -> None:
    """npm asks past caches before it changes a packument; whatever else a query holds may be a secret."""
    upstream.publish("lodash", "1.0.0")
    client.get(f"/lodash?write=true&token={INTERNAL_TOKEN}")
    client.get("/lodash?t=@acme/x")
    assert [request.path for request in upstream.requests] == ["/lodash?write=true", "/lodash"]


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        pytest.param(Reply(404), 404, "not-found", id="404"),
        pytest.param(Reply(410), 404, "not-found", id="410"),
        pytest.param(Reply(401), 502, "upstream-unavailable", id="401"),
        pytest.param(Reply(403), 403, "upstream-refused", id="403"),
        pytest.param(Reply(451), 403, "upstream-refused", id="451"),
        pytest.param(Reply(429, headers={"Retry-After": "17"}), 503, "upstream-busy", id="429"),
        pytest.param(Reply(503, b"<html>"), 503, "upstream-busy", id="503"),
        pytest.param(Reply(500, b"<html>"), 502, "upstream-unavailable", id="500"),
        pytest.param(Reply(204), 502, "upstream-unavailable", id="204"),
        pytest.param(Reply(200, b"<html>"), 502, "upstream-unavailable", id="HTML"),
        pytest.param(Reply(200, b"[]"), 502, "upstream-unavailable", id="no object"),
        pytest.param(Reply(200, b"{}", {"Content-Length": "9"}, cut=2), 502, "upstream-unavailable", id="cut"),
        pytest.param(Reply(302, headers={"Location": "http://evil.example/"}), 502, "upstream-unavailable", id="302"),
        pytest.param(json_reply({"name": "is-odd", "versions": {}}), 502, "upstream-unavailable", id="other package"),
    ],
)
def test_upstream_failures_are_sentences(
    upstream: RecordingUpstream, client: Client, reply: Reply, status: int, code: str
) -> None:
    """Never an upstream's HTML, never its name, and 404 only when it says so."""
    upstream.on("GET", "/lodash", reply)
    response = client.get("/lodash")
    assert (response.status, response.json["code"]) == (status, code)
    assert "127.0.0.1" not in response.json["error"]
    if status == 503:
        assert response.headers["Retry-After"] in {"1", "17"}


def test_upstream_that_is_down_is_502_everywhere() -> None:
    """npm believes a 404; it must not be told one."""
    with RecordingUpstream() as gone:
        client = Client(gone.url)
    for path in READS:
        assert client.get(path).status == 502
    assert client.ask("PUT", "/lodash", {}).status == 502


def test_slow_upstream_is_504(upstream: RecordingUpstream) -> None:
    """The client is told which side was slow."""
    upstream.on("GET", "/lodash", Reply(wait=Event()))
    transport = Urllib3Transport(upstream.url, read_timeout=0.05)
    forwarder = Forwarder(transport=transport, public_url=BASE)
    app: Any = ErrorResponses(Authenticate(ScopeRouter(forwarder, settings=FixedSettings()), tokens=Tokens()))
    client = Client(upstream.url)
    client.app = validator(app)
    assert client.get("/lodash").status == 504


def test_no_request_header_but_the_needed_ones_goes_up(upstream: RecordingUpstream, client: Client) -> None:
    """Cookies, referrers, sessions and forwarding headers say things that are not the upstream's business."""
    upstream.publish("lodash", "1.0.0")
    names = (
        "Cookie Referer X_Forwarded_For X_Forwarded_Host Forwarded npm_session npm_scope Via Origin User_Agent TE "
        "Connection Proxy_Authorization npm_otp pacote_pkg_id X_Api_Key"
    )
    noise = dict.fromkeys(names.split(), "secret-noise")
    for path in READS:
        for method in ("GET", "HEAD"):
            client.ask(method, path, **noise, Authorization="Bearer npm_x")
    assert len(upstream.requests) == 10
    assert upstream.asked("secret-noise") == []
    assert upstream.asked("npm_x") == []


# Tarballs


def test_tarball_is_passed_as_it_is(upstream: RecordingUpstream, client: Client) -> None:
    """Bytes, length and validators, in a wrapping that no browser runs."""
    data = upstream.publish("@types/node", "1.0.0")
    response = client.get("/@types/node/-/node-1.0.0.tgz", Accept_Encoding="gzip")
    assert (response.status, response.body) == (200, data)
    assert response.headers["Content-Length"] == str(len(data))
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"].startswith("private")
    assert "Content-Encoding" not in response.headers
    assert [request.path for request in upstream.requests] == ["/@types/node/-/node-1.0.0.tgz"]
    head = client.ask("HEAD", "/@types/node/-/node-1.0.0.tgz")
    assert (head.status, head.body, head.headers) == (200, b"", response.headers)


@pytest.mark.parametrize("status", [405, 501])
def test_head_works_where_the_upstream_knows_none(upstream: RecordingUpstream, client: Client, status: int) -> None:
    """The tarball is asked for, and its body left alone."""
    data = upstream.publish("lodash", "1.0.0")
    upstream.on("HEAD", "/lodash/-/lodash-1.0.0.tgz", Reply(status))
    head = client.ask("HEAD", "/lodash/-/lodash-1.0.0.tgz")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(data)))


def test_tarball_ranges_and_conditions_go_up(upstream: RecordingUpstream, client: Client) -> None:
    """One range; several would come back in an envelope."""
    data = upstream.publish("lodash", "1.0.0")
    path = "/lodash/-/lodash-1.0.0.tgz"
    part = client.get(path, Range="bytes=2-5")
    assert (part.status, part.body, part.headers["Content-Range"]) == (206, data[2:6], f"bytes 2-5/{len(data)}")
    assert client.get(path, Range="bytes=0-1,4-5").status == 200
    beyond = client.get(path, Range="bytes=999999-")
    assert (beyond.status, beyond.json["code"]) == (416, "invalid-range")
    upstream.on("GET", path, Reply(304, headers={"ETag": '"x"'}))
    assert client.get(path, If_None_Match='"x"').status == 304
    assert upstream.requests[-1].headers["if-none-match"] == '"x"'


def test_tarball_at_an_unusual_place_is_found_by_the_packument(upstream: RecordingUpstream, client: Client) -> None:
    """Our URLs are conventional; where the upstream's are not, its packument is asked."""
    data = b"\x1f\x8bunusual"
    upstream.publish("lodash", "1.0.0", {"dist": {"tarball": f"{upstream.url}/files/abc.tgz"}})
    upstream.state.tarballs = {"/files/abc.tgz": data}
    assert client.get("/lodash/-/lodash-1.0.0.tgz").body == data
    for absent in ("/lodash/-/lodash-9.9.9.tgz", "/lodash/-/other-1.0.0.tgz", "/absent/-/absent-1.0.0.tgz"):
        assert client.get(absent).status == 404


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]:22/",
        "file:///etc/passwd",
        "http://127.0.0.1:1/x.tgz",
        "http://localhost/x.tgz",
        "//evil.example/x.tgz",
    ],
)
def test_tarball_at_a_foreign_place_is_502(upstream: RecordingUpstream, client: Client, url: str) -> None:
    """A packument does not decide where this server connects to."""
    upstream.publish("lodash", "1.0.0", {"dist": {"tarball": url}})
    upstream.state.tarballs = {}
    response = client.get("/lodash/-/lodash-1.0.0.tgz")
    assert (response.status, response.json["code"]) == (502, "upstream-unavailable")
    assert url not in response.json["error"]


def test_tarball_at_an_allowed_origin_is_fetched_without_credentials(upstream: RecordingUpstream) -> None:
    """Some registries keep their files at another host."""
    with RecordingUpstream() as files:
        data = files.publish("lodash", "1.0.0")
        upstream.publish("lodash", "1.0.0", {"dist": {"tarball": f"{files.url}/lodash/-/lodash-1.0.0.tgz"}})
        upstream.state.tarballs = {}
        client = Client(upstream.url.replace("//", "//user:secret@"), origins=[files.url])
        assert client.get("/lodash/-/lodash-1.0.0.tgz", Authorization="Bearer npm_x").body == data
        assert "authorization" not in files.requests[0].headers
        assert all(request.headers["authorization"].startswith("Basic") for request in upstream.requests)


@pytest.mark.parametrize("announced", ["1000", "99999999"])
def test_tarball_that_ends_too_early_never_looks_complete(upstream: RecordingUpstream, announced: str) -> None:
    """The error reaches the server, which then breaks the connection instead of ending the answer."""
    upstream.on("GET", "/lodash/-/lodash-1.0.0.tgz", Reply(200, b"x" * 500, {"Content-Length": announced}, cut=500))
    response, chunks = Client(upstream.url).start("GET", "/lodash/-/lodash-1.0.0.tgz", b"", {})
    with pytest.raises(UpstreamUnavailable):
        list(chunks)
    chunks.close()
    assert response.headers["Content-Length"] == announced


def test_client_that_goes_away_gives_the_connection_back(upstream: RecordingUpstream, client: Client) -> None:
    """close() reaches the upstream's answer: the next request works, and no answer stays open."""
    upstream.on("GET", "/lodash/-/lodash-1.0.0.tgz", Reply(200, b"x" * 2**22))
    for _ in range(3):
        _, chunks = client.start("GET", "/lodash/-/lodash-1.0.0.tgz", b"", {})
        next(iter(chunks))
        chunks.close()
    assert client.get("/lodash/-/lodash-1.0.0.tgz").status == 200


def test_tarball_failures_are_sentences(upstream: RecordingUpstream, client: Client) -> None:
    """A refusal of the upstream is JSON with a sentence, and never an upstream's page with status 200."""
    for status, expected in ((500, 502), (403, 403), (429, 503), (206, 206), (201, 502)):
        upstream.on("GET", "/lodash/-/lodash-1.0.0.tgz", Reply(status, b"<html>"))
        assert client.get("/lodash/-/lodash-1.0.0.tgz").status == expected
    upstream.on("GET", "/lodash/-/lodash-1.0.0.tgz", Reply(200, b"<html>", {"Content-Type": "text/html; charset=x"}))
    assert client.get("/lodash/-/lodash-1.0.0.tgz").status == 502


def document(size: int, beginning: bytes = b'{"_id":"lodash"') -> bytes:
    """A document of so many bytes that is put to the upstream."""
    end = b"]" if beginning.startswith(b"[") else b"}"
    return beginning + end.rjust(max(size - len(beginning), 1))


def test_response_headers_are_an_allow_list(upstream: RecordingUpstream, client: Client) -> None:
    """Cookies, redirects, server names and whatever else the upstream says of itself stay behind."""
    noise = dict.fromkeys(("Set-Cookie", "Server", "Link", "Location", "Via", "X-Served-By"), "http://upstream.example")
    upstream.on("GET", "/lodash/-/lodash-1.0.0.tgz", Reply(200, b"x", {**noise, "Connection": "x", "ETag": "\x7f"}))
    upstream.on("GET", "/lodash", json_reply({"versions": {}}, **noise))
    upstream.on("PUT", "/lodash", json_reply({}, 201, **noise, npm_notice="\x01"))
    for method, path in (("GET", "/lodash/-/lodash-1.0.0.tgz"), ("GET", "/lodash"), ("PUT", "/lodash")):
        response = client.ask(method, path, document(100) if method == "PUT" else b"")
        assert response.status in (200, 201)
        assert "upstream.example" not in str(response.headers)
        assert "\x7f" not in str(response.headers)
        assert "npm-notice" not in response.headers


# Writes


def test_publish_goes_up_with_the_clients_token(upstream: RecordingUpstream, client: Client) -> None:
    """The body as it came, the token to the upstream alone; the answer comes back without `error`."""
    document = publish_document("lodash", "1.0.0")
    response = client.ask("PUT", "/lodash", document, Authorization="Bearer npm_upstream", npm_otp="123456")
    assert response.status == 201
    assert "error" not in response.json
    sent = upstream.requests[0]
    assert json.loads(sent.body) == document
    assert sent.headers["authorization"] == "Bearer npm_upstream"
    assert (sent.headers["npm-otp"], sent.headers["content-length"]) == ("123456", str(len(sent.body)))
    assert client.get("/lodash").json["dist-tags"] == {"latest": "1.0.0"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/@types/node"),
        ("PUT", "/@types/node/-rev/1-a"),
        ("DELETE", "/@types/node/-rev/1-a"),
        ("DELETE", "/@types/node/-/node-1.0.0.tgz/-rev/1-a"),
        ("PUT", "/-/package/@types/node/dist-tags/next"),
        ("DELETE", "/-/package/@types/node/dist-tags/next"),
    ],
)
def test_writes_go_up(upstream: RecordingUpstream, client: Client, method: str, path: str) -> None:
    """Publish, deprecate, tag and unpublish, each to the path rebuilt from its meaning."""
    body = {"versions": {}} if method == "PUT" else b""
    response = client.ask(method, path, body, Authorization="Bearer npm_upstream")
    assert response.status in (200, 201)
    sent = upstream.requests[0]
    assert (sent.method, sent.path.lower().replace("%2f", "/")) == (method, path)
    assert sent.headers["authorization"] == "Bearer npm_upstream"


TOKEN_IN_BASIC = base64.b64encode(f"alice:{INTERNAL_TOKEN}".encode()).decode()
HIDDEN_TOKEN = base64.b64encode(INTERNAL_TOKEN.encode()).decode()
TOKEN_AS_USER = base64.b64encode(f"{INTERNAL_TOKEN}:".encode()).decode()


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Authorization": f"Bearer {INTERNAL_TOKEN}"}, id="bearer"),
        pytest.param({"Authorization": f"bearer   {INTERNAL_TOKEN}"}, id="bearer, spaced"),
        pytest.param({"Authorization": f"Basic {TOKEN_IN_BASIC}"}, id="basic, password"),
        pytest.param({"Authorization": f"Basic {TOKEN_AS_USER}"}, id="basic, user"),
        pytest.param({"Authorization": INTERNAL_TOKEN}, id="bare"),
        pytest.param({"Authorization": f"Token {INTERNAL_TOKEN}"}, id="another scheme"),
        pytest.param({"Cookie": f"token={INTERNAL_TOKEN}"}, id="cookie"),
        pytest.param({"npm_otp": INTERNAL_TOKEN}, id="one-time password"),
        pytest.param({"npm_otp": HIDDEN_TOKEN}, id="one-time password in base64"),
        pytest.param({"npm_otp": f"123,x{HIDDEN_TOKEN}"}, id="behind another text"),
        pytest.param({"npm_command": INTERNAL_TOKEN}, id="command"),
        pytest.param({"npm_command": INTERNAL_TOKEN.replace("_", "%5f")}, id="percent-encoded"),
        pytest.param({"Authorization": f"Bearer npm_abcde, Basic {TOKEN_IN_BASIC}"}, id="two headers joined"),
        pytest.param({"Authorization": f"Bearer {HIDDEN_TOKEN}"}, id="bearer in base64"),
        pytest.param({"X_Authorization": INTERNAL_TOKEN}, id="header of another name"),
        pytest.param({"If_None_Match": INTERNAL_TOKEN}, id="condition"),
    ],
)
def test_our_tokens_never_go_up(upstream: RecordingUpstream, client: Client, headers: dict[str, str]) -> None:
    """Not with a publish, not with a read, in no header, query or body, plain or in base64."""
    upstream.publish("lodash", "1.0.0")
    for method, path in (
        ("PUT", "/lodash"),
        ("DELETE", "/lodash/-rev/1"),
        ("GET", f"/lodash?t={INTERNAL_TOKEN}"),
        ("GET", "/lodash/-/lodash-1.0.0.tgz"),
        ("HEAD", "/lodash"),
        ("GET", "/-/npm/v1/keys"),
    ):
        client.ask(method, path, **headers)
    for secret in ("nproxy_", TOKEN_IN_BASIC, TOKEN_AS_USER, HIDDEN_TOKEN):
        assert upstream.asked(secret) == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("PUT", "/@acmee/x", id="publish under a mistyped scope"),
        pytest.param("PUT", "/utils", id="publish without a scope"),
        pytest.param("PUT", "/utils/-rev/1-a", id="unpublish a version"),
        pytest.param("DELETE", "/utils/-rev/1-a", id="unpublish"),
        pytest.param("DELETE", "/utils/-/utils-1.0.0.tgz/-rev/1-a", id="unpublish a tarball"),
        pytest.param("PUT", "/-/package/utils/dist-tags/next", id="tag"),
        pytest.param("DELETE", "/-/package/utils/dist-tags/next", id="untag"),
    ],
)
@pytest.mark.parametrize("authorization", ["", f"Bearer {INTERNAL_TOKEN}"], ids=["no token", "our token"])
def test_write_without_the_upstreams_token_stays_here(
    upstream: RecordingUpstream, client: Client, method: str, path: str, authorization: str
) -> None:
    """A private tarball under a mistyped name is sent to nobody; the sentence names the scope that was meant."""
    document = publish_document("@acmee/x", "1.0.0")
    response = client.ask(method, path, document if method == "PUT" else b"", Authorization=authorization)
    assert (response.status, response.json["code"]) == (401, "no-upstream-token")
    assert "the internal scopes of this organization are @acme." in response.json["error"]
    assert response.headers["npm-notice"] == response.json["error"]
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("scopes", "words"),
    [
        pytest.param([], "no internal scopes yet.", id="none"),
        pytest.param(["@b", "@a"], "are @a, @b.", id="two"),
        pytest.param([f"@s{n:03}" for n in range(100)], "@s008, @s009 and 90 more.", id="many"),
    ],
)
def test_refused_write_names_the_scopes(upstream: RecordingUpstream, scopes: list[str], words: str) -> None:
    """As many as one reads in a sentence."""
    client = Client(upstream.url, settings=FixedSettings(scopes))
    assert client.ask("PUT", "/utils", {}, Authorization="").json["error"].endswith(words)


@pytest.mark.parametrize(
    ("reply", "status", "sentence"),
    [
        pytest.param(json_reply({"error": "Too old."}, 403), 403, "Too old.", id="error"),
        pytest.param(json_reply({"message": "Too new."}, 409), 409, "Too new.", id="message"),
        pytest.param(json_reply({"error": {"a": 1}, "reason": "Odd."}, 422), 422, "Odd.", id="reason"),
        pytest.param(json_reply(["x"], 402), 402, "The upstream registry refused this with 402.", id="no object"),
        pytest.param(Reply(400, b"<html>no</html>"), 400, "The upstream registry refused this with 400.", id="HTML"),
        pytest.param(Reply(404, b""), 404, "The upstream registry refused this with 404.", id="empty"),
        pytest.param(Reply(499, b""), 400, "The upstream registry refused this with 499.", id="unknown status"),
    ],
)
def test_refused_writes_have_a_sentence(
    upstream: RecordingUpstream, client: Client, reply: Reply, status: int, sentence: str
) -> None:
    """A string `error`, always: without it yarn classic prints success."""
    upstream.on("PUT", "/lodash", reply)
    response = client.ask("PUT", "/lodash", {})
    assert (response.status, response.json["error"]) == (status, sentence)
    assert response.json["requestId"]


@pytest.mark.parametrize(("status", "expected"), [(429, 503), (503, 503), (500, 502), (504, 502), (304, 502)])
def test_failed_writes_are_not_relayed(upstream: RecordingUpstream, client: Client, status: int, expected: int) -> None:
    """The upstream's own failure is ours to explain, with the wait it asked for."""
    upstream.on("PUT", "/lodash", Reply(status, b"<html>", {"Retry-After": "7"}))
    response = client.ask("PUT", "/lodash", {})
    assert response.status == expected
    assert response.headers.get("Retry-After") == ("7" if expected == 503 else None)


@pytest.mark.parametrize("body", [b'{"error": "no", "ok": true}', b"", b"created", b"[1]"])
def test_successful_writes_never_say_error(upstream: RecordingUpstream, client: Client, body: bytes) -> None:
    """yarn classic takes a 2xx with `error` for a failure; other clients want JSON."""
    upstream.on("PUT", "/lodash", Reply(201, body))
    response = client.ask("PUT", "/lodash", {})
    assert response.status == 201
    assert "error" not in response.json


def test_no_content_is_relayed_as_such(upstream: RecordingUpstream, client: Client) -> None:
    """204 has neither body nor type."""
    upstream.on("DELETE", "/lodash/-rev/1", Reply(204))
    response = client.ask("DELETE", "/lodash/-rev/1")
    assert (response.status, response.body) == (204, b"")


def test_one_time_password_challenge_comes_down(upstream: RecordingUpstream, client: Client) -> None:
    """npm asks its user for the code when it sees the challenge."""
    challenge = json_reply({"error": "otp"}, 401, WWW_Authenticate="OTP", npm_notice=f"See {upstream.url}/help")
    upstream.on("PUT", "/lodash", challenge)
    response = client.ask("PUT", "/lodash", {}, Authorization="Bearer npm_x")
    assert (response.status, response.headers["WWW-Authenticate"]) == (401, "OTP")
    assert response.headers["npm-notice"] == f"See {BASE}/help"


def test_packument_that_comes_back_names_the_upstream_again(upstream: RecordingUpstream, client: Client) -> None:
    """To deprecate a version, npm sends the packument it was given: our address is not the upstream's business."""
    upstream.publish("lodash", "1.0.0", {"homepage": f"{upstream.url}/about"})
    given = client.get("/lodash?write=true").json
    given["versions"]["1.0.0"]["deprecated"] = "old"
    client.ask("PUT", "/lodash", given, Authorization="Bearer npm_upstream")
    sent = upstream.requests[-1]
    assert b"npm.acme.example" not in sent.body
    manifest = json.loads(sent.body)["versions"]["1.0.0"]
    assert manifest["dist"]["tarball"] == f"{upstream.url}/lodash/-/lodash-1.0.0.tgz"
    assert (manifest["homepage"], manifest["deprecated"]) == (f"{upstream.url}/about", "old")


def test_large_publish_is_streamed(upstream: RecordingUpstream, client: Client) -> None:
    """As it came, and to its end when the upstream has long refused it."""
    body = document(17 * 2**20)
    assert client.ask("PUT", "/lodash", body).status == 201
    assert upstream.requests[-1].body == body


def test_upstream_that_refuses_early_is_heard() -> None:
    """It need not take the whole body to say no; the client's is read to its end all the same."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            with server.accept()[0] as connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 15\r\n\r\n" + b'{"error": "no"}')
                connection.shutdown(socket.SHUT_RDWR)

        thread = Thread(target=refuse)
        thread.start()
        client = Client(f"http://127.0.0.1:{server.getsockname()[1]}")
        source = io.BytesIO(document(30 * 2**20))
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "PUT",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/lodash",
            "QUERY_STRING": "",
        }
        environ |= {"CONTENT_LENGTH": str(30 * 2**20), "wsgi.input": source, "HTTP_AUTHORIZATION": "Bearer npm_x"}
        setup_testing_defaults(environ)
        seen: list[str] = []
        chunks = client.app(environ, lambda status, headers, exc_info=None: seen.append(status))
        chunks.close()
        thread.join()
    assert seen[0][:3] in {"403", "502"}  # the kernel may drop an answer whose connection is reset
    assert source.read() == b""


def test_too_large_publish_is_refused_before_the_upstream_hears_of_it(upstream: RecordingUpstream) -> None:
    """Decided by Content-Length where there is one."""
    client = Client(upstream.url, max_publish=1000)
    assert client.ask("PUT", "/lodash", document(1001)).status == 413
    assert upstream.requests == []
    assert client.ask("PUT", "/lodash", document(1000)).status == 201


@pytest.mark.parametrize("size", [100, 17 * 2**20], ids=["small", "large"])
@pytest.mark.parametrize(
    "beginning",
    [
        pytest.param(b'{"_id":"@acme/zing","name":"@acme/zing"', id="internal"),
        pytest.param(b'{"_id":"lodasher"', id="another"),
        pytest.param(b'["_id"', id="no object"),
    ],
)
def test_document_of_another_package_is_refused(upstream: RecordingUpstream, beginning: bytes, size: int) -> None:
    """Under a public name, an internal package's document would go up unseen."""
    client = Client(upstream.url)
    refused = client.ask("PUT", "/lodash", document(size, beginning), Authorization="Bearer npm_upstream")
    assert (refused.status, upstream.requests) == (400, [])


def test_compressed_document_is_refused(upstream: RecordingUpstream, client: Client) -> None:
    """No client sends one, and nobody could see whose it is."""
    assert client.ask("PUT", "/lodash", document(100), Content_Encoding="gzip").status == 400
    assert upstream.requests == []


def test_cut_publish_never_looks_complete_to_the_upstream(upstream: RecordingUpstream, client: Client) -> None:
    """What the client did not send to its end does not arrive as a whole request."""
    response, chunks = client.start("PUT", "/lodash", document(20), {"Authorization": "Bearer npm_upstream"})
    chunks.close()
    assert response.status == 201
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "PUT", "SCRIPT_NAME": "", "PATH_INFO": "/lodash", "QUERY_STRING": "",
        "CONTENT_LENGTH": "100", "wsgi.input": io.BytesIO(b"x" * 10), "HTTP_AUTHORIZATION": "Bearer npm_x",
    }  # fmt: skip
    setup_testing_defaults(environ)
    seen: list[str] = []
    chunks = client.app(environ, lambda status, headers, exc_info=None: seen.append(status))
    chunks.close()
    assert [status[:4] for status in seen] == ["400 "]


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
    tracemalloc.start()
    for method, path, length in (("GET", "/lodash/-/lodash-1.0.0.tgz", 0), ("PUT", "/lodash", size)):
        environ: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": path, "CONTENT_LENGTH": str(length)}
        environ |= {"wsgi.input": endless, "HTTP_AUTHORIZATION": "Bearer npm_x"}
        setup_testing_defaults(environ)
        chunks = app(environ, lambda status, headers, exc_info=None: None)
        assert sum(map(len, chunks)) == (size if method == "GET" else 2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20


# Keys, attestations, audits


def test_keys_are_relayed(upstream: RecordingUpstream, client: Client) -> None:
    """And 404 where there are none: npm takes that alone for "this registry signs nothing"."""
    assert client.get("/-/npm/v1/keys").status == 404
    upstream.state.keys = [{"keyid": "SHA256:x", "expires": None}]
    assert client.get("/-/npm/v1/keys").json == {"keys": upstream.state.keys}
    for reply in (Reply(405), Reply(400), json_reply({})):
        upstream.on("GET", "/-/npm/v1/keys", reply)
        assert client.get("/-/npm/v1/keys").status == 404


def test_attestations_are_relayed(upstream: RecordingUpstream, client: Client) -> None:
    """npm audit signatures fetches them by the path our packument names."""
    upstream.state.attestations["@types/node@1.0.0"] = {"attestations": [{"predicateType": "x"}]}
    assert client.get("/-/npm/v1/attestations/@types/node@1.0.0").json == {"attestations": [{"predicateType": "x"}]}
    assert client.get("/-/npm/v1/attestations/@types/node@2.0.0").status == 404


BULK = "/-/npm/v1/security/advisories/bulk"
QUICK = "/-/npm/v1/security/audits/quick"


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_bulk_audit_goes_up_without_internal_names(upstream: RecordingUpstream, client: Client, encoding: str) -> None:
    """npm and bun send it gzipped, the others plain."""
    upstream.state.advisories["lodash"] = [{"id": 1}]
    body = json.dumps({"lodash": ["1.0.0"], "@acme/x": ["1.0.0"]}).encode()
    headers = {"Content_Encoding": encoding} if encoding else {}
    response = client.ask("POST", BULK, gzip.compress(body) if encoding else body, **headers)
    assert response.json == {"lodash": [{"id": 1}]}
    assert json.loads(upstream.requests[0].body) == {"lodash": ["1.0.0"]}
    assert upstream.asked("acme") == []


def test_audit_of_internal_packages_alone_asks_nobody(upstream: RecordingUpstream, client: Client) -> None:
    """Not even that an audit takes place is told."""
    assert client.ask("POST", BULK, {"@acme/x": ["1.0.0"]}).json == {}
    quick = client.ask("POST", QUICK, {"name": "p", "dependencies": {"@acme/x": {"version": "1.0.0"}}})
    assert quick.json["advisories"] == {}
    assert upstream.requests == []


@pytest.mark.parametrize("status", [404, 405, 410, 500, 503, 429, 403, 401])
def test_bulk_audit_never_fails_an_install(upstream: RecordingUpstream, client: Client, status: int) -> None:
    """200 and nothing found, with a notice that nothing was looked at."""
    upstream.on("POST", BULK, Reply(status, b"<html>"))
    response = client.ask("POST", BULK, {"lodash": ["1.0.0"]})
    assert (response.status, response.json) == (200, {})
    assert "no security audit" in response.headers["npm-notice"]


def test_quick_audit_goes_up_rebuilt(upstream: RecordingUpstream, client: Client) -> None:
    """Its tree is laid flat, its names are public ones."""
    internal = {"version": "1.0.0", "dependencies": {"lodash": {"version": "1.0.0"}}}
    tree = {"name": "secret-project", "dependencies": {"@acme/x": internal}}
    upstream.state.advisories["lodash"] = [{"id": 7}]
    assert client.ask("POST", QUICK, tree).json["advisories"] == {"7": {"id": 7}}
    assert upstream.asked("acme") == upstream.asked("secret-project") == []
    upstream.on("POST", QUICK, Reply(405))
    assert client.ask("POST", QUICK, tree).status == 404


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1"])
def test_audit_that_is_no_object_is_400(client: Client, body: bytes) -> None:
    """The client's fault, told so."""
    assert client.ask("POST", BULK, body).status == 400
    assert client.ask("POST", QUICK, body).status == 400


def test_tarball_bytes_match_their_integrity(upstream: RecordingUpstream, client: Client) -> None:
    """What the packument promises is what the tarball route gives, through both."""
    upstream.publish("lodash", "1.0.0", files={"index.js": "x" * 300_000})
    dist = client.get("/lodash").json["versions"]["1.0.0"]["dist"]
    data = client.get(dist["tarball"].removeprefix(BASE)).body
    assert dist["integrity"] == "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
