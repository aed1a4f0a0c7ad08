"""The engine: modes, exceptions, notes, rules that fail or ask about each other, and how long a decision holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.histories import NOW, releases

from nproxy_mw.npm.facts import History, Release
from nproxy_mw.rules.decisions import Decision, Finding, Note
from nproxy_mw.rules.engine import Configured, judge, outcomes
from nproxy_mw.rules.port import CannotTell, Knowledge, Recheck, Verdict, Word

HISTORY = History(
    name="left-pad",
    releases=releases(["1.0.0", "1.1.0", "2.0.0-rc.1", "2.0.0"]),
    tags={"latest": "2.0.0", "v1": "1.1.0"},
)
KNOWLEDGE = Knowledge(now=NOW)
HOUR = timedelta(hours=1)


class Saying:
    """A rule that says what it was made with, and then raises *error* if one is given."""

    def __init__(
        self, rule: str, *words: Any, error: Exception | None = None, fails_closed: bool = False, asks: str = ""
    ) -> None:
        self.id = rule
        self.words = words
        self.error = error
        self.fails_closed = fails_closed
        self.asks = asks
        self.runs = 0

    def check(self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge) -> Iterable[Word]:
        self.runs += 1
        yield from self.words
        if self.asks:
            yield from (
                Verdict(version, f"{self.asks} flags it") for version in sorted(knowledge.flagged_by(self.asks))
            )
        if self.error is not None:
            raise self.error


def flag(version: str, **how: Any) -> Verdict:
    return Verdict(version, "of a reason", **how)


def decide(*rules: tuple[Saying, str], covers: Callable[[str, str], datetime | None] | None = None) -> Decision:
    configured = [Configured(rule, mode) for rule, mode in rules]
    return judge(HISTORY, configured, KNOWLEDGE, covers) if covers else judge(HISTORY, configured, KNOWLEDGE)


@pytest.mark.parametrize(
    ("mode", "verdict", "place"),
    [
        pytest.param("block", flag("2.0.0"), "blocked", id="block"),
        pytest.param("warn", flag("2.0.0"), "warned", id="warn"),
        pytest.param("off", flag("2.0.0"), None, id="off"),
        pytest.param("block", flag("2.0.0", only_warns=True), "warned", id="a verdict that only warns"),
        pytest.param("warn", flag("2.0.0", only_warns=True), "warned", id="a warning stays one"),
    ],
)
def test_modes(mode: str, verdict: Verdict, place: str | None) -> None:
    """A verdict counts as the mode of its rule says."""
    rule = Saying("x", verdict)
    decision = decide((rule, mode))
    found = {"blocked": decision.blocked, "warned": decision.warned, "excepted": decision.excepted}
    assert {name for name, versions in found.items() if versions} == ({place} if place else set())
    assert rule.runs == (mode != "off")
    assert ("2.0.0" in decision.allowed) == (place != "blocked")


def test_stripped_in_one_pass() -> None:
    """What any rule blocks is gone, once, and tags are repaired for what is left."""
    decision = decide((Saying("x", flag("2.0.0")), "block"), (Saying("y", flag("2.0.0"), flag("1.1.0")), "block"))
    assert decision.allowed == ("1.0.0", "2.0.0-rc.1")
    assert [finding.rule for finding in decision.blocked["2.0.0"]] == ["x", "y"]
    assert decision.tags == {"latest": "1.0.0", "v1": "1.0.0"}
    assert decision.moved == {"latest": "2.0.0", "v1": "1.1.0"}


def test_warned_and_blocked() -> None:
    """A version that one rule blocks and another warns of is gone; both findings are there."""
    decision = decide((Saying("x", flag("2.0.0")), "block"), (Saying("y", flag("2.0.0")), "warn"))
    assert "2.0.0" not in decision.allowed
    assert decision.warned == {"2.0.0": (Finding("y", "of a reason"),)}


def test_nothing_is_decided() -> None:
    """Without findings everything stays as it is."""
    decision = decide((Saying("x"), "block"))
    assert decision.allowed == ("1.0.0", "1.1.0", "2.0.0-rc.1", "2.0.0")
    assert (decision.tags, decision.moved, decision.valid_until) == (HISTORY.tags, {}, None)
    assert not decision.blocks_everything


def test_everything_is_blocked() -> None:
    """When no version is left, no tag is either."""
    decision = decide((Saying("x", *(flag(release.version) for release in HISTORY.releases)), "block"))
    assert decision.blocks_everything
    assert (decision.allowed, decision.tags) == ((), {})


def test_versions_that_are_not_listed() -> None:
    """A version that the upstream removed can be blocked, so that its tarball is refused."""
    decision = decide((Saying("x", flag("1.0.9")), "block"))
    assert "1.0.9" in decision.blocked
    assert len(decision.allowed) == len(HISTORY.releases)


# Exceptions.


def test_exception_covers_one_rule() -> None:
    """An exception lets a version through one rule, and no other."""
    rules = (Saying("x", flag("2.0.0")), "block"), (Saying("y", flag("2.0.0")), "block")
    decision = decide(*rules, covers=lambda version, rule: NOW + HOUR if rule == "x" else None)
    assert [finding.rule for finding in decision.excepted["2.0.0"]] == ["x"]
    assert [finding.rule for finding in decision.blocked["2.0.0"]] == ["y"]


def test_exception_ends() -> None:
    """A decision that rests on an exception holds no longer than that."""
    verdict = flag("2.0.0", until=NOW + 2 * HOUR)
    decision = decide((Saying("x", verdict), "block"), covers=lambda version, rule: NOW + HOUR)
    assert decision.allowed[-1] == "2.0.0"
    assert decision.valid_until == NOW + HOUR


def test_exception_covers_a_warning() -> None:
    """What is excepted is not warned of either."""
    decision = decide((Saying("x", flag("2.0.0")), "warn"), covers=lambda version, rule: NOW + HOUR)
    assert (decision.warned, set(decision.excepted)) == ({}, {"2.0.0"})


# How long it holds.


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param([], None, id="nothing ends"),
        pytest.param([flag("1.0.0")], None, id="a flag without an end"),
        pytest.param([flag("1.0.0", until=NOW + HOUR), flag("1.1.0", until=NOW + 2 * HOUR)], HOUR, id="the first end"),
        pytest.param([Recheck(NOW + HOUR)], HOUR, id="a recheck"),
        pytest.param([flag("1.0.0", until=NOW + 2 * HOUR), Recheck(NOW + HOUR)], HOUR, id="a recheck before an end"),
        pytest.param([flag("1.0.0", until=NOW), Recheck(NOW - HOUR)], None, id="what is over does not count"),
    ],
)
@pytest.mark.parametrize("mode", ["block", "warn"])
def test_valid_until(words: list[Any], expected: timedelta | None, mode: str) -> None:
    """A decision holds until the first of its flags ends by itself, or a rule wants to look again."""
    assert decide((Saying("x", *words), mode)).valid_until == (NOW + expected if expected else None)


@pytest.mark.parametrize(
    ("untils", "expected"),
    [
        pytest.param([HOUR], HOUR, id="one flag"),
        pytest.param([HOUR, 3 * HOUR], 3 * HOUR, id="the last of two"),
        pytest.param([HOUR, None], None, id="one that does not end"),
        pytest.param([None], None, id="none that ends"),
    ],
)
def test_available_from(untils: list[timedelta | None], expected: timedelta | None) -> None:
    """A version is available when the last of its flags has ended, if all of them end."""
    rules = [
        (Saying(f"r{place}", flag("2.0.0", until=NOW + until if until else None)), "block")
        for place, until in enumerate(untils)
    ]
    assert decide(*rules).available_from("2.0.0") == (NOW + expected if expected else None)
    assert decide(*rules).available_from("1.0.0") is None


# Notes, and rules that fail.


def test_notes() -> None:
    """What a rule cannot tell is told once, and only of rules that are not off."""
    word = CannotTell("the upstream does not say")
    decision = decide((Saying("x", word, word), "warn"), (Saying("y", word), "off"))
    assert decision.notes == (Note("x", "cannot-tell", "the upstream does not say"),)


def test_failing_rule() -> None:
    """A rule that raises does not stop the others; what it flagged before stands, and a note tells of it."""
    failing = Saying("x", flag("1.0.0"), error=RuntimeError("secret"))
    decision = decide((failing, "block"), (Saying("y", flag("1.1.0")), "block"))
    assert decision.blocked.keys() == {"1.0.0", "1.1.0"}
    assert decision.notes == (Note("x", "failed", "the rule failed on this package: RuntimeError"),)


def test_failing_closed() -> None:
    """A rule that fails closed flags every version."""
    failing = Saying("x", error=ValueError(), fails_closed=True)
    assert decide((failing, "block")).blocks_everything
    assert len(decide((failing, "warn")).warned) == len(HISTORY.releases)


@pytest.mark.parametrize(
    "word",
    [
        pytest.param("1.0.0", id="a text"),
        pytest.param(Verdict(version=1, reason="x"), id="a version that is no text"),  # type: ignore[arg-type]
        pytest.param(None, id="nothing"),
        pytest.param(Verdict(version="1.0.0", reason=None), id="no reason"),  # type: ignore[arg-type]
        pytest.param(flag("1.0.0", until=datetime(2026, 11, 27)), id="a moment without a zone"),  # noqa: DTZ001
    ],
)
def test_words_that_are_none(word: Any) -> None:
    """A rule of a host may yield anything: it fails, and the decision is made without it."""
    decision = decide((Saying("x", word), "block"), (Saying("y", flag("1.1.0", until=NOW + HOUR)), "block"))
    assert decision.blocked.keys() == {"1.1.0"}
    assert [note.kind for note in decision.notes] == ["failed"]


def test_reasons_are_made_plain() -> None:
    """A reason comes to terminals and headers: it is printable, on one line, and bounded."""
    decision = decide((Saying("x", Verdict("1.0.0", "a\x1b[31m\r\nb" + "c" * 1000)), "block"))
    reason = decision.blocked["1.0.0"][0].reason
    assert reason.startswith("a [31m bccc")
    assert len(reason) == 500


# Rules that ask about each other.


def test_flagged_by() -> None:
    """A rule hears what another flags, whatever the other's mode, and the other runs once."""
    other = Saying("y", flag("1.0.0"))
    asking = Saying("x", asks="y")
    for mode in ("block", "warn", "off"):
        other.runs = 0
        decision = decide((asking, "block"), (other, mode))
        assert "1.0.0" in decision.blocked
        assert other.runs == 1
    assert decide((asking, "block")).blocked == {}  # nobody is called y


def test_off_costs_nothing() -> None:
    """A rule that is off runs only when another asks for it."""
    other = Saying("y", flag("1.0.0"))
    decide((Saying("x"), "block"), (other, "off"))
    assert other.runs == 0


@pytest.mark.parametrize("rules", [[("x", "x")], [("x", "y"), ("y", "x")], [("x", "y"), ("y", "z"), ("z", "x")]])
def test_rules_in_a_circle(rules: list[tuple[str, str]]) -> None:
    """Rules that ask about each other in a circle see what was flagged so far; nothing recurses."""
    made = [Configured(Saying(rule, flag("1.0.0"), asks=asked), "block") for rule, asked in rules]
    found = outcomes(HISTORY, made, KNOWLEDGE)
    assert all(outcome.versions == {"1.0.0"} for outcome in found.values())
    assert all(outcome.notes == [] for outcome in found.values())


# Order.


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        pytest.param(HISTORY, False, id="in order"),
        pytest.param(
            History(
                name="x",
                releases=(Release(version="1.0.0", published=NOW), Release(version="1.0.1", published=NOW - HOUR)),
            ),
            True,
            id="a mirror's times",
        ),
        pytest.param(
            History(name="x", releases=(Release(version="1.0.0"), Release(version="1.0.1"))), True, id="no times"
        ),
        pytest.param(History(name="x", releases=(Release(version="1.0.0"),)), False, id="one version has no order"),
        pytest.param(History(name="x"), False, id="no version"),
    ],
)
def test_by_number(history: History, expected: bool) -> None:
    """It is said when versions could not be ordered by publication."""
    assert judge(history, [], KNOWLEDGE).by_number is expected
