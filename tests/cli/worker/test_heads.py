"""Heads: whatever came before, a head means what gunicorn's parser alone would make of it."""

from __future__ import annotations

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import ParseException
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.cli.worker import heads as module
from nproxy_mw.cli.worker.heads import Heads
from nproxy_mw.cli.worker.request import ClientRequest

CLIENT = ("192.0.2.1", 1)
FIELDS = ("method", "uri", "path", "query", "fragment", "version", "headers", "scheme", "length", "req_number")


def facts(make):
    """What a request says, or how it is refused."""
    try:
        made = make()
    except ParseException as error:
        return type(error), str(error)
    fields = {name: getattr(made, name) for name in FIELDS}
    body = None if made.length else made.body.read()  # nobody sends the four bytes
    return {**fields, "closes": made.should_close(), "body": body, "client": made.remote_addr}


def plainly(head, client=CLIENT, number=1):
    return ClientRequest(Config(), head, client, number)


TARGETS = [
    "/",
    "/a%20b",
    "/a?b=c?d",
    "/a?",
    "//a/b",
    "/a#b",
    "/a?b#c",
    "/\x7f",
    "/\xe9",
    "http://h/x?y",
    "*",
    "a:1",
    "",
]
LINES = st.builds(
    "{} {} {}".format,
    st.sampled_from(["GET", "HEAD", "PUT", "get", "GE\nT"]),
    st.one_of(st.sampled_from(TARGETS), st.text("/a?#@&=%:\n ", max_size=8).map("/{}".format)),
    st.sampled_from(["HTTP/1.1", "HTTP/1.0", "HTTP/1.1 ", "HTTP/2.0", "HTTP/1.1\n"]),
)
HEADERS = st.lists(
    st.sampled_from(
        [
            "Host: a",
            "Accept: b",
            "Connection: close",
            "Connection: keep-alive",
            "Content-Length: 0",
            "Content-Length: 4",
            "Transfer-Encoding: gzip",
            "Expect: 100-continue",
            "X_Y: z",
            "X-Forwarded-Proto: https",
            "bad",
        ]
    ),
    max_size=3,
)


@given(first=LINES, second=LINES, headers=HEADERS)
def test_known_headers_mean_the_same_under_another_line(first, second, headers):
    """Method, target, body, and whether the connection goes on; and what is refused is refused as before."""
    heads = Heads(Config())
    for number, line in enumerate([first, second, second], 1):
        head = "\r\n".join([line, *headers, "", ""]).encode("latin-1")
        found = facts(lambda head=head, number=number: heads.request(head, CLIENT, number))
        assert found == facts(lambda head=head, number=number: plainly(head, number=number))


def test_headers_are_parsed_once(monkeypatch):
    """The second request costs a look at its line."""
    parsed = []
    monkeypatch.setattr(ClientRequest, "parse_headers", lambda self, data, **_: parsed.append(data) or [("A", "b")])
    heads = Heads(Config())
    for path in (b"/one", b"/two", b"/two?x"):
        assert heads.request(b"GET %s HTTP/1.1\r\nA: b\r\n\r\n" % path, CLIENT, 1).headers == [("A", "b")]
    assert parsed == [b"A: b"]


def test_trusted_clients_have_headers_of_their_own():
    """Whose X-Forwarded-Proto is believed depends on the address, and not on who came first."""
    config = Config()
    config.set("forwarded_allow_ips", "192.0.2.7")
    heads, head = Heads(config), b"GET / HTTP/1.1\r\nX-Forwarded-Proto: https\r\n\r\n"
    schemes = [heads.request(head, (host, 1), 1).scheme for host in ("192.0.2.7", "192.0.2.8", "192.0.2.7")]
    assert schemes == ["https", "http", "https"]
    assert heads.request(head, "", 1).scheme == "https"  # a Unix socket: the proxy in front


def test_what_one_request_becomes_is_not_the_next_ones():
    """Closing one connection closes no other."""
    heads, head = Heads(Config()), b"GET / HTTP/1.1\r\nA: b\r\n\r\n"
    for number in (1, 2):
        made = heads.request(head, ("192.0.2.1", number), number)
        assert (made.should_close(), made.remote_addr, made.peer_addr) == (
            False,
            ("192.0.2.1", number),
            ("192.0.2.1", number),
        )
        made.force_close()


@pytest.mark.parametrize("block", [b"A: %d\r\n\r\n", b"A: %d" + b"x" * 3000 + b"\r\n\r\n"])
def test_memory_is_bounded(monkeypatch, block):
    """Clients that send something new each time push out what is remembered; long headers are not remembered."""
    monkeypatch.setattr(module, "_MOST", 4)
    heads = Heads(Config())
    for number in range(20):
        heads.request(b"GET / HTTP/1.1\r\n" + block % number, CLIENT, 1)
        assert len(heads._known) <= 4
