"""What the transport sends, and over which connections."""

from __future__ import annotations

import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.wire import read

from nproxy_mw.errors import UpstreamUnavailable
from nproxy_mw.testing.upstream import RecordingUpstream, Reply
from nproxy_mw.upstream.transport import Urllib3Transport


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
