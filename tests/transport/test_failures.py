"""What comes out of the transport when the upstream fails."""

from __future__ import annotations

import logging
import ssl
import threading
from contextlib import suppress

import pytest
from support.ports import silent_url
from support.wire import MIB, raw_server, read

from nproxy_mw.errors import UpstreamTimeout, UpstreamUnavailable
from nproxy_mw.testing.upstream import RecordingUpstream, Reply
from nproxy_mw.upstream.responses import UpstreamResponse
from nproxy_mw.upstream.transport import Urllib3Transport


def test_refused_connection_is_unavailable_and_names_no_host(caplog: pytest.LogCaptureFixture) -> None:
    """The client learns that the upstream is down, the log learns which; neither learns the password."""
    with silent_url() as url, caplog.at_level(logging.WARNING), pytest.raises(UpstreamUnavailable) as caught:
        Urllib3Transport(url.replace("//", "//user:secret@")).send("GET", "/lodash")
    assert "127.0.0.1" not in caught.value.message
    assert caught.value.__cause__ is not None
    assert url in caplog.text
    assert "secret" not in caplog.text


def test_unknown_host_is_unavailable() -> None:
    """A name that does not resolve is no 404."""
    with pytest.raises(UpstreamUnavailable):
        Urllib3Transport("http://upstream.invalid").send("GET", "/x")


def test_certificates_are_checked(tls_upstream: tuple[RecordingUpstream, ssl.SSLContext]) -> None:
    """An upstream that nobody vouches for is not asked; a host can bring the authority of its own network."""
    upstream, trusting = tls_upstream
    secure = upstream.url.replace("http:", "https:")
    with pytest.raises(UpstreamUnavailable):
        Urllib3Transport(secure).send("GET", "/x")
    assert upstream.requests == []
    assert read(Urllib3Transport(secure, ssl_context=trusting).send("GET", "/x"))


def test_slow_upstream_is_a_timeout(upstream: RecordingUpstream) -> None:
    """504, whether the answer or a piece of its body does not come."""
    upstream.on("GET", "/slow", Reply(200, wait=threading.Event()))
    with pytest.raises(UpstreamTimeout):
        Urllib3Transport(upstream.url, read_timeout=0.05).send("GET", "/slow")


def test_body_that_stalls_is_a_timeout() -> None:
    """The rule holds while the body is read, too."""
    sent = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"
    with raw_server(sent, keep=True) as url, begun_answer(url) as answer, pytest.raises(UpstreamTimeout):
        list(answer.stream())


def begun_answer(url: str) -> UpstreamResponse:
    """An answer whose head came in time. How much time that takes, the machine says."""
    for seconds in (0.1, 0.5, 2.5, 12.5):
        with suppress(UpstreamTimeout):
            return Urllib3Transport(url, read_timeout=seconds).send("GET", "/x")
    raise AssertionError("no answer began")


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
