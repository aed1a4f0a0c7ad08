"""The contracts notice what is broken: each line is an implementation with one fault, and the test that must fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nproxy_mw.access import Principal, User
from nproxy_mw.intelligence.port import Alert
from nproxy_mw.npm.facts import Release
from nproxy_mw.npm.names import Name
from nproxy_mw.rules.port import Verdict
from nproxy_mw.signing.keys import Ed25519Signer
from nproxy_mw.testing import (
    AuthenticatorContract,
    IntelligenceContract,
    LocksContract,
    PackageSourceContract,
    RuleContract,
    SignerContract,
    TokensContract,
)
from nproxy_mw.testing.package_source import ABSENT, PACKAGE, LeftPad
from nproxy_mw.testing.rules import HISTORIES, knowledge_of
from nproxy_mw.token_format import digest

MANY = HISTORIES["many"]


class AnyCase:
    """Tokens that do not look at case."""

    def find(self, secret: str) -> Principal | None:
        return Principal("ci") if secret.lower() == "secret" else None


class Leaking:
    """Tokens that send what they know to the upstream."""

    def find(self, secret: str) -> Principal | None:
        return Principal("ci", token_hash=digest(secret), upstream_authorization=f"Bearer {secret}")


class Trusting(Ed25519Signer):
    """A signer that signs only the beginning."""

    def sign(self, data: bytes) -> bytes:
        return super().sign(data[:4])


class Talkative:
    """Intelligence that tells of every version."""

    revision = "1"

    def alerts(self, name: str, releases: Sequence[Release]) -> tuple[Alert, ...]:
        return (Alert(version="1.0.0", kind="malware", id="X"),)


class Inventive:
    """A rule that flags a version that is not there."""

    id = "inventive"

    def check(self, history: Any, parameters: Any, knowledge: Any) -> Iterator[Verdict]:
        yield Verdict("99.0.0", "it is new")


class Forgetful:
    """A rule that says something else each time."""

    id = "forgetful"

    def __init__(self) -> None:
        self.asked = 0

    def check(self, history: Any, parameters: Any, knowledge: Any) -> Iterator[Verdict]:
        self.asked += 1
        yield Verdict("1.0.0", f"asked {self.asked} times")


class Reading:
    """A rule that reads a file."""

    id = "reading"

    def check(self, history: Any, parameters: Any, knowledge: Any) -> Iterator[Verdict]:
        with Path(__file__).open() as file:
            yield Verdict("1.0.0", file.readline())


class Stale(LeftPad):
    """A source that never says that nothing changed."""

    def packument(self, name: Name, *, unless: str = "", for_write: bool = False) -> Any:
        return super().packument(name)


class Substituting(LeftPad):
    """A source that hands out another tarball than the packument describes."""

    def tarball(self, name: Name, filename: str, part: Any = None) -> Any:
        return super().tarball(name, name.tarball("1.0.0"))


class Open:
    """Locks that anybody can hold."""

    @contextmanager
    def hold(self, name: str, timeout: float) -> Iterator[None]:
        yield


def everybody(environ: Any) -> User:
    return User("ann")


BROKEN: dict[str, Callable[[], object]] = {
    "tokens: case": lambda: TokensContract().test_another_secret_has_no_holder(AnyCase(), "secret", str.swapcase),
    "tokens: upstream": lambda: TokensContract().test_holder_has_grants_and_no_upstream_authorization(Leaking(), "x"),
    "tokens: ended": lambda: TokensContract().test_ended_secret_has_no_holder(AnyCase(), ["secret"]),
    "users: strangers": lambda: AuthenticatorContract().test_stranger_is_nobody(everybody),
    "users: tokens": lambda: AuthenticatorContract().test_api_token_is_nobody(everybody),
    "signer: data": lambda: SignerContract().test_signature_is_over_all_of_the_data(Trusting(), b"12345"),
    "intelligence: unasked": lambda: IntelligenceContract().test_only_what_was_asked_about_is_answered(
        Talkative(), ("x", "1.0.0")
    ),
    "intelligence: unknown": lambda: IntelligenceContract().test_unknown_package_has_no_alerts(Talkative(), "y"),
    "rule: versions": lambda: RuleContract().test_words_are_about_the_history(
        Inventive(), {}, MANY, knowledge_of(MANY, "")
    ),
    "rule: memory": lambda: RuleContract().test_same_question_has_the_same_answer(
        Forgetful(), {}, MANY, knowledge_of(MANY, "")
    ),
    "source: revision": lambda: PackageSourceContract().test_revision_names_the_state(Stale(), PACKAGE),
    "source: tarball": lambda: PackageSourceContract().test_tarball_is_that_of_its_version(Substituting(), PACKAGE),
}


@pytest.mark.parametrize("run", BROKEN.values(), ids=BROKEN)
def test_fault_is_noticed(run: Callable[[], object]) -> None:
    """The test of the contract fails by its assertion."""
    with pytest.raises(AssertionError):
        run()


def test_other_faults_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that end in a failure of pytest, or that need its help."""
    with pytest.raises(pytest.fail.Exception):
        LocksContract().test_held_is_held_for_everybody(Open())
    with pytest.raises(pytest.fail.Exception):
        PackageSourceContract().test_absent_package_is_not_found(LeftPad(ABSENT), ABSENT)
    with pytest.raises(AssertionError, match="reached for a file"):
        RuleContract().test_rule_reaches_no_file_and_no_network(
            Reading(), {}, MANY, knowledge_of(MANY, ""), monkeypatch
        )
