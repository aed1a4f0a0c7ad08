"""Where the transport goes, and where it does not go."""

from __future__ import annotations

import socket

import pytest
from support.wire import read

from nproxy_mw.testing.upstream import RecordingUpstream, Reply
from nproxy_mw.upstream.origins import UpstreamElsewhere
from nproxy_mw.upstream.responses import UpstreamResponse
from nproxy_mw.upstream.transport import Urllib3Transport


def test_redirects_are_followed_within_the_origin(upstream: RecordingUpstream) -> None:
    """Three at most; a relative Location counts from the redirecting URL."""
    upstream.on("GET", "/a", Reply(302, headers={"Location": "b?x=1"}))
    upstream.on("GET", "/b", Reply(307, headers={"Location": f"{upstream.url}/c"}))
    upstream.on("GET", "/c", Reply(301, headers={"Location": "/d"}))
    upstream.on("GET", "/d", Reply(200, b"there"))
    assert read(Urllib3Transport(upstream.url).send("GET", "/a")) == b"there"
    upstream.on("GET", "/z", Reply(302, headers={"Location": "/a"}))
    with pytest.raises(UpstreamElsewhere, match="too often"):
        Urllib3Transport(upstream.url).send("GET", "/z")


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_write_is_not_redirected(upstream: RecordingUpstream, method: str) -> None:
    """A token and a publish go to the upstream that was configured, nowhere else."""
    upstream.on(method, "/a", Reply(307, headers={"Location": "/b"}))
    with pytest.raises(UpstreamElsewhere):
        Urllib3Transport(upstream.url).send(method, "/a", [("Authorization", "Bearer npm_x")], b"{}")
    assert len(upstream.requests) == 1


def test_redirect_elsewhere_is_refused_unless_allowed(upstream: RecordingUpstream, other: RecordingUpstream) -> None:
    """An allowed origin is asked without the credentials; one that is not allowed is not asked at all."""
    upstream.on("GET", "/a", Reply(302, headers={"Location": f"{other.url}/b"}))
    other.on("GET", "/b", Reply(302, headers={"Location": f"{upstream.url}/c"}))
    upstream.on("GET", "/c", Reply(200, b"back"))
    headers = [("Authorization", "Bearer npm_x")]
    with pytest.raises(UpstreamElsewhere):
        Urllib3Transport(upstream.url).send("GET", "/a", headers)
    assert other.requests == []
    assert read(Urllib3Transport(upstream.url, allowed_origins=[other.url]).send("GET", "/a", headers)) == b"back"
    assert "authorization" not in other.requests[0].headers
    assert "authorization" not in upstream.requests[-1].headers


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://169.254.169.254/latest/meta-data", id="cloud metadata"),
        pytest.param("http://[::1]/x", id="IPv6 loopback"),
        pytest.param("http://localhost/x", id="localhost"),
        pytest.param("http://2130706433/x", id="number for an address"),
        pytest.param("http://0x7f.1/x", id="hexadecimal address"),
        pytest.param("http://upstream.example.evil.example/x", id="longer host"),
        pytest.param("http://evil.example#@upstream.example/", id="fragment trick"),
        pytest.param("http://upstream.example@evil.example/", id="upstream as user"),
        pytest.param("http://user@upstream.example/", id="credentials"),
        pytest.param("http://upstream.example:8080/", id="other port"),
        pytest.param("http://upstream.example\\.evil.example/", id="backslash"),
        pytest.param("https://upstream.example/x", id="other scheme"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("gopher://upstream.example/x", id="gopher"),
        pytest.param("//upstream.example/x", id="no scheme"),
        pytest.param("/x", id="no host"),
        pytest.param("http://upstream.example/\r\nHost: x", id="line break"),
        pytest.param("", id="empty"),
    ],
)
def test_foreign_urls_are_not_fetched(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Server-side request forgery: no connection is opened to a place that a document names."""

    def dialled(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "create_connection", dialled)
    monkeypatch.setattr(socket, "getaddrinfo", dialled)
    with pytest.raises(UpstreamElsewhere, match="does not fetch from"):
        Urllib3Transport("http://upstream.example").fetch("GET", url)


def test_downgrade_to_http_is_refused() -> None:
    """From https to http a redirect is not followed, not even to an origin that is allowed."""
    transport = Urllib3Transport("https://upstream.example", allowed_origins=["http://upstream.example"])
    asked = []

    def ask(method: str, origin: object, target: str, headers: object, body: object) -> UpstreamResponse:
        asked.append(f"{origin}{target}")
        return UpstreamResponse(302, [("Location", "http://upstream.example/b")], lambda _: iter([]))

    transport._ask = ask  # type: ignore[assignment, method-assign]
    with pytest.raises(UpstreamElsewhere):
        transport.send("GET", "/a")
    assert asked == ["https://upstream.example/a"]
