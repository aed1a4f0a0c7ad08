"""unexpected_deps, patch_new_dependency and held_dependency."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from support.histories import NOW, ago, flagged, history_of, packument, said
from support.rule_reference import Reference

from nproxy_mw.rules.held_dependency import LOOK, HeldDependency
from nproxy_mw.rules.patch_new_dependency import PatchNewDependency
from nproxy_mw.rules.port import Knowledge, Recheck, Verdict
from nproxy_mw.rules.unexpected_deps import UnexpectedDeps


def published(*versions: tuple[str, str]) -> Any:
    """A package of (version, names of dependencies), one published a day after the other; the last, a day ago."""
    return packument(
        versions={
            version: {"time": ago(days=len(versions) - place), "dependencies": dict.fromkeys(names.split(), "*")}
            for place, (version, names) in enumerate(versions)
        }
    )


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(published(), set(), id="no version"),
        pytest.param(published(("1.0.0", "a")), set(), id="one version has nothing to compare with"),
        pytest.param(published(("1.0.0", ""), ("1.0.1", "a")), {"1.0.1"}, id="two versions"),
        pytest.param(published(("1.0.0", "a"), ("1.0.1", "a")), set(), id="two versions, nothing new"),
        pytest.param(published(("1.0.0", "a"), ("1.0.1", ""), ("1.0.2", "a")), set(), id="three: the oldest had it"),
        pytest.param(
            published(("1.0.0", ""), ("1.0.1", "a"), ("1.0.2", "a")), {"1.0.1", "1.0.2"}, id="three: both are new"
        ),
        pytest.param(
            published(("1.0.0", ""), ("1.0.1", "a"), ("1.0.2", "a"), ("1.0.3", "a")),
            {"1.0.1", "1.0.2", "1.0.3"},
            id="four: the baseline is the oldest",
        ),
        pytest.param(
            published(("1.0.0", ""), ("1.0.1", "a"), ("1.0.2", "a"), ("1.0.3", "a"), ("1.0.4", "a")),
            set(),
            id="five: the dependency is four versions old",
        ),
        pytest.param(
            published(("1.0.0", "a"), ("2.0.0", ""), ("2.0.1", ""), ("2.0.2", ""), ("1.0.1", "a b")),
            {"1.0.1"},
            id="newest by publication, not by number",
        ),
        pytest.param(
            packument(
                versions={
                    "1.0.0": {"time": ago(days=9)},
                    "1.0.1": {"time": ago(days=5), "optionalDependencies": {"a": "*"}, "devDependencies": {"b": "*"}},
                }
            ),
            set(),
            id="only dependencies count",
        ),
        pytest.param(
            packument(versions={"1.0.0": {}, "1.0.1": {"dependencies": {"a": "*"}}}),
            {"1.0.1"},
            id="no times: by number",
        ),
    ],
)
def test_unexpected_deps(document: Any, expected: set[str]) -> None:
    """One of the three newest versions with a dependency that no older version had."""
    assert flagged(UnexpectedDeps(), history_of(document)) == expected
    assert Reference(document, NOW).unexpected_deps().keys() == expected


LINES = (("1.0.0", ""), ("1.1.0", ""), ("1.2.0", ""), ("1.3.0", ""))
"""Enough versions in order that a release of an old line does not look like a mirror's import."""


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(published(("1.0.1", "a")), set(), id="the first version has no earlier one"),
        pytest.param(published(("1.0.0", ""), ("1.0.1", "a")), {"1.0.1"}, id="a patch"),
        pytest.param(published(("1.0.0", ""), ("1.1.0", "a")), set(), id="a minor version"),
        pytest.param(published(*LINES, ("1.4.0", "a"), ("1.0.1", "a")), set(), id="another line had it"),
        pytest.param(
            published(("1.0.0", ""), ("1.0.1", "a"), ("1.0.2", "a")), {"1.0.1"}, id="the second time is not new"
        ),
        pytest.param(published(("1.0.0", ""), ("1.0.1-rc.1", "a")), {"1.0.1-rc.1"}, id="a prerelease of a patch"),
        pytest.param(published(("1.0.0", ""), ("1.0.1rc1", "a")), {"1.0.1rc1"}, id="an old number"),
        pytest.param(published(("1.0.0", ""), ("one", "a")), set(), id="no number"),
        pytest.param(published(*LINES, ("1.3.1", "a"), ("1.0.1", "a")), {"1.3.1"}, id="earlier is by publication"),
        pytest.param(published(("1.0.0", ""), ("1.1.1", "a"), ("1.0.1", "a")), {"1.0.1"}, id="by a mirror, by number"),
    ],
)
def test_patch_new_dependency(document: Any, expected: set[str]) -> None:
    """A patch release with a dependency that no earlier version of any line had."""
    assert flagged(PatchNewDependency(), history_of(document)) == expected
    assert Reference(document, NOW).patch_new_dependency().keys() == expected


def test_reasons_name_the_dependencies() -> None:
    """A sentence names the first three, and counts the others."""
    document = published(("1.0.0", "z"), ("1.0.1", "z a b c d e"))
    verdicts, _ = said(UnexpectedDeps(), history_of(document))
    assert verdicts["1.0.1"].reason == "it depends on a, b, c and 2 more, which no older version does"
    verdicts, _ = said(PatchNewDependency(), history_of(document))
    assert (
        verdicts["1.0.1"].reason
        == "it is a patch release and depends on a, b, c and 2 more, which no earlier version does"
    )


def test_held_dependency_passes_on_what_is_known() -> None:
    """Verdicts on held dependencies are made where other packages can be looked at."""
    verdict = Verdict("1.0.1", "its new dependency a@^1.0.0 is held here", NOW + timedelta(hours=1))
    knowledge = Knowledge(now=NOW, held_dependencies=(verdict,))
    assert list(HeldDependency().check(history_of(published()), {}, knowledge)) == [verdict, Recheck(NOW + LOOK)]
    assert list(HeldDependency().check(history_of(published()), {}, Knowledge(now=NOW))) == []
