"""FairQueue: a client that asks for much waits behind itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.cli.worker.fair_queue import FairQueue


def all_of(turns):
    return list(iter(turns.take, None))


def test_clients_take_turns():
    """Each with its requests in order."""
    turns = FairQueue()
    for client, request in [("a", 1), ("a", 2), ("a", 3), ("b", 4), ("c", 5), ("b", 6)]:
        turns.add(client, request)
    assert all_of(turns) == [1, 4, 5, 2, 6, 3]
    assert turns.take() is None


def test_newcomer_waits_for_one_request_of_each_other():
    """However many the others have."""
    turns = FairQueue()
    for request in range(100):
        turns.add("busy", request)
    turns.take()
    turns.add("newcomer", "ping")
    assert [turns.take(), turns.take()] == [1, "ping"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1)), max_size=30))
def test_every_request_has_its_turn(requests):
    """Once, and in its client's order."""
    turns = FairQueue()
    for client, request in requests:
        turns.add(client, (client, request))
    taken = all_of(turns)
    for client in "abc":
        assert [one for one in taken if one[0] == client] == [one for one in requests if one[0] == client]
