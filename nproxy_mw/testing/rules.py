"""What is true of every `Rule`, as tests. Subclass `RuleContract` for a rule of your own::

    class TestNoPrereleases(RuleContract):
        @pytest.fixture
        def rule(self):
            return NoPrereleases()

        @pytest.fixture
        def parameters(self):
            return {}  # what the organization sets on the rule

pytest then collects every fact below as a test of that class.
"""

from __future__ import annotations

import builtins
import io
import os
import re
import socket
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nproxy_mw.intelligence.port import Alert
from nproxy_mw.npm.facts import PROVENANCE, History, Release
from nproxy_mw.rules.port import CannotTell, Knowledge, Recheck, Rule, Verdict, Word

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
_ID = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)


def _releases(count: int, every: timedelta, **facts: Any) -> tuple[Release, ...]:
    return tuple(
        Release(version=f"1.{number}.0", published=NOW - every * (count - number), **facts) for number in range(count)
    )


HISTORIES = {
    "empty": History(name="left-pad"),
    "one version": History(name="left-pad", releases=_releases(1, timedelta(hours=1)), created=NOW),
    "many": History(name="left-pad", releases=_releases(40, timedelta(days=9)), created=NOW - timedelta(days=400)),
    "no times": History(name="@acme/utils", releases=(Release(version="1.0.0"), Release(version="1.0.1"))),
    "no numbers": History(name="x", releases=(Release(version=""), Release(version="latest", published=NOW))),
    "prereleases": History(name="x", releases=tuple(Release(version=f"1.0.0-{number}") for number in range(9))),
    "from the future": History(name="x", releases=_releases(6, timedelta(days=-30)), created=NOW + timedelta(days=9)),
    "everything": History(
        name="x",
        releases=(
            *_releases(8, timedelta(days=30), publisher="ann", evidence=PROVENANCE, dependencies={"a": "^1.0.0"}),
            Release(
                version="1.8.1",
                published=NOW - timedelta(minutes=1),
                publisher="eve",
                scripts={"postinstall": "node evil.js"},
                dependencies={"a": "^1.0.0", "b": "git+ssh://git.example/b"},
                gypfile=True,
            ),
        ),
        created=NOW - timedelta(days=300),
        removed=frozenset({"1.9.0"}),
        maintainers=("ann",),
    ),
}
KNOWN = ("nothing known", "cannot be asked", "in part", "much known")


def knowledge_of(history: History, how: str) -> Knowledge:
    """Returns what is known about the package, one of `KNOWN`."""
    match how:
        case "cannot be asked":
            return Knowledge(now=NOW, alerts=None)
        case "in part":
            return Knowledge(now=NOW, incomplete=True)
        case "much known":
            versions = [release.version for release in history.releases]
            return Knowledge(
                now=NOW,
                alerts=(
                    *(Alert(version=one, kind="malware", id="MAL-1", every_version=True) for one in versions[:1]),
                    *(Alert(version=one, kind="vulnerability", id="GHSA-1", severity="high") for one in versions[-2:]),
                ),
                score=0.1,
                withdrawn=frozenset(versions[-1:]),
                held_dependencies=tuple(Verdict(one, "its new dependency is held here") for one in versions[-1:]),
                mismatches=dict.fromkeys(versions[:2], "its scripts differ"),
            )
    return Knowledge(now=NOW)


class RuleContract:
    """What is true of every `Rule`. Subclass it, and give it a fixture ``rule``, and ``parameters`` if it has some."""

    @pytest.fixture
    def rule(self) -> Rule:
        """The rule."""
        pytest.fail("Give this class a fixture named rule.")

    @pytest.fixture
    def parameters(self) -> Mapping[str, Any]:
        """The rule's settings without the mode."""
        return {}

    @pytest.fixture(params=HISTORIES.values(), ids=list(HISTORIES))
    def history(self, request: pytest.FixtureRequest) -> Any:
        """A package; the tests run for each of `HISTORIES`."""
        return request.param

    @pytest.fixture(params=KNOWN)
    def knowledge(self, request: pytest.FixtureRequest, history: History) -> Knowledge:
        """What is known about it; the tests run for each of `KNOWN`."""
        return knowledge_of(history, request.param)

    def test_id_is_a_name_for_settings(self, rule: Rule) -> None:
        """Lower-case letters, digits and ``_``: it stands in settings, in responses and in the audit trail."""
        assert _ID.fullmatch(rule.id)

    def test_words_are_about_the_history(
        self, rule: Rule, parameters: Mapping[str, Any], history: History, knowledge: Knowledge
    ) -> None:
        """A verdict is about a version of the package, with a clause for people; every moment has a zone."""
        versions = {release.version for release in history.releases} | history.removed
        for word in _words(rule, parameters, history, knowledge):
            match word:
                case Verdict():
                    assert word.version in versions
                    assert word.reason.strip()
                    assert not word.reason.endswith(".")
                    assert word.until is None or word.until.utcoffset() is not None
                case CannotTell():
                    assert word.reason.strip()
                case Recheck():
                    assert word.at.utcoffset() is not None
                case _:
                    pytest.fail(f"{word!r} is no word of a rule.")

    def test_same_question_has_the_same_answer(
        self, rule: Rule, parameters: Mapping[str, Any], history: History, knowledge: Knowledge
    ) -> None:
        """A rule remembers nothing, changes nothing that it is given, and knows only what it is given."""
        given = dict(parameters)
        first = _words(rule, parameters, history, knowledge)
        assert _words(rule, parameters, history, knowledge) == first
        assert dict(parameters) == given

    def test_rule_reaches_no_file_and_no_network(
        self,
        rule: Rule,
        parameters: Mapping[str, Any],
        history: History,
        knowledge: Knowledge,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Neither is there while the rule is asked, and it says what it says with them."""
        expected = _words(rule, parameters, history, knowledge)
        with monkeypatch.context() as patch:
            for module, name in ((builtins, "open"), (io, "open"), (os, "open"), (socket, "socket")):
                patch.setattr(module, name, _refuse)
            found = _words(rule, parameters, history, knowledge)
        assert found == expected


def _words(rule: Rule, parameters: Mapping[str, Any], history: History, knowledge: Knowledge) -> list[Word]:
    return list(rule.check(history, parameters, knowledge))


def _refuse(*_: object, **__: object) -> Any:
    raise AssertionError("A rule reached for a file or the network.")
