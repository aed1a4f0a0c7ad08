"""OutputBuffer: what a client does not take at once waits in order, and is given back."""

from __future__ import annotations

import os
import socket
from contextlib import closing, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.patching import patch_here

from nproxy_mw.cli.worker.budget import Budget
from nproxy_mw.cli.worker.output import OutputBuffer, limit_unsent

MIB = 1024 * 1024


@contextmanager
def pair(budget):
    """An output and the client's end of its connection; the system takes little of an answer."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    ours.setblocking(False)
    output = OutputBuffer(ours, budget)
    with ours, theirs:
        theirs.setblocking(False)
        yield output, theirs
        output.clear()


def taken(client):
    """What is there to read."""
    pieces = []
    try:
        while piece := client.recv(65536):
            pieces.append(piece)
    except BlockingIOError:
        pass
    return b"".join(pieces)


def drained(output, client, limit=MIB):
    """Everything, as a client reads it that the poller serves."""
    pieces = [taken(client)]
    while output.is_waiting:
        output.push(limit)
        pieces.append(taken(client))
    return b"".join(pieces)


@given(
    pieces=st.lists(st.integers(0, 60_000), max_size=8),
    memory=st.sampled_from([0, 50_000, MIB]),
    read_at=st.sets(st.integers(0, 8)),
    limit=st.sampled_from([1000, 100_000]),
)
def test_bytes_arrive_whole_and_in_order(pieces, memory, read_at, limit):
    """However slowly they are read, and wherever they waited; and all room is given back."""
    budget = Budget(memory, MIB)
    sent = [os.urandom(size) for size in pieces]
    with pair(budget) as (output, client):
        got = b""
        for number, piece in enumerate(sent):
            output.sendall(piece)
            got += taken(client) if number in read_at else b""
        output.flush()
        got += drained(output, client, limit)
    assert got == b"".join(sent)
    assert (budget.memory_used, budget.disk_used) == (0, 0)


def test_head_goes_out_with_what_follows():
    """In one packet, or alone when nothing follows."""
    with pair(Budget(MIB, MIB)) as (output, client):
        output.sendall(b"head ")
        assert taken(client) == b""
        output.sendall(b"body")
        assert taken(client) == b"head body"
        output.sendall(b" more")
        assert taken(client) == b" more"
        output.begin()
        output.sendall(b"second")
        output.flush()
        output.flush()
        assert taken(client) == b"second"


def test_file_waits_open(tmp_path):
    """The application may close it: it is sent from where it was, to where it was to end."""
    content = os.urandom(300_000)
    (tmp_path / "file").write_bytes(content)
    with pair(Budget(0, 0)) as (output, client):
        with (tmp_path / "file").open("rb") as file:
            assert output.sendfile(file, 1000, 250_000) == 250_000
        assert drained(output, client) == content[1000:251_000]
        with (tmp_path / "file").open("rb") as file:
            assert output.sendfile(file, 299_000) == 1000
        assert drained(output, client) == content[299_000:]


@pytest.mark.parametrize("waits", ["memory", "disk", "file"])
@pytest.mark.parametrize("limit", [1, 1000, 50_000])
def test_one_push_sends_no_more_than_its_limit(tmp_path, waits, limit):
    """The poller serves others in between, however fast a client reads, and wherever its answer waits."""
    (tmp_path / "file").write_bytes(b"x" * 300_000)
    with pair(Budget(MIB if waits == "memory" else 0, MIB)) as (output, client):
        output.sendall(b"head")
        if waits == "file":
            with (tmp_path / "file").open("rb") as file:
                output.sendfile(file, 0, 300_000)
        else:
            output.sendall(b"x" * 300_000)
        assert output.is_waiting
        output.stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MIB)
        taken(client)
        for _ in range(3):
            assert 0 < output.push(limit) <= limit
            assert len(taken(client)) <= limit


def test_file_on_a_system_without_sendfile(tmp_path, monkeypatch):
    """Is read and sent."""

    def sendfile(*_):
        raise OSError(22, "Invalid argument")

    patch_here(monkeypatch, os, "sendfile", sendfile)
    (tmp_path / "file").write_bytes(b"x" * 300_000)
    with pair(Budget(0, 0)) as (output, client), (tmp_path / "file").open("rb") as file:
        output.sendfile(file, 0, 300_000)
        assert len(drained(output, client)) == 300_000


def test_file_that_became_shorter_ends_the_answer(tmp_path):
    """Nothing is made up for the rest."""
    (tmp_path / "file").write_bytes(b"x" * 300_000)
    with pair(Budget(0, 0)) as (output, client), (tmp_path / "file").open("r+b") as file:
        output.sendfile(file, 0, 300_000)
        file.truncate(100_000)
        with pytest.raises(BrokenPipeError):
            drained(output, client)


def test_bytes_follow_a_file_that_waits(tmp_path):
    """In order, as trailers of a chunked answer do."""
    (tmp_path / "file").write_bytes(b"f" * 200_000)
    with pair(Budget(MIB, MIB)) as (output, client):
        with (tmp_path / "file").open("rb") as file:
            output.sendfile(file, 0, 200_000)
        output.sendall(b"head")
        output.sendall(b"tail")
        assert drained(output, client) == b"f" * 200_000 + b"headtail"


def test_no_room_ends_the_answer():
    """The client gets no more of it, and the application need not go on."""
    with pair(Budget(0, 100_000)) as (output, _):
        output.sendall(b"head")
        with pytest.raises(BrokenPipeError):
            output.sendall(b"x" * 300_000)
        assert output.is_cut


def test_client_that_is_gone_ends_the_answer():
    """As gunicorn expects it of a socket."""
    with pair(Budget(MIB, MIB)) as (output, client):
        client.close()
        output.sendall(b"head")
        with pytest.raises(BrokenPipeError):
            output.sendall(b"body")


def test_fast_client_may_have_more_on_its_way():
    """Twice as much as before, each time it has taken twice as much."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        limit_unsent(listener, 256 * 1024)
        with closing(socket.create_connection(listener.getsockname())) as client, listener.accept()[0] as ours:
            client.setblocking(False)
            ours.setblocking(False)
            before = ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)
            output = OutputBuffer(ours, Budget(8 * MIB, 0))
            output.sendall(b"head")
            output.sendall(bytes(6 * MIB))
            waiting = ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)
            assert len(drained(output, client)) > 0
            assert before == waiting == 256 * 1024
            assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) > MIB


def test_gunicorn_leaves_the_end_to_the_poller():
    """Its way to close a connection does nothing here."""
    with pair(Budget(MIB, MIB)) as (output, client):
        output.setblocking(True)
        with pytest.raises(OSError, match="poller"):
            output.shutdown(socket.SHUT_WR)
        output.close()
        output.sendall(b"head")
        output.flush()
        assert taken(client) == b"head"
