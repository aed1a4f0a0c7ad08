"""Where the parser reads from: the head, a stored body, or the client until its patience is used up."""

from __future__ import annotations

from collections import deque

import pytest
from gunicorn.http.errors import NoMoreData
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.cli.worker.bodies import CONTINUE, DirectBody, RequestReader, SpooledBody
from nproxy_mw.cli.worker.bounds import Bounds
from nproxy_mw.cli.worker.budget import Budget

PATIENCE = Bounds().body_patience


@given(
    pieces=st.lists(st.binary(max_size=40), max_size=8),
    memory=st.sampled_from([0, 30, 1000]),
    sizes=st.lists(st.integers(1, 60), min_size=1),
)
def test_stored_body_is_read_as_it_came(pieces, memory, sizes):
    """In whatever pieces, from memory or a file; and all room is given back."""
    budget = Budget(memory, 1000)
    body = SpooledBody(budget, small=100)
    for piece in pieces:
        body.write(bytes(bytearray(piece)))
    whole = b"".join(pieces)
    got = b"".join(body.read(size) for size in sizes)
    assert got == whole[: sum(sizes)]
    assert got + body.read(1000) == whole
    assert body.read() == b""
    body.close()
    assert (budget.memory_used, budget.disk_used) == (0, 0)


def test_small_body_stays_in_memory_and_a_larger_one_does_not():
    """All of a larger one is in the file, what came before too."""
    budget = Budget(1000, 1000)
    body = SpooledBody(budget, small=100)
    body.write(b"x" * 100)
    assert (budget.memory_used, budget.disk_used) == (100, 0)
    body.write(b"y")
    assert (budget.memory_used, budget.disk_used) == (0, 101)
    body.close()
    body.close()
    assert budget.disk_used == 0


def test_body_without_room_is_an_error_of_the_disk():
    """And what was stored of it is given back when it is closed."""
    budget = Budget(0, 150)
    body = SpooledBody(budget, small=100)
    body.write(b"x" * 100)
    with pytest.raises(OSError, match="No space left"):
        body.write(b"x" * 100)
    body.close()
    assert budget.disk_used == 0


class Drip:
    """A client that sends *size* bytes after each *pause*, on a clock of its own; without end."""

    def __init__(self, size, pause):
        self.size, self.pause, self.now, self.timeout, self.sent = size, pause, 0.0, 0.0, []

    def monotonic(self):
        return self.now

    def setblocking(self, flag):
        self.timeout = None if flag else 0.0

    def settimeout(self, timeout):
        self.timeout = timeout

    def send(self, data):
        self.sent.append(data)

    def recv(self, size):
        self.now += min(self.pause, self.timeout)
        if self.pause > self.timeout:
            raise TimeoutError
        return b"x" * min(self.size, size)


def direct(drip, **how):
    return DirectBody(drip, Bounds(), monotonic=drip.monotonic, **how)


@pytest.mark.parametrize(("size", "pause"), [(65536, 19.0), (8192, 7.9), (1024, 0.9), (100_000, 0.0)])
def test_slow_and_steady_upload_passes(size, pause):
    """50 MB, at anything over a kilobyte a second; and the connection is the poller's again."""
    drip = Drip(size, pause)
    body = direct(drip)
    taken = 0
    while taken < 50_000_000:
        taken += len(body.chunk(50_000_000))
    assert drip.timeout == 0.0


@pytest.mark.parametrize(("size", "pause"), [(1, 19.0), (1, 0.1), (100, 1.0), (1024, 20.1)])
def test_trickle_comes_to_an_end(size, pause):
    """A byte now and then does not keep a thread."""
    drip = Drip(size, pause)
    body = direct(drip)
    with pytest.raises(NoMoreData):
        deque(iter(body.chunk, b""), maxlen=0)
    assert drip.now < 1.2 * PATIENCE
    assert drip.timeout == 0.0


def test_large_pieces_are_read_at_once():
    """As much as the body has, but no more than a megabyte."""
    drip = Drip(10_000_000, 0.0)
    body = direct(drip)
    assert [len(body.chunk(size)) for size in (None, 5000, 500_000, 5_000_000)] == [8192, 8192, 500_000, 1_048_576]


def test_client_is_asked_to_go_on_once():
    """When the application asks for the body; what is there already needs no asking."""
    drip = Drip(10, 0.0)
    body = direct(drip, held=b"held", expects_continue=True)
    assert (body.read(4), drip.sent) == (b"held", [])
    assert (body.read(10), drip.sent) == (b"x" * 10, [CONTINUE])
    assert (body.read(10), drip.sent) == (b"x" * 10, [CONTINUE])


def test_parser_gets_the_head_and_then_the_body():
    """And an error when it looks for more of the head."""
    incoming = RequestReader(b"head")
    assert incoming.read() == b"head"
    with pytest.raises(NoMoreData):
        incoming.read()
    incoming.source = SpooledBody(Budget(100, 0), small=100)
    incoming.source.write(b"body")
    assert incoming.read(2, read_ahead=4) == b"bo"
    incoming.unread(b"nothing of a stored body")
    assert (incoming.read(), incoming.close()) == (b"dy", b"")


def test_bytes_behind_a_body_are_handed_back():
    """Those that the parser gives back, and those that it never took."""
    incoming = RequestReader(b"head")
    incoming.source = direct(Drip(1, 0.0), held=b"bodynext")
    incoming.read()
    assert incoming.read(4) == b"body"
    incoming.unread(b"the ")
    assert incoming.close() == b"the next"
    assert RequestReader(b"head").close() == b""
