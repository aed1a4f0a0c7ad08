"""What the server makes of a request before the registry sees it: what is no HTTP, what clients say of themselves."""

from __future__ import annotations

import json

import pytest
from support.impatient import impatient, read_all, read_answer

from nproxy_mw.testing.documents import publish_document

pytestmark = pytest.mark.e2e

PUT = "PUT /@acme%2futils HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with impatient(tmp_path_factory.mktemp("server")) as server:
        assert server.ask("PUT", "/@acme%2fsmall", publish_document("@acme/small", "1.0.0"))[0] == 201
        yield server


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(b"NONSENSE\r\n\r\n", 400, id="no request"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, id="TLS"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n", 400, id="header"),
        pytest.param(b"GET / HTTP/1.1\nHost: a\n\n", 400, id="lines that end with LF"),
        pytest.param(b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="two empty lines"),
        pytest.param(b"GET http://a@b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="a URL with a user"),
        pytest.param(b"GET http:///-/ping HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="a URL without a host"),
        pytest.param(b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414, id="path"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431, id="headers"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"A: " + b"b" * 40_000, 431, id="a head without an end"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"A: %s\r\n" % (b"b" * 4000) * 9 + b"\r\n", 431, id="a large head"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 417, id="expectation"),
        pytest.param(b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: br\r\n\r\n", 501, id="encoding"),
    ],
)
def test_what_is_not_http_is_answered_as_json(server, sent, status):
    """In the form of every other error, without a word of what was sent; then the connection ends."""
    with server.connect(sent) as connection:
        answered, head, body = read_answer(connection)
        assert connection.recv(1) == b""
    assert answered == status
    assert "content-type: application/json" in head
    document = json.loads(body)
    assert document.keys() == {"error", "code", "requestId"}
    assert document["error"].endswith(".")
    assert f"x-request-id: {document['requestId']}" in head


def test_requests_sent_at_once_are_answered_in_order(server):
    """As many as a client likes to send ahead."""
    paths = ["/-/ping", "/-/whoami", "/@acme%2fsmall", "/@acme%2fabsent"] * 5
    with server.connect(b"".join(server.head("GET", path) for path in paths)) as connection:
        answers = [read_answer(connection) for _ in paths]
    assert [status for status, _, _ in answers] == [200, 200, 200, 404] * 5
    assert answers[0][2] == b"{}"
    assert b"username" in answers[1][2]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("zz\r\n{}\r\n0\r\n\r\n", id="size"),
        pytest.param("2\r\n{}xx0\r\n\r\n", id="end of a chunk"),
        pytest.param("2\r\n{}\r\n0\r\nBad Header: x\r\n\r\n", id="trailer"),
    ],
)
def test_malformed_chunk_is_answered_once(server, body):
    """And what follows it is no request."""
    sent = f"{PUT}Authorization: Bearer {server.token}\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
    with server.connect(sent.encode() + server.head("GET", "/-/ping")) as connection:
        assert read_all(connection).count(b"HTTP/1.1 ") == 1


def test_url_in_the_place_of_a_path_says_the_host(server):
    """RFC 9112 section 3.2.2: whatever the Host header says."""
    sent = server.head("GET", "http://npm.example/@acme%2fsmall")
    with server.connect(sent) as connection:
        status, _, body = read_answer(connection)
    assert status == 200
    assert json.loads(body)["versions"]["1.0.0"]["dist"]["tarball"].startswith("http://npm.example/")


@pytest.mark.parametrize("header", ["SCRIPT_NAME", "Script-Name", "PATH_INFO", "REMOTE_USER"])
def test_headers_do_not_lead_elsewhere(server, header):
    """A client on this machine is no proxy."""
    assert server.ask("GET", "/-/ping", **{header: "/-/whoami"}) == (200, {})


@pytest.mark.parametrize("header", ["X-Forwarded-Proto", "X-Forwarded-Protocol", "X-Forwarded-Ssl", "X-Forwarded-Host"])
def test_forwarded_headers_are_not_believed(server, header):
    """Nobody said --trusted-proxies, so links are those of the connection."""
    value = {"X-Forwarded-Proto": "https", "X-Forwarded-Protocol": "ssl", "X-Forwarded-Ssl": "on"}.get(header, "evil")
    _, packument = server.ask("GET", "/@acme%2fsmall", **{header: value})
    assert packument["versions"]["1.0.0"]["dist"]["tarball"].startswith("http://127.0.0.1:")
