"""Forwarder, between two validators and in front of a real upstream: what it stands on, and what it lets through."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from support.forwarding import ROUTED, Client
from support.layers import with_context

from nproxy_mw.errors import MissingLayer
from nproxy_mw.http.context import Destination
from nproxy_mw.middleware.forwarder import Forwarder
from nproxy_mw.npm.routes import parse_route
from nproxy_mw.testing.upstream import RecordingUpstream, Reply, json_reply
from nproxy_mw.upstream.transport import Urllib3Transport


def bare(app: Any, environ: Mapping[str, Any]) -> Any:
    full: dict[str, Any] = dict(environ)
    setup_testing_defaults(full)
    return app(full, lambda *_: None)


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


def test_response_headers_are_an_allow_list(upstream: RecordingUpstream, client: Client) -> None:
    """Cookies, redirects, server names and whatever else the upstream says of itself stay behind."""
    noise = dict.fromkeys(("Set-Cookie", "Server", "Link", "Location", "Via", "X-Served-By"), "http://upstream.example")
    upstream.on("GET", "/lodash/-/lodash-1.0.0.tgz", Reply(200, b"x", {**noise, "Connection": "x", "ETag": "\x7f"}))
    upstream.on("GET", "/lodash", json_reply({"versions": {}}, **noise))
    upstream.on("PUT", "/lodash", json_reply({}, 201, **noise, npm_notice="\x01"))
    for method, path in (("GET", "/lodash/-/lodash-1.0.0.tgz"), ("GET", "/lodash"), ("PUT", "/lodash")):
        response = client.ask(method, path, b'{"_id":"lodash"}' if method == "PUT" else b"")
        assert response.status in (200, 201)
        assert "upstream.example" not in str(response.headers)
        assert "\x7f" not in str(response.headers)
        assert "npm-notice" not in response.headers
