"""The replaying upstream: what it replies, what it can lack, and how it fails when asked to."""

from __future__ import annotations

import asyncio
import gzip
import json
from contextlib import asynccontextmanager

import pytest

from benchmarks.http.client import Client
from benchmarks.http.messages import Request
from benchmarks.upstream.faults import Ending, Fault, Faults, deliver, parse_fault
from benchmarks.upstream.replies import ABBREVIATED, Abilities, Replay, plain
from benchmarks.upstream.server import REQUESTS, Upstream, listen

NAME = "@open/package-0003"
PATH = "/@open%2fpackage-0003"


def test_packuments_have_two_forms(corpus):
    """Accept chooses the form, as npm's registry does it."""
    replay = Replay(corpus)
    full = replay.reply("GET", PATH, {})
    short = replay.reply("GET", PATH, {"accept": f"{ABBREVIATED}; q=1.0, */*"})
    assert full.body == corpus.read(corpus.packuments[NAME], "full")
    assert json.loads(short.body).keys() == {"name", "dist-tags", "versions", "modified"}
    assert full.headers["etag"] != short.headers["etag"]
    assert short.headers["content-type"] == ABBREVIATED


def test_packuments_are_compressed_for_who_can_read_it(corpus):
    """Both codings hold the same document."""
    reply = Replay(corpus).reply("GET", PATH, {"accept-encoding": "gzip,deflate"})
    assert reply.headers["content-encoding"] == "gzip"
    assert gzip.decompress(reply.body) == corpus.read(corpus.packuments[NAME], "full")


@pytest.mark.parametrize("path", [PATH, "tarball"])
def test_a_known_etag_is_304(corpus, path):
    """A conditional request of what has not changed gets no body."""
    target = next(iter(corpus.tarballs)) if path == "tarball" else path
    replay = Replay(corpus)
    etag = replay.reply("GET", target, {}).headers["etag"]
    reply = replay.reply("GET", target, {"if-none-match": etag})
    assert (reply.status, reply.body, reply.headers["etag"]) == (304, b"", etag)
    assert b"content-length" not in reply.head()


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/unknown", 404),
        ("GET", "/package-0000/-/package-0000-9.9.9.tgz", 404),
        ("GET", "/-/ping", 200),
        ("HEAD", "/package-0000?write=true", 200),
        ("PUT", "/package-0000", 405),
        ("POST", "/-/npm/v1/security/advisories/bulk", 200),
    ],
)
def test_everything_else_has_a_reply(corpus, method, target, status):
    """It is read only; an audit finds nothing."""
    assert Replay(corpus).reply(method, target, {}).status == status


def test_a_poor_upstream_offers_one_form(corpus):
    """Without its abilities it ignores what it is asked for."""
    replay = Replay(corpus, Abilities(gzip=False, etag=False, abbreviated=False))
    headers = {"accept": ABBREVIATED, "accept-encoding": "gzip", "if-none-match": "*"}
    reply = replay.reply("GET", PATH, headers)
    assert (reply.status, reply.body) == (200, corpus.read(corpus.packuments[NAME], "full"))
    assert not {"etag", "content-encoding"} & reply.headers.keys()
    assert "etag" not in replay.reply("GET", next(iter(corpus.tarballs)), {}).headers


def test_faults_come_in_a_fixed_order():
    """Every third is cut, every second unavailable; the first in the list wins."""
    faults = Faults([(Fault.CUT, 3), (Fault.UNAVAILABLE, 2)])
    found = [faults.next() for _ in range(6)]
    assert found == [None, Fault.UNAVAILABLE, Fault.CUT, Fault.UNAVAILABLE, None, Fault.CUT]


@pytest.mark.parametrize(
    ("fault", "body", "ending"),
    [
        (None, b"0123456789", Ending.KEEP),
        (Fault.WRONG, b"012345678\xc6", Ending.KEEP),
        (Fault.CUT, b"01234", Ending.CLOSE),
    ],
)
def test_faults_spoil_bodies(fault, body, ending):
    """The head promises the whole body all the same."""
    delivery = deliver(plain(200, b"0123456789"), fault)
    head, sent = delivery.data
    assert b"content-length: 10\r\n" in head
    assert (sent, delivery.ending) == (body, ending)


def test_faults_replace_replies():
    """Unavailable is 503; a reset sends nothing."""
    assert deliver(plain(200), Fault.UNAVAILABLE).data[0].startswith(b"HTTP/1.1 503 ")
    assert (deliver(plain(200), Fault.RESET).data, deliver(plain(200), Fault.RESET).ending) == ((), Ending.RESET)


def test_a_head_has_no_body():
    """HEAD names the length of what GET would send."""
    head, body = deliver(plain(200, b"0123456789"), None, is_head=True).data
    assert b"content-length: 10\r\n" in head
    assert body == b""


@pytest.mark.parametrize("text", ["503", "503:", "503:0", "503:-1", "503:x", "fire:10", ""])
def test_what_names_no_fault_is_refused(text):
    """The message says what would."""
    with pytest.raises(ValueError, match=r"such as 503:10|use one of"):
        parse_fault(text)


def test_faults_are_named():
    """By kind and period."""
    assert [parse_fault(f"{fault.value}:7") for fault in Fault] == [(fault, 7) for fault in Fault]


@asynccontextmanager
async def serving(corpus, *faults, latency=0.0):
    """A server on a port that the system chose; its URL."""
    server = await listen(Upstream(Replay(corpus), Faults(faults), latency), "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def counted(corpus):
    """The counters after some requests, and after they were forgotten."""
    async with serving(corpus, latency=0.001) as url:
        client = Client(url)
        for target in (PATH, PATH, "/-/ping", "/unknown"):
            await client.send(Request(target))
        counts = json.loads((await client.send(Request(REQUESTS))).body)
        await client.send(Request(REQUESTS, method="DELETE"))
        after = json.loads((await client.send(Request(REQUESTS))).body)
        client.close()
        return counts, after


def test_requests_are_counted_by_path(corpus):
    """Counters show what a registry asked for, percent-decoded, and can be set to zero."""
    counts, after = asyncio.run(counted(corpus))
    assert counts == {f"/{NAME}": 2, "/-/ping": 1, "/unknown": 1}
    assert after == {}


async def failing(corpus, fault):
    """The status or the kind of error for three requests over one connection."""
    async with serving(corpus, (fault, 2)) as url:
        client, found = Client(url), []
        for _ in range(3):
            try:
                found.append((await client.send(Request(PATH))).status)
            except ConnectionError as error:
                found.append(type(error))
        client.close()
        return found


@pytest.mark.parametrize(
    ("fault", "second"),
    [(Fault.UNAVAILABLE, 503), (Fault.CUT, ConnectionResetError), (Fault.WRONG, 200)],
    ids=["503", "cut", "wrong"],
)
def test_a_client_meets_the_faults(corpus, fault, second):
    """Every second object fails, and the connection that follows is a good one."""
    assert asyncio.run(failing(corpus, fault)) == [200, second, 200]


def test_a_reset_connection_is_replaced(corpus):
    """A client whose kept connection ends before any reply asks once more, over a new one."""
    assert asyncio.run(failing(corpus, Fault.RESET)) == [200, 200, 200]


async def raw(corpus, data):
    """Everything that the server sends for these bytes."""
    async with serving(corpus) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(data)
        try:
            return await asyncio.wait_for(reader.readuntil(b'{"error":"Not found"}'), 10)
        except asyncio.IncompleteReadError as error:
            return error.partial
        except ConnectionError:
            return b""
        finally:
            writer.close()


def test_pipelined_requests_are_answered_in_order(corpus):
    """Two requests in one piece get two replies."""
    answer = asyncio.run(raw(corpus, b"GET /-/ping HTTP/1.1\r\n\r\nGET /unknown HTTP/1.1\r\n\r\n"))
    assert [line for line in answer.split(b"\r\n") if b"HTTP/1.1" in line] == [
        b"HTTP/1.1 200 OK",
        b"{}HTTP/1.1 404 Not Found",
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nno header\r\n\r\n",
        b"PUT / HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n",
        b"PUT / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"x" * 70_000,
    ],
    ids=["no request", "no header", "large body", "negative", "large head"],
)
def test_nonsense_ends_the_connection(corpus, data):
    """What is not a request, or too large, gets no reply."""
    assert asyncio.run(raw(corpus, data)) == b""
