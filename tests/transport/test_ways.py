"""By which way and with whose credentials the upstream is reached: proxies, authorities, tokens."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from support.wire import read

from nproxy_mw.errors import UpstreamUnavailable
from nproxy_mw.testing.upstream import RecordingUpstream, Reply
from nproxy_mw.upstream.connections import proxy_for
from nproxy_mw.upstream.origins import parse_origin
from nproxy_mw.upstream.transport import Urllib3Transport

UPSTREAM = "http://upstream.invalid"  # a name that only a proxy could find


class Proxy:
    """A proxy that keeps the head of each request, and sends them all to one place."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.heads: list[bytes] = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listening.getsockname()[1]}"

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=(self.listening.accept()[0],), daemon=True).start()

    def serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self.target) as upstream, suppress(OSError):
            head = client.recv(65536)
            self.heads.append(head)
            if head.startswith(b"CONNECT"):
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                upstream.sendall(head.replace(b"http://upstream.invalid", b"", 1))
            back = threading.Thread(target=self.copy, args=(upstream, client), daemon=True)
            back.start()
            self.copy(client, upstream)
            back.join()

    def copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.thread.join()


@pytest.fixture
def proxies() -> Iterator[list[Proxy]]:
    running: list[Proxy] = []
    yield running
    for proxy in running:
        proxy.close()


def proxy_to(upstream: RecordingUpstream, proxies: list[Proxy]) -> Proxy:
    host, port = upstream.url.removeprefix("http://").split(":")
    proxies.append(Proxy((host, int(port))))
    return proxies[-1]


def test_http_goes_through_a_proxy(upstream: RecordingUpstream, proxies: list[Proxy]) -> None:
    """The proxy is told where to, and by whom when its URL says so; the upstream sees neither."""
    proxy = proxy_to(upstream, proxies)
    upstream.on("GET", "/x", Reply(200, b"there"))
    url = proxy.url.replace("//", "//me:secret%40@")
    transport = Urllib3Transport(UPSTREAM, proxies={"http": url})
    assert read(transport.send("GET", "/x?y=1")) == b"there"
    assert proxy.heads[0].startswith(b"GET http://upstream.invalid/x?y=1 HTTP/1.1\r\nHost: upstream.invalid\r\n")
    assert b"proxy-authorization: Basic bWU6c2VjcmV0QA==" in proxy.heads[0]


def test_https_goes_through_a_tunnel(
    tls_upstream: tuple[RecordingUpstream, ssl.SSLContext], proxies: list[Proxy]
) -> None:
    """The proxy learns the host, and nothing of what is asked for."""
    upstream, trusting = tls_upstream
    proxy = proxy_to(upstream, proxies)
    transport = Urllib3Transport(
        upstream.url.replace("http:", "https:"), proxies={"https": proxy.url}, ssl_context=trusting
    )
    upstream.on("GET", "/secret", Reply(200, b"there"))
    assert read(transport.send("GET", "/secret", [("Authorization", "Bearer npm_x")])) == b"there"
    assert proxy.heads[0].startswith(b"CONNECT 127.0.0.1:")
    assert b"npm_x" not in proxy.heads[0]
    assert upstream.requests[0].headers["authorization"] == "Bearer npm_x"


def test_proxies_come_from_the_environment(
    upstream: RecordingUpstream, proxies: list[Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless they are given; what NO_PROXY lists is asked straight."""
    proxy = proxy_to(upstream, proxies)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    read(Urllib3Transport(UPSTREAM).send("GET", "/x"))
    assert len(proxy.heads) == 1
    with pytest.raises(UpstreamUnavailable):
        Urllib3Transport(UPSTREAM, proxies={}).send("GET", "/x")
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    read(Urllib3Transport(upstream.url).send("GET", "/x"))
    assert len(proxy.heads) == 1


@pytest.mark.parametrize(
    ("exceptions", "is_excepted"),
    [
        ("upstream.example", True),
        ("example", True),
        (".example", True),
        ("other.example, UPSTREAM.example", True),
        ("upstream.example:443", True),
        ("*", True),
        ("", False),
        (",", False),
        ("upstream.example:80", False),
        ("am.example", False),
        ("upstream.example.evil", False),
    ],
)
def test_exceptions_are_hosts_and_what_is_below_them(exceptions: str, is_excepted: bool) -> None:
    """As other programs read NO_PROXY."""
    found = proxy_for(parse_origin("https://upstream.example"), {"https": "proxy.example:3128", "no": exceptions})
    assert found == (None if is_excepted else "http://proxy.example:3128")


def test_proxy_is_that_of_the_scheme() -> None:
    """And none where none is named for it."""
    origin = parse_origin("https://upstream.example")
    assert proxy_for(origin, {"http": "http://a.example"}) is None
    assert proxy_for(origin, {"https": "https://b.example"}) == "https://b.example"


@pytest.mark.parametrize("url", ["socks5://proxy.example:1080", "http://", "http://a b", "ftp://proxy.example"])
def test_proxy_that_cannot_be_asked_is_refused_at_once(url: str) -> None:
    """And not at the first request. Its URL, which may hold a password, is not in the message."""
    with pytest.raises(ValueError, match="The proxy for https must be like") as caught:
        Urllib3Transport("https://upstream.example", proxies={"https": url})
    assert url not in str(caught.value)


def test_authorities_of_a_file_are_trusted(
    tls_upstream: tuple[RecordingUpstream, ssl.SSLContext], authority: Path
) -> None:
    """In addition to the system's."""
    upstream, _ = tls_upstream
    secure = upstream.url.replace("http:", "https:")
    assert read(Urllib3Transport(secure, ca_file=str(authority)).send("GET", "/x"))
    with pytest.raises(UpstreamUnavailable):
        Urllib3Transport(secure).send("GET", "/x")


def test_file_without_authorities_is_refused_at_once(tmp_path: Path) -> None:
    """A wrong path and a wrong file are found at the start."""
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(ValueError, match="certificates in PEM"):
        Urllib3Transport("https://upstream.example", ca_file=str(tmp_path / "empty.pem"))
    with pytest.raises(OSError, match="No such file"):
        Urllib3Transport("https://upstream.example", ca_file=str(tmp_path / "absent.pem"))


def test_token_goes_with_reads_and_audits_to_the_upstream_alone(
    upstream: RecordingUpstream, other: RecordingUpstream
) -> None:
    """A client's publish stands on the client's token."""
    transport = Urllib3Transport(upstream.url, token="up_x", allowed_origins=[other.url])
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
        read(transport.send(method, "/x", body=b"{}" if method in {"POST", "PUT"} else None))
    read(transport.fetch("GET", f"{other.url}/x"))
    assert [r.headers.get("authorization") for r in upstream.requests] == ["Bearer up_x"] * 3 + [None, None]
    assert "authorization" not in other.requests[0].headers
    assert "up_x" not in repr(transport)


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("https://user:secret@upstream.example", "x"),
        ("https://upstream.example", ""),
        ("https://upstream.example", "a b"),
    ],
)
def test_credentials_are_given_once_and_well(url: str, token: str) -> None:
    """Two kinds at once, or a token with a space in it, are a mistake that is told at once, without the secret."""
    with pytest.raises(ValueError, match="token") as caught:
        Urllib3Transport(url, token=token)
    assert "secret" not in str(caught.value)
