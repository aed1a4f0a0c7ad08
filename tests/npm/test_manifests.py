"""Manifest confusion: what clients correct is the same, what is a lie is not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.errors import BadRequest
from nproxy_mw.npm import package_json as corrected
from nproxy_mw.npm.hosted_git import meaning
from nproxy_mw.npm.manifests import check_same

BASE = {"name": "@acme/utils", "version": "1.0.0"}

HONEST = [
    pytest.param({}, {}, id="nothing"),
    pytest.param({"name": " @acme/utils "}, {}, id="spaces around the name"),
    pytest.param({"version": "v1.0.0"}, {}, id="a v before the version"),
    pytest.param({"version": " = v1.0.0 "}, {}, id="an equals sign before the version"),
    pytest.param({"version": "01.0.0"}, {}, id="zeros before the version"),
    pytest.param({"version": "1.0.0+b1"}, {}, id="a build part that npm drops"),
    pytest.param({"version": "1.0.0+b1"}, {"version": "1.0.0+b1"}, id="a build part that yarn keeps"),
    pytest.param({"version": "1.0.0beta.01"}, {"version": "1.0.0-beta.1"}, id="a loose prerelease"),
    pytest.param({"dependencies": {"a": "^1"}}, {"dependencies": {"a": "^1"}}, id="dependencies"),
    pytest.param({"dependencies": {}}, {}, id="empty dependencies"),
    pytest.param({"dependencies": None, "optionalDependencies": None}, {}, id="null dependencies"),
    pytest.param({"dependencies": {"a": 1, "b": "1"}}, {"dependencies": {"b": "1"}}, id="a number as a specifier"),
    pytest.param({"dependencies": {"a": 1}}, {"dependencies": {"a": 1}}, id="the same number"),
    pytest.param(
        {"dependencies": ["a@1.0.0", "b >2", "c", 5]},
        {"dependencies": {"a": "1.0.0", "b": ">2", "c": ""}},
        id="a list of dependencies",
    ),
    pytest.param({"dependencies": "a@1, b"}, {"dependencies": {"a": "1", "b": ""}}, id="a line of dependencies"),
    pytest.param(
        {"dependencies": {"a": "1", "b": "2"}, "optionalDependencies": {"b": "2"}},
        {"dependencies": {"a": "1"}, "optionalDependencies": {"b": "2"}},
        id="optional ones taken out",
    ),
    pytest.param(
        {"dependencies": {"a": "1"}, "optionalDependencies": {"b": "2"}},
        {"dependencies": {"a": "1", "b": "2"}, "optionalDependencies": {"b": "2"}},
        id="optional ones copied, as npm 6 does",
    ),
    pytest.param({"dependencies": {"a": "npm/cli"}}, {"dependencies": {"a": "github:npm/cli"}}, id="a repository"),
    pytest.param({"peerDependencies": None}, {"peerDependencies": {}}, id="no peers"),
    pytest.param(
        {"bundledDependencies": ["a"]}, {"bundleDependencies": ["a"], "dependencies": {"a": "*"}}, id="bundled"
    ),
    pytest.param(
        {"bundleDependencies": True, "dependencies": {"a": "1"}},
        {"bundleDependencies": ["a"], "dependencies": {"a": "1"}},
        id="all bundled",
    ),
    pytest.param(
        {"bundleDependencies": {"a": "1"}, "dependencies": {"a": "1"}},
        {"bundleDependencies": ["a"], "dependencies": {"a": "1"}},
        id="a map of bundled ones",
    ),
    pytest.param({"bundleDependencies": False}, {"bundleDependencies": []}, id="none bundled"),
    pytest.param(
        {"bundleDependencies": ["a"], "bundledDependencies": ["b"]},
        {"bundleDependencies": ["a"], "bundledDependencies": ["b"]},
        id="both spellings, as they came",
    ),
    pytest.param({"scripts": None}, {}, id="null scripts"),
    pytest.param({"scripts": "none"}, {}, id="a string as scripts"),
    pytest.param({"scripts": {"a": 1, "b": ""}}, {"scripts": {"b": ""}}, id="a script that is no string"),
    pytest.param({"scripts": {"a": "./node_modules/.bin/x"}}, {"scripts": {"a": "x"}}, id="a path to a local binary"),
    pytest.param({}, {"scripts": {"install": "node-gyp rebuild"}, "gypfile": True}, id="a gyp build"),
    pytest.param({"scripts": {"install": ""}}, {"scripts": {"install": "node-gyp rebuild"}}, id="an empty install"),
    pytest.param({}, {"scripts": {"start": "node server.js"}}, id="a server"),
    pytest.param({"bin": "./cli.js"}, {"bin": {"utils": "cli.js"}}, id="one command"),
    pytest.param({"bin": ["./c.js", "b/o.js"]}, {"bin": {"c.js": "c.js", "o.js": "b/o.js"}}, id="a list of commands"),
    pytest.param(
        {"bin": {"x": "./b/../cli.js", "@s/y": "/cli.js", "z": "../cli.js", "n": None, "e": "", "w": "b\\w.js"}},
        {"bin": {"x": "cli.js", "y": "cli.js", "z": "cli.js", "w": "b/w.js"}},
        id="commands",
    ),
    pytest.param({"bin": {"a/x": "1.js", "x": "2.js"}}, {"bin": {"x": "1.js"}}, id="two commands of one name"),
    pytest.param({"bin": {}}, {}, id="no commands"),
    pytest.param({"bin": 5}, {}, id="a number as commands"),
    pytest.param({"bin": ""}, {}, id="an empty command"),
    pytest.param(
        {"directories": {"bin": "./bin"}},
        {"directories": {"bin": "./bin"}, "bin": {"x.js": "bin/x.js", "y.js": "bin/sub/y.js"}},
        id="a folder of commands",
    ),
    pytest.param({"directories": {"bin": "bin"}}, {"bin": {"x.js": "bin/x.js"}}, id="a folder of commands, yarn 1"),
    pytest.param({"directories": {"bin": "bin"}}, {"directories": {"bin": "bin"}}, id="a folder of commands, pnpm"),
    pytest.param({"devDependencies": {"a": "1"}}, {}, id="what an install does not read"),
]

LIES = [
    pytest.param({"name": "@acme/other"}, {}, id="another name"),
    pytest.param({"name": None}, {}, id="no name"),
    pytest.param({"version": "1.0.1"}, {}, id="another version"),
    pytest.param({"version": "1.0.0-rc.1"}, {}, id="a prerelease"),
    pytest.param({"version": "1.0.0"}, {"version": "1.0.0+b1"}, id="a build part"),
    pytest.param({"version": None}, {}, id="no version"),
    pytest.param({"version": 1}, {"version": 1.5}, id="numbers"),
    pytest.param({"version": None}, {"version": None}, id="no version on either side"),
    pytest.param({"dependencies": {"evil": "1"}}, {}, id="a dependency hidden"),
    pytest.param({"dependencies": {"evil": "1"}}, {"dependencies": {}}, id="a dependency hidden by an empty map"),
    pytest.param({"dependencies": {"evil": "1"}}, {"dependencies": {"evil": 1}}, id="a dependency made no string"),
    pytest.param({"dependencies": {"evil": "1"}}, {"dependencies": ["evil@2"]}, id="a dependency in a list"),
    pytest.param({}, {"dependencies": {"evil": "1"}}, id="a dependency added"),
    pytest.param({}, {"dependencies": {"evil": "*"}}, id="a star added"),
    pytest.param({"dependencies": {"a": "1"}}, {"dependencies": {"a": "2"}}, id="another specifier"),
    pytest.param({"dependencies": {"a": "a/b"}}, {"dependencies": {"a": "a/c"}}, id="another repository"),
    pytest.param({"dependencies": {"a": "a/b#1"}}, {"dependencies": {"a": "a/b#2"}}, id="another commit"),
    pytest.param({"optionalDependencies": {"evil": "1"}}, {}, id="an optional one hidden"),
    pytest.param({}, {"optionalDependencies": {"evil": "1"}}, id="an optional one added"),
    pytest.param({"dependencies": {"a": "1"}}, {"optionalDependencies": {"a": "1"}}, id="made optional"),
    pytest.param(
        {"dependencies": {"a": "1"}, "optionalDependencies": {"a": "1"}},
        {"dependencies": {"a": "1"}},
        id="made required",
    ),
    pytest.param(
        {"optionalDependencies": {"a": "1"}},
        {"optionalDependencies": {"a": "1"}, "dependencies": {"a": "2"}},
        id="an optional one copied and changed",
    ),
    pytest.param({"peerDependencies": {"a": "1"}}, {}, id="a peer hidden"),
    pytest.param({"peerDependencies": {"a": "1"}}, {"peerDependencies": {"a": "2"}}, id="another peer"),
    pytest.param({}, {"peerDependencies": {"evil": "1"}}, id="a peer added"),
    pytest.param({}, {"peerDependenciesMeta": {"a": {"optional": True}}}, id="a peer made optional"),
    pytest.param({"dependenciesMeta": {"a": {"optional": True}}}, {}, id="a dependency made required"),
    pytest.param(
        {"bundleDependencies": ["a"], "dependencies": {"a": "1"}}, {"dependencies": {"a": "1"}}, id="not bundled"
    ),
    pytest.param({"dependencies": {"a": "1"}}, {"dependencies": {"a": "1"}, "bundledDependencies": True}, id="bundled"),
    pytest.param(
        {"bundleDependencies": ["a"]}, {"bundleDependencies": ["a"], "bundledDependencies": ["b"]}, id="bundled twice"
    ),
    pytest.param(
        {"bundleDependencies": None, "bundledDependencies": ["a"]}, {"bundledDependencies": ["a"]}, id="a null hidden"
    ),
    pytest.param({"scripts": {"postinstall": "evil"}}, {}, id="a script hidden"),
    pytest.param({"scripts": {"postinstall": "evil"}}, {"scripts": {"postinstall": ""}}, id="a script emptied"),
    pytest.param({"scripts": {"postinstall": "evil"}}, {"scripts": {"postinstall": None}}, id="a script made null"),
    pytest.param({"scripts": {"postinstall": "evil"}}, {"scripts": {"postinstall": "good"}}, id="a script changed"),
    pytest.param({"scripts": {"install": "evil"}}, {"scripts": {"install": "node-gyp rebuild"}}, id="evil as gyp"),
    pytest.param({"scripts": {"start": "evil"}}, {"scripts": {"start": "node server.js"}}, id="evil as a server"),
    pytest.param({}, {"scripts": {"postinstall": "node-gyp rebuild"}}, id="gyp in another script"),
    pytest.param({"scripts": {"a": "x"}}, {"scripts": {"a": "y node_modules/.bin/x"}}, id="a path behind something"),
    pytest.param({}, {"gypfile": False}, id="a gyp build switched off"),
    pytest.param({"bin": "evil.js"}, {}, id="a command hidden"),
    pytest.param({"bin": "evil.js"}, {"bin": "good.js"}, id="another file"),
    pytest.param({"bin": {"npm": "x.js"}}, {"bin": {"utils": "x.js"}}, id="another command"),
    pytest.param({}, {"bin": {"x": "x.js"}}, id="a command added"),
    pytest.param({"directories": {"bin": "bin"}}, {}, id="a folder of commands hidden"),
    pytest.param({"directories": {"bin": "bin"}}, {"directories": {"bin": "lib"}}, id="another folder of commands"),
    pytest.param({}, {"directories": {"bin": "bin"}}, id="a folder of commands added"),
    pytest.param({"directories": {"bin": "bin"}}, {"bin": {"npm": "bin/x.js"}}, id="another command in the folder"),
    pytest.param({"directories": {"bin": "bin"}}, {"bin": {"x.js": "x.js"}}, id="a command beside the folder"),
    pytest.param({"directories": {"bin": "bin"}, "bin": "a.js"}, {"bin": {"x.js": "bin/x.js"}}, id="a folder not read"),
]


@pytest.mark.parametrize(("package", "manifest"), HONEST)
def test_what_clients_correct_is_the_same(package: dict[str, Any], manifest: dict[str, Any]) -> None:
    """A manifest as an honest client writes it agrees with the package.json that it read."""
    check_same({**BASE, **manifest}, {**BASE, **package})


@pytest.mark.parametrize(("package", "manifest"), LIES)
def test_a_lie_is_refused(package: dict[str, Any], manifest: dict[str, Any]) -> None:
    """A manifest that says something else of an install is refused, and the field is named."""
    with pytest.raises(BadRequest, match=r"differ in \w+;") as refusal:
        check_same({**BASE, **manifest}, {**BASE, **package})
    assert refusal.value.code == "manifest-confusion"


FIELD_NAMES = st.sampled_from(
    ["dependencies", "optionalDependencies", "peerDependencies", "bundleDependencies", "scripts", "bin", "directories"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5) | st.integers(0, 3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "bin", "install"]), inner),
    max_leaves=5,
)
PACKAGES = st.dictionaries(FIELD_NAMES, VALUES)


@given(PACKAGES)
def test_every_package_agrees_with_itself(package: dict[str, Any]) -> None:
    """Whatever stands in a package.json, a manifest that repeats it is no lie."""
    check_same({**BASE, **package}, {**BASE, **package})


@given(PACKAGES, PACKAGES)
def test_two_packages_that_agree_install_the_same(manifest: dict[str, Any], package: dict[str, Any]) -> None:
    """Of any two, those that agree have the same dependencies, commands and scripts, but for those a client adds."""
    try:
        check_same({**BASE, **manifest}, {**BASE, **package})
    except BadRequest:
        return
    ours, theirs = corrected.scripts(manifest), corrected.scripts(package)
    assert {name: ours.get(name) for name, text in theirs.items() if text} == {k: v for k, v in theirs.items() if v}
    if corrected.binaries({**BASE, **package}):
        assert corrected.binaries({**BASE, **manifest}) == corrected.binaries({**BASE, **package})
    wanted = corrected.dependencies(package, "optionalDependencies")
    given_ones = corrected.dependencies(manifest, "optionalDependencies")
    for name, specifier in wanted.items():
        assert not isinstance(specifier, str) or meaning(given_ones[name]) == meaning(specifier)


# The right column is what npm 11 sends for the left one.
@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("npm/cli", "github:npm/cli"),
        ("npm/cli#v1", "github:npm/cli#v1"),
        ("github:npm/cli#semver:^1", "github:npm/cli#semver:^1"),
        ("https://github.com/npm/cli.git", "git+https://github.com/npm/cli.git"),
        ("https://www.github.com/npm/cli", "git+https://github.com/npm/cli.git"),
        ("git://github.com/npm/cli.git#v1", "git://github.com/npm/cli.git#v1"),
        ("git@github.com:npm/cli.git", "git+ssh://git@github.com/npm/cli.git"),
        ("git+ssh://git@github.com/npm/cli", "git+ssh://git@github.com/npm/cli.git"),
        ("git+ssh://git@github.com:npm/cli", "git+ssh://git@github.com/npm/cli.git"),
        ("http://github.com/a/b/tree/c", "git+ssh://git@github.com/a/b.git#c"),
        ("https://user:token@github.com/a/b", "git+https://user:token@github.com/a/b.git"),
        ("gitlab:a/b", "gitlab:a/b"),
        ("https://gitlab.com/a/b/c.git", "git+https://gitlab.com/a/b/c.git"),
        ("bitbucket:a/b#c", "bitbucket:a/b#c"),
        ("gist:11081aaa281", "gist:11081aaa281"),
        ("https://gist.github.com/me/11081aaa281", "git+https://gist.github.com/11081aaa281.git"),
        ("https://git.sr.ht/~a/b", "https://git.sr.ht/~a/b"),
    ],
)
def test_a_repository_is_the_same_as_npm_spells_it(written: str, sent: str) -> None:
    """A specifier means the same before and after npm rewrote it."""
    assert meaning(written) == meaning(sent)


@pytest.mark.parametrize(
    "specifier",
    ["", "^1.0.0", "latest", "npm:foo@^1", "file:../x", "./a/b", "/a/b", "@s/a", "workspace:^", "https://x.example/a/b.git",
     "https://codeload.github.com/a/b/tar.gz/c", "https://github.com/a/b/archive/c.tar.gz", "https://gitlab.com/a/b/-/c",
     "https://bitbucket.org/a/b/get/c.tar.gz", "github:a", "a/b/c", "https://github.com/a"],
)  # fmt: skip
def test_other_specifiers_mean_themselves(specifier: str) -> None:
    """What names no repository of a known host is compared as it is."""
    assert meaning(specifier) == specifier


@given(st.text(alphabet="ab/:@#.git+hubsw", max_size=30))
def test_a_meaning_is_stable(specifier: str) -> None:
    """The meaning of any text is found, and is one spelling."""
    assert meaning(meaning(specifier).removesuffix("#")) in (meaning(specifier), meaning(specifier).removesuffix("#"))


def test_numbers_of_any_size_and_any_depth_are_compared():
    """What no document of ours can hold may stand in one that was stored by others."""
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    odd = {"name": "a", "version": "1.0.0", "dependencies": -(2**80), "bin": nested}
    check_same(odd, dict(odd))
    with pytest.raises(BadRequest, match="differ in version"):
        check_same(odd, {**odd, "version": "1.0.1"})
