"""Every `Tokens` that the library has keeps the contract."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import pytest
from support.registry import ACTOR, RegistryFixture

from nproxy_mw.access import Grant, Principal
from nproxy_mw.orgs.tokens import StaticTokens, TokenStore
from nproxy_mw.testing import TokensContract
from nproxy_mw.times import utc_now
from nproxy_mw.token_format import make_secret


class TestStaticTokens(TokensContract):
    """Tokens out of the host's own code."""

    @pytest.fixture
    def secret(self) -> str:
        return make_secret()

    @pytest.fixture
    def tokens(self, secret: str) -> StaticTokens:
        return StaticTokens({secret: Principal("ci", frozenset(Grant)), make_secret(): Principal("other")})


class TestTokenStore(TokensContract):
    """Tokens that are stored."""

    @pytest.fixture
    def tokens(self, acme: RegistryFixture) -> TokenStore:
        return TokenStore(acme.organization.storage, trail=acme.organization.trail)

    @pytest.fixture
    def secret(self, tokens: TokenStore) -> str:
        return tokens.create("ci", list(Grant), actor=ACTOR)[0]

    @pytest.fixture
    def ended(self, tokens: TokenStore) -> Collection[str]:
        revoked, record = tokens.create("revoked", ["proxy"], actor=ACTOR)
        assert tokens.find(revoked) is not None
        tokens.revoke(record.id, actor=ACTOR)
        expired, _ = tokens.create("expired", ["proxy"], actor=ACTOR, expires_at=utc_now() + timedelta(days=1))
        assert tokens.find(expired) is not None
        tokens.clock = lambda: utc_now() + timedelta(days=2)
        return revoked, expired


class OwnTokens:
    """A host's own: secrets of another form, and principals without a hash."""

    def find(self, secret: str) -> Principal | None:
        return Principal("ci", frozenset({Grant.PROXY})) if secret == "glpat-of-our-own" else None


class TestOwnTokens(TokensContract):
    """What a host writes in five lines."""

    @pytest.fixture
    def tokens(self) -> OwnTokens:
        return OwnTokens()

    @pytest.fixture
    def secret(self) -> str:
        return "glpat-of-our-own"
