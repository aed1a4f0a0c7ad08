"""exotic_dependency: what is code from outside a registry, and when it blocks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.histories import NOW, flagged, history_of, packument, said
from support.rule_reference import Reference

from nproxy_mw.rules.exotic_dependency import ExoticDependency, is_exotic
from nproxy_mw.rules.port import Knowledge

EXOTIC = [
    "git://host.example/a.git",
    "git+ssh://git@host.example:22/a.git#semver:^1",
    "git+https://host.example/a.git",
    "git+file:///tmp/a",
    "ssh://git@host.example/a",
    "http://host.example/a.tgz",
    "HTTPS://host.example/a.tgz",
    "file:../a",
    "link:../a",
    "../a",
    ".",
    "./a",
    "/a",
    "~/a",
    "C:\\a",
    "c:a",
    "github:owner/repo",
    "gitlab:owner/repo#main",
    "bitbucket:owner/repo",
    "gist:11081aaa281",
    "owner/repo",
    "owner/repo#semver:^1.0.0",
    "git@host.example:owner/repo.git",
    "git@host.example:repo",
    "user:password@host.example/a",
    "a.tgz",
    "a.tar.gz",
    "a.TAR",
    "  git://host.example/a.git",
    "a.tgz ",
    " .",
    " " * 2000 + "github:owner/repo",
    "https://host.example/-/git/a",
]
ORDINARY = [
    "",
    "*",
    "1.0.0",
    "^1.2.3 || >=2.0.0-rc.1 <3",
    "1.x - 2.x",
    "~1",
    "latest",
    "next-11",
    "v1.0.0",
    "npm:other@^1.0.0",
    "NPM:@scope/other@1",
    "npm:@scope/other",
    "workspace:*",
    "workspace:packages/a",
    "catalog:",
    "jsr:@std/path@1",
]


@pytest.mark.parametrize("specifier", EXOTIC)
def test_exotic(specifier: str) -> None:
    """It names code outside a registry."""
    assert is_exotic(specifier)


@pytest.mark.parametrize("specifier", ORDINARY)
def test_ordinary(specifier: str) -> None:
    """A range, a tag or an alias is asked of the registry."""
    assert not is_exotic(specifier)


@given(st.text())
def test_any_text_has_an_answer(specifier: str) -> None:
    """Nothing that stands in a manifest makes the rule fail."""
    assert is_exotic(specifier) in (True, False)


G = {"x": "github:a/b"}


def with_dependencies(**versions: dict[str, str]) -> Any:
    """A package whose versions v1_0_0, ... have these dependencies."""
    return packument(
        versions={
            name[1:].replace("_", ".").replace("rc", "-rc"): {"dependencies": dependencies}
            for name, dependencies in versions.items()
        }
    )


@pytest.mark.parametrize(
    ("document", "blocks", "warns"),
    [
        pytest.param(with_dependencies(v1_0_0=G), {"1.0.0"}, set(), id="a first version"),
        pytest.param(with_dependencies(v1_0_0={}, v1_0_1=G), {"1.0.1"}, set(), id="new"),
        pytest.param(with_dependencies(v1_0_0=G, v1_0_1=G), {"1.0.0"}, {"1.0.1"}, id="the one before had it"),
        pytest.param(
            with_dependencies(v1_0_0=G, v1_0_1={"y": "file:z"}), {"1.0.0"}, {"1.0.1"}, id="the one before had another"
        ),
        pytest.param(with_dependencies(v1_0_0=G, v2_0_0=G), {"1.0.0", "2.0.0"}, set(), id="a new major version"),
        pytest.param(
            with_dependencies(v1_0_0={}, v1_0_1rc=G, v1_0_1=G), {"1.0.1-rc", "1.0.1"}, set(), id="a prerelease had it"
        ),
        pytest.param(with_dependencies(v1_0_0={"x": "^1.0.0"}), set(), set(), id="none"),
        pytest.param(
            packument(versions={"1.0.0": {"optionalDependencies": G}}), {"1.0.0"}, set(), id="an optional one"
        ),
        pytest.param(
            packument(versions={"1.0.0": {"dependencies": G, "optionalDependencies": {"x": "1.0.0"}}}),
            {"1.0.0"},
            set(),
            id="hidden by an optional one of the same name",
        ),
        pytest.param(
            packument(versions={"1.0.0": {"devDependencies": G, "peerDependencies": G}}),
            set(),
            set(),
            id="others do not count",
        ),
    ],
)
def test_blocks(document: Any, blocks: set[str], warns: set[str]) -> None:
    """It blocks where the highest lower stable version of the same major had none, and warns elsewhere."""
    verdicts, _ = said(ExoticDependency(), history_of(document))
    assert {version for version, verdict in verdicts.items() if not verdict.only_warns} == blocks
    assert {version for version, verdict in verdicts.items() if verdict.only_warns} == warns
    expected = Reference(document, NOW).exotic_dependency()
    assert {version: (verdict.until, verdict.only_warns) for version, verdict in verdicts.items()} == expected


def test_says() -> None:
    """It names the dependency and where it would come from."""
    verdicts, _ = said(ExoticDependency(), history_of(with_dependencies(v1_0_0={"setup": "github:a/b#1234"})))
    assert verdicts["1.0.0"].reason == "it takes setup (github:a/b#1234) from outside the registry"


def test_own_git_urls() -> None:
    """What this registry serves itself comes from it; the same path elsewhere does not."""
    own = Knowledge(now=NOW, own_git=("https://npm.example/-/git/",))
    document = with_dependencies(
        v1_0_0={"a": "https://npm.example/-/git/github.com/a/b.tgz"}, v2_0_0={"a": "https://evil.example/-/git/a.tgz"}
    )
    assert flagged(ExoticDependency(), history_of(document), own) == {"2.0.0"}
    assert flagged(ExoticDependency(), history_of(document)) == {"1.0.0", "2.0.0"}
