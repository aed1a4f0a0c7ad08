"""Who may do what."""

from __future__ import annotations

import pytest

from nproxy_mw.access import ANONYMOUS, Grant, Principal, require
from nproxy_mw.errors import Forbidden, Unauthenticated


@pytest.mark.parametrize("grant", Grant)
def test_holder_of_the_grant_passes(grant):
    """A token with the scope may."""
    require(Principal(token_hash="00", grants=frozenset({grant})), grant)


@pytest.mark.parametrize("grant", Grant)
def test_neither_grant_implies_the_other(grant):
    """A token with every other scope is refused with 403, and the sentence names the scope it lacks."""
    with pytest.raises(Forbidden, match=f"'{grant.value}'") as caught:
        require(Principal(token_hash="00", grants=frozenset(Grant) - {grant}), grant)
    assert caught.value.code == "missing-scope"


@pytest.mark.parametrize("grant", Grant)
@pytest.mark.parametrize("who", [ANONYMOUS, Principal(upstream_authorization="Bearer npm_x")], ids=["nobody", "npm's"])
def test_without_a_token_of_ours_it_is_401(who, grant):
    """A token of the upstream opens nothing here."""
    with pytest.raises(Unauthenticated, match=f"'{grant.value}'"):
        require(who, grant)


def test_grants_without_a_token_open_nothing():
    """Grants count with the token they came by."""
    with pytest.raises(Unauthenticated):
        require(Principal(name="x", grants=frozenset(Grant)), Grant.PROXY)


def test_upstream_authorization_is_out_of_repr():
    """What is logged by accident shows no credentials."""
    assert "npm_x" not in repr(Principal(upstream_authorization="Bearer npm_x"))
