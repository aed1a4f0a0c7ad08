"""What is true of every `Transport`, as tests. Subclass `TransportContract` for a transport of your own::

    class TestOurTransport(TransportContract):
        @pytest.fixture
        def transport_to(self):
            return OurTransport  # from the URL of an upstream to a transport

pytest then collects every fact below as a test of that class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from socket import socket

import pytest

from nproxy_mw.errors import UpstreamTimeout, UpstreamUnavailable
from nproxy_mw.testing.races import in_threads
from nproxy_mw.testing.upstream import RecordingUpstream, Reply
from nproxy_mw.upstream.responses import UpstreamResponse
from nproxy_mw.upstream.transport import Transport

LIMIT = 2**20  # bytes that are read of an answer


class TransportContract:
    """What is true of every `Transport`. Subclass it, and give it a fixture ``transport_to``."""

    @pytest.fixture
    def transport_to(self) -> Callable[[str], Transport]:
        """Returns a transport to the upstream at a URL. The URL may have a path and credentials."""
        pytest.fail("Give this class a fixture named transport_to, with a function from a URL to a transport.")

    @pytest.fixture
    def upstream(self) -> Iterator[RecordingUpstream]:
        """An upstream below a path."""
        with RecordingUpstream(prefix="/npm") as upstream:
            yield upstream

    @pytest.fixture
    def transport(self, upstream: RecordingUpstream, transport_to: Callable[[str], Transport]) -> Transport:
        """A transport to the upstream."""
        return transport_to(upstream.url)

    def test_request_arrives_as_it_was_given(self, upstream: RecordingUpstream, transport: Transport) -> None:
        """Method, path below the upstream's own, query and headers are those that were given; nothing is decoded."""
        _read(transport.send("GET", "/@types%2fnode?write=true", [("X-One", "1"), ("Accept", "application/json")]))
        (request,) = upstream.requests
        assert (request.method, request.path.lower()) == ("GET", "/npm/@types%2fnode?write=true")
        assert (request.headers["x-one"], request.headers["accept"]) == ("1", "application/json")

    @pytest.mark.parametrize("pieces", [1, 3])
    def test_body_arrives_whole(self, upstream: RecordingUpstream, transport: Transport, pieces: int) -> None:
        """Given as bytes, or in pieces."""
        body = bytes(range(256)) * 300
        _read(transport.send("PUT", "/x", [], body if pieces == 1 else iter([body[:1], body[1:999], body[999:]])))
        assert upstream.requests[0].body == body

    @pytest.mark.parametrize("status", [200, 201, 204, 304, 400, 401, 404, 409, 429, 500, 503])
    def test_answer_comes_back_whatever_its_status(
        self, upstream: RecordingUpstream, transport: Transport, status: int
    ) -> None:
        """A status is no error: the caller decides. The body comes as it was sent."""
        body = b"" if status in (204, 304) else b"\x1f\x8b body"
        upstream.on("GET", "/x", Reply(status, body, {"X-One": "1", "ETag": '"a"'}))
        answer = transport.send("GET", "/x")
        assert (answer.status, answer.header("x-one"), answer.validator("etag")) == (status, "1", '"a"')
        assert b"".join(answer.stream()) == body
        answer.close()
        answer.close()

    def test_url_shows_no_credentials(
        self, upstream: RecordingUpstream, transport_to: Callable[[str], Transport]
    ) -> None:
        """They are sent with reads, and stand neither in the URL of the transport nor in what a log prints of it."""
        transport = transport_to(upstream.url.replace("://", "://us:pass-word@") + "/")
        assert transport.upstream_url == upstream.url
        assert "pass-word" not in f"{transport!r} {transport}"
        _read(transport.send("GET", "/x"))
        assert upstream.requests[0].headers["authorization"] == "Basic dXM6cGFzcy13b3Jk"

    def test_write_stands_on_the_token_of_its_client(
        self, upstream: RecordingUpstream, transport_to: Callable[[str], Transport]
    ) -> None:
        """A publish without a token of its own is not made with the registry's."""
        transport = transport_to(upstream.url.replace("://", "://us:pass-word@"))
        _read(transport.send("PUT", "/x", [], b"{}"))
        assert "authorization" not in upstream.requests[0].headers

    def test_silent_place_is_unavailable(self, transport_to: Callable[[str], Transport]) -> None:
        """Where nobody listens is an error that names neither host nor port: clients see it."""
        with closing(socket()) as reserved:
            reserved.bind(("127.0.0.1", 0))
            port = reserved.getsockname()[1]
            with pytest.raises((UpstreamUnavailable, UpstreamTimeout)) as failed:
                transport_to(f"http://127.0.0.1:{port}").send("GET", "/x")
        assert "127.0.0.1" not in failed.value.message
        assert str(port) not in failed.value.message

    def test_answer_that_breaks_off_is_an_error(self, upstream: RecordingUpstream, transport: Transport) -> None:
        """Fewer bytes than announced are never taken for the whole, and the next answer is its own."""
        upstream.on("GET", "/cut", Reply(200, b"x" * 1000, cut=10))
        upstream.on("GET", "/whole", Reply(200, b"whole"))
        answer = transport.send("GET", "/cut")
        with pytest.raises(UpstreamUnavailable):
            b"".join(answer.stream())
        answer.close()
        assert _read(transport.send("GET", "/whole")) == b"whole"

    def test_unread_answer_is_not_taken_for_the_next(self, upstream: RecordingUpstream, transport: Transport) -> None:
        """An answer that was closed early, or dropped, leaves nothing behind."""
        upstream.on("GET", "/first", Reply(200, b"f" * 500_000))
        upstream.on("GET", "/second", Reply(200, b"second"))
        for end in (UpstreamResponse.close, UpstreamResponse.drop):
            answer = transport.send("GET", "/first")
            next(answer.stream(10))
            end(answer)
            assert _read(transport.send("GET", "/second")) == b"second"

    def test_tarball_elsewhere_is_not_fetched(self, upstream: RecordingUpstream, transport: Transport) -> None:
        """A URL at the upstream's own origin is asked for; one at another origin is refused, and not asked."""
        upstream.on("GET", "/a.tgz", Reply(200, b"tarball"))
        assert _read(transport.fetch("GET", f"{upstream.url}/a.tgz")) == b"tarball"
        with RecordingUpstream() as other:
            at_other = f"{upstream.url.removesuffix('/npm')}@{other.url.removeprefix('http://')}/a.tgz"
            for url in (f"{other.url}/a.tgz", at_other, "file:///etc/passwd", "", "//x"):
                with pytest.raises(UpstreamUnavailable):
                    transport.fetch("GET", url)
            upstream.on("GET", "/moved", Reply(302, headers={"Location": f"{other.url}/a.tgz"}))
            with pytest.raises(UpstreamUnavailable):
                transport.send("GET", "/moved")
            assert other.requests == []

    def test_threads_get_their_own_answers(self, upstream: RecordingUpstream, transport: Transport) -> None:
        """Many requests at once, over whatever connections there are."""
        for number in range(8):
            upstream.on("GET", f"/{number}", Reply(200, b"%d" % number * 10_000))
        assert in_threads(8, lambda number: _read(transport.send("GET", f"/{number}"))) == [
            b"%d" % number * 10_000 for number in range(8)
        ]


def _read(answer: UpstreamResponse) -> bytes:
    with answer:
        return answer.read(LIMIT)
