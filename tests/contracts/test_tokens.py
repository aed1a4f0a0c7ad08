"""Every `Tokens` that the library has keeps the contract."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any

import pytest
from support.registry import ACTOR, RegistryFixture

from nproxy_mw.access import Grant, Principal, Tokens
from nproxy_mw.http.context import CONTEXT, Context
from nproxy_mw.middleware.authenticate import Authenticate
from nproxy_mw.orgs.tokens import StaticTokens, TokenStore
from nproxy_mw.testing import TokensContract
from nproxy_mw.times import utc_now
from nproxy_mw.token_format import digest, make_secret


class Known(TokensContract):
    """The contract, and what `Authenticate` makes of the answers."""

    @pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
    def test_request_with_the_secret_is_known_and_keeps_it_here(self, tokens: Tokens, secret: str, scheme: str) -> None:
        """The caller is known by the secret's hash, and no layer below sees the secret."""
        context = Context("0" * 32)
        seen: list[dict[str, Any]] = []

        def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            seen.append(environ)
            return []

        environ = {CONTEXT: context, "HTTP_AUTHORIZATION": f"{scheme} {secret}"}
        list(Authenticate(application, tokens=tokens)(environ, lambda *_: lambda data: None))
        assert context.principal is not None
        assert context.principal.token_hash == digest(secret)
        assert context.principal.upstream_authorization is None
        assert "HTTP_AUTHORIZATION" not in seen[0]


class TestStaticTokens(Known):
    """Tokens out of the host's own code."""

    @pytest.fixture
    def secret(self) -> str:
        return make_secret()

    @pytest.fixture
    def tokens(self, secret: str) -> StaticTokens:
        return StaticTokens({secret: Principal("ci", frozenset(Grant)), make_secret(): Principal("other")})


class TestTokenStore(Known):
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


class TestOwnTokens(Known):
    """What a host writes in five lines."""

    @pytest.fixture
    def tokens(self) -> OwnTokens:
        return OwnTokens()

    @pytest.fixture
    def secret(self) -> str:
        return "glpat-of-our-own"
