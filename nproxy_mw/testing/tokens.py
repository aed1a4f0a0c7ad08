"""What is true of every `Tokens`, as tests. Subclass `TokensContract` for tokens of your own::

    class TestOurTokens(TokensContract):
        @pytest.fixture
        def tokens(self):
            return OurTokens(...)

        @pytest.fixture
        def secret(self):
            return "..."  # one that these tokens know

pytest then collects every fact below as a test of that class.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import pytest

from nproxy_mw.access import Grant, Principal, Tokens
from nproxy_mw.testing.races import in_threads
from nproxy_mw.token_format import digest

ALTERATIONS: dict[str, Callable[[str], str]] = {
    "nothing": lambda secret: "",
    "first character": lambda secret: secret[1:],
    "last character": lambda secret: secret[:-1],
    "half": lambda secret: secret[: len(secret) // 2],
    "another beginning": lambda secret: ("x" if secret[0] != "x" else "y") + secret[1:],
    "another end": lambda secret: secret[:-1] + ("x" if secret[-1] != "x" else "y"),
    "more": lambda secret: secret + "x",
    "a space": lambda secret: f"{secret} ",
    "other case": str.swapcase,
    "twice": lambda secret: f"{secret},{secret}",
    "a scheme": lambda secret: f"Bearer {secret}",
    "its hash": digest,
    "NUL": lambda secret: f"{secret}\0",
    "not ASCII": lambda secret: f"{secret}é\udc80",
    "very long": lambda secret: secret * 1000,
    "a path": lambda secret: f"../{secret}",
    "a pattern": lambda secret: "*",
}


class TokensContract:
    """What is true of every `Tokens`. Subclass it, and give it fixtures ``tokens`` and ``secret``.

    If secrets can end, give it ``ended``, too: some that were known, and are revoked or expired.
    """

    @pytest.fixture
    def tokens(self) -> Tokens:
        """Tokens that know one secret at least."""
        pytest.fail("Give this class a fixture named tokens.")

    @pytest.fixture
    def secret(self) -> str:
        """A secret that they know."""
        pytest.fail("Give this class a fixture named secret, with a secret that the tokens know.")

    @pytest.fixture
    def ended(self) -> Collection[str]:
        """Secrets that they knew."""
        return ()

    def test_holder_has_grants_and_no_upstream_authorization(self, tokens: Tokens, secret: str) -> None:
        """A known secret has a holder; it is never meant for the upstream."""
        found = tokens.find(secret)
        assert isinstance(found, Principal)
        assert isinstance(found.name, str)
        assert set(found.grants) <= set(Grant)
        assert found.upstream_authorization is None

    def test_hash_is_that_of_the_secret(self, tokens: Tokens, secret: str) -> None:
        """The hash names the token in the audit trail: it is left out, or it is the secret's own SHA-256."""
        found = tokens.find(secret)
        assert found is not None
        assert found.token_hash in ("", digest(secret))

    def test_secret_is_shown_nowhere(self, tokens: Tokens, secret: str) -> None:
        """What a log may print does not have the secret in it."""
        assert secret not in f"{tokens!r} {tokens} {tokens.find(secret)!r}"

    @pytest.mark.parametrize("alter", ALTERATIONS.values(), ids=ALTERATIONS)
    def test_another_secret_has_no_holder(self, tokens: Tokens, secret: str, alter: Callable[[str], str]) -> None:
        """Whatever is nearly the secret, or no secret at all, is None and no error."""
        if alter(secret) != secret:
            assert tokens.find(alter(secret)) is None

    def test_ended_secret_has_no_holder(self, tokens: Tokens, ended: Collection[str]) -> None:
        """A secret that was revoked, or whose time is over, is None like one that never was."""
        assert [tokens.find(secret) for secret in ended] == [None] * len(ended)

    def test_threads_find_the_same_holder(self, tokens: Tokens, secret: str) -> None:
        """Many requests ask at once."""
        found = in_threads(8, lambda number: tokens.find(secret if number % 2 else f"{secret}{number}"))
        assert found[1::2] == [tokens.find(secret)] * 4
        assert found[::2] == [None] * 4
