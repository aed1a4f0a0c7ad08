"""Connections: who has to go when there are too many."""

from __future__ import annotations

import math

import pytest

from nproxy_mw.cli.worker.connections import Connections, network_of


class Conn:
    """A connection, as the crowd sees it."""

    def __init__(self, address, deadline):
        self.address, self.deadline = address, deadline

    def __repr__(self):
        return f"{self.address}:{self.deadline}"


def crowd_of(capacity, per_address, *connections):
    crowd = Connections(capacity, per_address)
    for address, deadline in connections:
        crowd.add(Conn(address, deadline))
    return crowd


def test_nobody_is_in_the_way_while_there_is_room():
    """For one more."""
    crowd = crowd_of(3, 2, ("a", 1), ("b", 1))
    assert crowd.in_the_way("a") == []
    assert not crowd.is_full_for("a")


def test_those_with_the_least_time_left_go_first():
    """Whosever they are; but not one whose request a thread has."""
    crowd = crowd_of(4, 4, ("a", 3), ("b", 1), ("c", math.inf), ("d", 2))
    assert crowd.is_full_for("e")
    assert [one.deadline for one in crowd.in_the_way("e")] == [1, 2, 3]


def test_client_that_has_enough_loses_its_own():
    """Not the connection of another with less time left."""
    crowd = crowd_of(9, 2, ("a", 3), ("a", math.inf), ("b", 1))
    assert crowd.is_full_for("a")
    assert not crowd.is_full_for("b")
    assert [str(one) for one in crowd.in_the_way("a")] == ["a:3"]


def test_few_go_at_once():
    """Eight, so that a flood does not pay a search for each."""
    crowd = crowd_of(20, 20, *(("a", number) for number in range(20)))
    assert [one.deadline for one in crowd.in_the_way("b")] == list(range(8))


def test_connections_without_an_address_have_no_share():
    """Those of a Unix socket all come from the proxy before the server."""
    crowd = crowd_of(9, 2, *((None, 1) for _ in range(5)))
    assert not crowd.is_full_for(None)


def test_who_left_is_not_counted():
    """Neither in all nor for the address."""
    crowd = crowd_of(2, 1, ("a", 1), ("b", 1))
    assert crowd.is_full_for("a")
    (first, second) = crowd
    crowd.remove(first)
    assert (first in crowd, second in crowd, len(crowd)) == (False, True, 1)
    assert not crowd.is_full_for("a")


def test_half_full_is_more_than_half():
    """Of the capacity."""
    assert not crowd_of(4, 4, ("a", 1), ("b", 1)).is_half_full
    assert crowd_of(4, 4, ("a", 1), ("b", 1), ("c", 1)).is_half_full


def test_late_are_those_whose_deadline_has_passed():
    """And none whose request a thread has."""
    crowd = crowd_of(4, 4, ("a", 1.0), ("b", 2.0), ("c", math.inf), ("d", 2.1))
    assert [one.address for one in crowd.late(2.1)] == ["a", "b"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param("192.0.2.1", "192.0.2.1", True, id="one address"),
        pytest.param("192.0.2.1", "192.0.2.2", False, id="two addresses"),
        pytest.param("2001:db8::1", "2001:db8::ffff:1", True, id="one network"),
        pytest.param("2001:db8::1", "2001:db8:0:1::1", False, id="two networks"),
        pytest.param("fe80::1%eth0", "fe80::2%eth1", True, id="addresses with a zone"),
        pytest.param("::ffff:192.0.2.1", "::ffff:192.0.2.1", True, id="one IPv4 address in IPv6"),
        pytest.param("::ffff:192.0.2.1", "::ffff:192.0.2.2", False, id="two IPv4 addresses in IPv6"),
    ],
)
def test_clients_count_by_network(one, other, same):
    """An IPv6 client has a whole /64 of addresses."""
    assert (network_of((one, 1)) == network_of((other, 2))) is same


@pytest.mark.parametrize("client", ["", b"", "/run/socket"])
def test_client_of_a_unix_socket_has_no_network(client):
    """Whatever the system calls it."""
    assert network_of(client) is None
