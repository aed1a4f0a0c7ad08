"""Typed keys in the environ."""

from __future__ import annotations

import pytest

from nproxy_mw.errors import MissingLayer
from nproxy_mw.http import context as environ_module
from nproxy_mw.http.context import DESTINATION, ORG, PRINCIPAL, REQUEST_ID, ROUTE, Key

KEYS = [REQUEST_ID, ORG, PRINCIPAL, ROUTE, DESTINATION]


def test_leave_answers_a_copy():
    """A host's own environ is never written to."""
    environ = {"PATH_INFO": "/"}
    inner = ORG.leave(environ, "acme")
    assert (inner, environ) == ({"PATH_INFO": "/", "nproxy.org": "acme"}, {"PATH_INFO": "/"})
    assert type(inner) is dict


def test_require_finds_what_was_left():
    """What one layer leaves, a layer below finds; also a value that is false."""
    key: Key[int] = Key("nproxy.count", "Counter")
    assert key.require(key.leave({}, 0), by="tests") == 0
    assert key.find(key.leave({}, 0)) == 0


def test_find_is_none_without_the_layer():
    """Looking is allowed everywhere."""
    assert ORG.find({}) is None


def test_require_names_both_layers():
    """The sentence says which layer lacks which, and what to do."""
    with pytest.raises(MissingLayer, match=r"^InternalStore found no .*: put ScopeRouter outside InternalStore \(see "):
        ROUTE.require({}, by="InternalStore")


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_names_are_ours(key):
    """Every key has the prefix that keeps it apart from a server's and a host's keys."""
    assert key.name.startswith("nproxy.")


def test_names_are_distinct():
    """No layer overwrites what another left."""
    found = [value for value in vars(environ_module).values() if isinstance(value, Key)]
    assert len({key.name for key in found}) == len(found) >= len(KEYS)
