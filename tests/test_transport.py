"""The transport: where it goes, what it tells, what comes out when the upstream fails."""

from __future__ import annotations

import gzip
import logging
import os
import socket
import ssl
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from nproxy_mw.answers import Answer
from nproxy_mw.errors import BadRequest, PayloadTooLarge, UpstreamTimeout, UpstreamUnavailable
from nproxy_mw.origins import parse_origin, parse_upstream, split_url
from nproxy_mw.testing.upstream import RecordingUpstream, Reply
from nproxy_mw.transport import Urllib3Transport

MIB = 2**20


@pytest.fixture
def upstream() -> Iterator[RecordingUpstream]:
    with RecordingUpstream() as running:
        yield running


@pytest.fixture
def other() -> Iterator[RecordingUpstream]:
    with RecordingUpstream() as running:
        yield running


def read(answer: Answer, limit: int = MIB) -> bytes:
    with answer:
        return answer.read(limit)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("", id="empty"),
        pytest.param("upstream.example", id="no scheme"),
        pytest.param("//upstream.example", id="no scheme, slashes"),
        pytest.param("ftp://upstream.example", id="ftp"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("http://", id="no host"),
        pytest.param("http://:80", id="port alone"),
        pytest.param("http://upstream.example:0", id="port 0"),
        pytest.param("http://upstream.example:99999", id="port too large"),
        pytest.param("http://upstream.example?x=1", id="query"),
        pytest.param("http://upstream.example#x", id="fragment"),
        pytest.param("http://upstream.example/a b", id="space"),
        pytest.param("http://upstream.example\\@evil.example", id="backslash"),
        pytest.param("http://upstream.example/\r\nX: y", id="line break"),
        pytest.param("http://üpstream.example", id="not ASCII"),
    ],
)
def test_upstream_url_that_is_none_is_refused_at_start(url: str) -> None:
    """A wrong deployment fails when it is built, with a sentence that does not repeat the URL."""
    with pytest.raises(ValueError, match=r"^The upstream URL must .*\.$") as caught:
        Urllib3Transport(url.replace("//", "//user:secret@"))
    assert "secret" not in str(caught.value)


def test_upstream_url_is_split_into_origin_prefix_and_credentials() -> None:
    """Credentials never show in repr or str."""
    parsed = parse_upstream("HTTPS://user:p%40ss@Upstream.Example/npm/")
    assert str(parsed) == "https://upstream.example/npm"
    assert parsed.authorization == "Basic dXNlcjpwQHNz"
    shown = repr(parsed) + repr(Urllib3Transport("https://user:p%40ss@upstream.example/npm/"))
    assert "p%40ss" not in shown
    assert "dXNlcjpwQHNz" not in shown


@pytest.mark.parametrize(
    "url", ["https://user@files.example", "https://files.example/x", "https://files.example#x", "x"]
)
def test_allowed_origin_is_an_origin_alone(url: str) -> None:
    """An allowed origin with a path would promise a narrower wall than there is."""
    with pytest.raises(ValueError, match="origin"):
        parse_origin(url)


def test_origins_are_compared_by_scheme_host_and_port() -> None:
    """The default port and upper case do not make another origin; a trailing dot and a port do."""
    origin = split_url("https://files.example/x")[0]
    assert split_url("HTTPS://FILES.example:443/y?z=1") == (origin, "/y?z=1")
    for differing in ("http://files.example", "https://files.example:8443", "https://files.example.", "https://[::1]"):
        assert split_url(differing)[0] != origin


def test_send_asks_below_the_prefix(upstream: RecordingUpstream) -> None:
    """A target is put behind the upstream URL's path, and a scoped name keeps its encoded slash."""
    transport = Urllib3Transport(f"{upstream.url}/npm/")
    read(transport.send("GET", "/@types%2fnode?write=true"))
    assert upstream.requests[0].path.lower() == "/npm/@types%2fnode?write=true"
    assert transport.upstream_url == f"{upstream.url}/npm"


def test_own_user_agent_and_nothing_else_is_sent(upstream: RecordingUpstream) -> None:
    """The upstream learns which program asks, and that it takes bytes as they are."""
    read(Urllib3Transport(upstream.url).send("GET", "/x"))
    sent = dict(upstream.requests[0].headers)
    assert sent.pop("user-agent").startswith("nproxy-mw/")
    assert sorted(sent) == ["accept-encoding", "host"]


def test_credentials_of_the_url_go_with_reads_alone(upstream: RecordingUpstream) -> None:
    """A client's publish stands on the client's token: it must never be made with the registry's own credentials."""
    transport = Urllib3Transport(upstream.url.replace("//", "//user:secret@"))
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
        read(transport.send(method, "/x", body=b"{}" if method in {"POST", "PUT"} else None))
    read(transport.send("PUT", "/x", [("Authorization", "Bearer npm_x")], b"{}"))
    basic = "Basic dXNlcjpzZWNyZXQ="
    assert [r.headers.get("authorization") for r in upstream.requests] == [basic] * 3 + [None, None, "Bearer npm_x"]


def test_connections_are_kept(upstream: RecordingUpstream) -> None:
    """Many requests after each other, refusals and bodies nobody reads among them, share a connection."""
    upstream.on("GET", "/big", Reply(200, b"x" * 1000))
    transport = Urllib3Transport(upstream.url)
    for target in ["/x", "/big"] * 10:
        transport.send("GET", target).close()
        read(transport.send("HEAD", target))
    assert upstream.connections == 1


def test_connections_are_shared_by_threads(upstream: RecordingUpstream) -> None:
    """As many connections as threads, however many requests."""
    transport = Urllib3Transport(upstream.url)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: read(transport.send("GET", "/x")), range(40)))
    assert len(upstream.requests) == len(answers) == 40
    assert upstream.connections <= 4


def test_connections_are_made_anew_in_a_forked_child(
    upstream: RecordingUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes that write to one connection would mix their requests."""
    transport = Urllib3Transport(upstream.url)
    read(transport.send("GET", "/x"))
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)
    read(transport.send("GET", "/x"))
    assert upstream.connections == 2


def test_kept_connection_that_broke_is_replaced_once(upstream: RecordingUpstream) -> None:
    """An upstream that restarted costs a read nothing."""
    transport = Urllib3Transport(upstream.url)
    read(transport.send("GET", "/x"))
    upstream.drop_connections()
    read(transport.send("GET", "/x"))
    assert upstream.connections == 2


@pytest.mark.parametrize(("method", "sent"), [("GET", 2), ("HEAD", 2), ("PUT", 1), ("DELETE", 1), ("POST", 1)])
def test_only_what_is_safe_is_sent_again(method: str, sent: int) -> None:
    """A write that broke off may have been done: it is never repeated. A read is, once."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        accepted = []

        def hang_up() -> None:
            while True:
                try:
                    connection = server.accept()[0]
                except OSError:
                    return
                with connection:
                    accepted.append(connection.recv(65536))

        thread = threading.Thread(target=hang_up)
        thread.start()
        transport = Urllib3Transport(f"http://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(UpstreamUnavailable):
            transport.send(method, "/x")
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert len(accepted) == sent


def test_refused_connection_is_unavailable_and_names_no_host(caplog: pytest.LogCaptureFixture) -> None:
    """The client learns that the upstream is down, the log learns which; neither learns the password."""
    with RecordingUpstream() as gone:
        url = gone.url
    with caplog.at_level(logging.WARNING), pytest.raises(UpstreamUnavailable) as caught:
        Urllib3Transport(url.replace("//", "//user:secret@")).send("GET", "/lodash")
    assert "127.0.0.1" not in caught.value.message
    assert caught.value.__cause__ is not None
    assert url in caplog.text
    assert "secret" not in caplog.text


def test_unknown_host_is_unavailable() -> None:
    """A name that does not resolve is no 404."""
    with pytest.raises(UpstreamUnavailable):
        Urllib3Transport("http://upstream.invalid").send("GET", "/x")


def test_certificates_are_checked(tmp_path: Path) -> None:
    """An upstream that nobody vouches for is not asked; a host can bring the authority of its own network."""
    certificate = self_signed(tmp_path)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    with raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", tls=serving) as url:
        secure = url.replace("http:", "https:")
        with pytest.raises(UpstreamUnavailable):
            Urllib3Transport(secure).send("GET", "/x")
        trusting = ssl.create_default_context(cafile=str(certificate))
        assert read(Urllib3Transport(secure, ssl_context=trusting).send("GET", "/x")) == b"ok"


def self_signed(folder: Path) -> Path:
    """A certificate for 127.0.0.1 and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    path = folder / "certificate.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return path


def test_slow_upstream_is_a_timeout(upstream: RecordingUpstream) -> None:
    """504, whether the answer or a piece of its body does not come."""
    upstream.on("GET", "/slow", Reply(200, wait=threading.Event()))
    with pytest.raises(UpstreamTimeout):
        Urllib3Transport(upstream.url, read_timeout=0.05).send("GET", "/slow")


def test_body_that_stalls_is_a_timeout() -> None:
    """The rule holds while the body is read, too."""
    with raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", keep=True) as url:
        answer = Urllib3Transport(url, read_timeout=0.05).send("GET", "/x")
        with answer, pytest.raises(UpstreamTimeout):
            list(answer.stream())


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", id="shorter than Content-Length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", id="no last chunk"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", id="chunk size that is none"),
    ],
)
def test_body_that_breaks_off_raises(sent: bytes) -> None:
    """A body that is not whole never ends quietly."""
    with raw_server(sent) as url, Urllib3Transport(url).send("GET", "/x") as answer, pytest.raises(UpstreamUnavailable):
        list(answer.stream())


@pytest.mark.parametrize(
    "sent", [b"nonsense\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\n" + b"x" * 70000]
)
def test_answer_that_is_not_http_is_unavailable(sent: bytes) -> None:
    """Whatever listens there, only the port's own errors come out."""
    with raw_server(sent) as url, pytest.raises(UpstreamUnavailable):
        Urllib3Transport(url).send("GET", "/x")


def test_close_twice_and_early_is_harmless(upstream: RecordingUpstream) -> None:
    """A client that goes away in the middle of a tarball costs its connection, nothing more."""
    upstream.on("GET", "/big", Reply(200, b"x" * 4 * MIB))
    transport = Urllib3Transport(upstream.url)
    answer = transport.send("GET", "/big")
    assert len(next(answer.stream(1000))) == 1000
    answer.close()
    answer.close()
    assert len(read(transport.send("GET", "/big"), 4 * MIB)) == 4 * MIB


def test_redirects_are_followed_within_the_origin(upstream: RecordingUpstream) -> None:
    """Three at most; a relative Location counts from the redirecting URL."""
    upstream.on("GET", "/a", Reply(302, headers={"Location": "b?x=1"}))
    upstream.on("GET", "/b", Reply(307, headers={"Location": f"{upstream.url}/c"}))
    upstream.on("GET", "/c", Reply(301, headers={"Location": "/d"}))
    upstream.on("GET", "/d", Reply(200, b"there"))
    assert read(Urllib3Transport(upstream.url).send("GET", "/a")) == b"there"
    upstream.on("GET", "/z", Reply(302, headers={"Location": "/a"}))
    with pytest.raises(UpstreamUnavailable, match="too often"):
        Urllib3Transport(upstream.url).send("GET", "/z")


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_write_is_not_redirected(upstream: RecordingUpstream, method: str) -> None:
    """A token and a publish go to the upstream that was configured, nowhere else."""
    upstream.on(method, "/a", Reply(307, headers={"Location": "/b"}))
    with pytest.raises(UpstreamUnavailable):
        Urllib3Transport(upstream.url).send(method, "/a", [("Authorization", "Bearer npm_x")], b"{}")
    assert len(upstream.requests) == 1


def test_redirect_elsewhere_is_refused_unless_allowed(upstream: RecordingUpstream, other: RecordingUpstream) -> None:
    """An allowed origin is asked without the credentials; one that is not allowed is not asked at all."""
    upstream.on("GET", "/a", Reply(302, headers={"Location": f"{other.url}/b"}))
    other.on("GET", "/b", Reply(302, headers={"Location": f"{upstream.url}/c"}))
    upstream.on("GET", "/c", Reply(200, b"back"))
    headers = [("Authorization", "Bearer npm_x")]
    with pytest.raises(UpstreamUnavailable):
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
    with pytest.raises(UpstreamUnavailable, match="does not fetch from"):
        Urllib3Transport("http://upstream.example").fetch("GET", url)


def test_downgrade_to_http_is_refused() -> None:
    """From https to http a redirect is not followed, not even to an origin that is allowed."""
    transport = Urllib3Transport("https://upstream.example", allowed_origins=["http://upstream.example"])
    asked = []

    def ask(method: str, origin: object, target: str, headers: object, body: object) -> Answer:
        asked.append(f"{origin}{target}")
        return Answer(302, [("Location", "http://upstream.example/b")], lambda _: iter([]))

    transport._ask = ask  # type: ignore[assignment, method-assign]
    with pytest.raises(UpstreamUnavailable):
        transport.send("GET", "/a")
    assert asked == ["https://upstream.example/a"]


def test_read_undoes_gzip_and_bounds_it() -> None:
    """The bound is on the decompressed side: a bomb stops there."""
    packed = gzip.compress(b"x" * 3 * MIB)
    headers = [("content-encoding", "gzip")]
    assert Answer(200, headers, lambda _: iter([packed])).read(3 * MIB) == b"x" * 3 * MIB
    with pytest.raises(UpstreamUnavailable, match="larger"):
        Answer(200, headers, lambda _: iter([gzip.compress(b"x" * 200 * MIB, 1)])).read(MIB)
    with pytest.raises(UpstreamUnavailable, match="larger"):
        Answer(200, [], lambda _: iter([b"x" * 600] * 2)).read(1000)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        pytest.param("br", b"x", id="unknown"),
        pytest.param("gzip", b"x" * 100, id="not gzip"),
        pytest.param("gzip", gzip.compress(b"x" * 100)[:-9], id="cut short"),
        pytest.param("gzip", b"", id="empty"),
    ],
)
def test_broken_encodings_are_unavailable(encoding: str, body: bytes) -> None:
    """A body that is not what its encoding says is the upstream's failure."""
    with pytest.raises(UpstreamUnavailable):
        Answer(200, [("Content-Encoding", encoding)], lambda _: iter([body])).read(MIB)


def test_stream_is_not_decoded(upstream: RecordingUpstream) -> None:
    """A server that labels a .tgz as gzip-encoded must not make its bytes change."""
    packed = gzip.compress(b"tar")
    upstream.on("GET", "/x.tgz", Reply(200, packed, {"Content-Encoding": "gzip"}))
    with Urllib3Transport(upstream.url).send("GET", "/x.tgz") as answer:
        assert b"".join(answer.stream()) == packed


@pytest.mark.parametrize("headers", [[], [("Content-Length", "10")]], ids=["chunked", "counted"])
def test_uploads_are_streamed(upstream: RecordingUpstream, headers: list[tuple[str, str]]) -> None:
    """With a length when it is known, else in chunks."""
    read(Urllib3Transport(upstream.url).send("PUT", "/x", headers, iter([b"hello", b"world"])))
    assert upstream.requests[0].body == b"helloworld"
    assert ("transfer-encoding" in upstream.requests[0].headers) is not bool(headers)


@pytest.mark.parametrize(
    ("fault", "expected"), [(OSError("gone"), BadRequest), (PayloadTooLarge("Too large."), PayloadTooLarge)]
)
def test_fault_of_the_client_is_not_the_upstreams(
    upstream: RecordingUpstream, fault: Exception, expected: type[Exception]
) -> None:
    """An upload that breaks off on the client's side is answered as that."""

    def body() -> Iterator[bytes]:
        yield b"hello"
        raise fault

    with pytest.raises(expected):
        Urllib3Transport(upstream.url).send("PUT", "/x", (), body())


def test_memory_stays_flat_while_streaming() -> None:
    """100 MiB down and 100 MiB up pass in pieces."""
    size = 100 * MIB
    with sink_and_source(size) as url:
        transport = Urllib3Transport(url)
        tracemalloc.start()
        with transport.send("GET", "/down") as answer:
            assert sum(map(len, answer.stream())) == size
        piece = b"x" * 65536
        body = (piece for _ in range(size // len(piece)))
        read(transport.send("PUT", "/up", [("Content-Length", str(size))], body))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4 * MIB


class raw_server:  # noqa: N801
    """Says the same bytes to whoever connects, then hangs up unless it is to *keep* the connection."""

    def __init__(self, sent: bytes, *, keep: bool = False, tls: ssl.SSLContext | None = None) -> None:
        self.sent, self.keep, self.tls = sent, keep, tls

    def __enter__(self) -> str:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            with connection, suppress(OSError):
                self.exchange(self.tls.wrap_socket(connection, server_side=True) if self.tls else connection)

    def exchange(self, connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            connection.sendall(self.sent)
            if self.keep:
                self.done.wait(30)

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


class sink_and_source(raw_server):  # noqa: N801
    """Reads an upload of a size and forgets it, and makes a download of that size, in small pieces."""

    def __init__(self, size: int) -> None:
        super().__init__(b"")
        self.size = size

    def exchange(self, connection: socket.socket) -> None:
        buffer = bytearray(65536)
        size = connection.recv_into(buffer)
        head, _, rest = bytes(buffer[:size]).partition(b"\r\n\r\n")
        if head.startswith(b"GET"):
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % self.size)
            for _ in range(self.size // len(buffer)):
                connection.sendall(buffer)
            return
        taken = len(rest)
        while taken < self.size:
            taken += connection.recv_into(buffer)
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
