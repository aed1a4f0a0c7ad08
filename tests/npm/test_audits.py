"""Audit bodies: what is left of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.errors import BadRequest
from nproxy_mw.npm.audits import bulk_without, empty_report, is_empty, quick_without
from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.npm.versions import is_version
from nproxy_mw.token_format import make_secret


def is_internal(name: Name) -> bool:
    return name.scope == "@acme"


def test_bulk_keeps_public_names_with_strict_versions() -> None:
    """Everything else is left out: internal names, aliases, ranges, URLs, what is no list."""
    body = {
        "lodash": ["4.17.21", "4.17.20", "4.17.21"],
        "@types/node": ["1.0.0-beta.1"],
        "@acme/utils": ["1.0.0"],
        "@acme-corp/utils": ["1.0.0"],
        "ranged": [
            "^1.0.0",
            "latest",
            "v1.0.0",
            "npm:@acme/x@1.0.0",
            "http://intern.example/x.tgz",
            1,
            None,
            ["1.0.0"],
        ],
        "single": "1.0.0",
        "nothing": [],
        "https://intern.example/@acme": ["1.0.0"],
        "../@acme/x": ["1.0.0"],
        "": ["1.0.0"],
    }
    assert bulk_without(body, is_internal) == {
        "lodash": ["4.17.20", "4.17.21"],
        "@types/node": ["1.0.0-beta.1"],
        "@acme-corp/utils": ["1.0.0"],
    }


def test_quick_is_laid_flat_and_rebuilt() -> None:
    """Public packages below internal ones are still audited; nothing says where they stood."""
    body = {
        "name": "@acme/secret-project",
        "version": "9.9.9",
        "install": ["@acme/x"],
        "remove": ["@acme/x"],
        "metadata": {"node_version": "v20", "host": "build.intern.example"},
        "requires": {"@acme/x": "1.0.0"},
        "dependencies": {
            "packages__secret": {
                "version": "0.0.0",
                "dependencies": {"lodash": {"version": "4.17.20", "resolved": "http://intern.example/x"}},
            },
            "@acme/x": {
                "version": "1.0.0",
                "requires": {"@acme/y": "^1"},
                "dependencies": {"lodash": {"version": "4.17.21", "integrity": "sha512-x"}},
            },
            "alias": {"version": "npm:@acme/y@1.0.0"},
            "git": {"version": "git+ssh://git@intern.example/@acme/y.git"},
            "broken": None,
        },
    }
    rebuilt = quick_without(body, is_internal)
    text = json.dumps(rebuilt)
    assert "acme" not in text
    assert "secret" not in text
    assert "intern.example" not in text
    versions = {rebuilt["dependencies"]["lodash"]["version"]}
    versions |= {rebuilt["dependencies"][".1"]["dependencies"]["lodash"]["version"]}
    assert versions == {"4.17.20", "4.17.21"}
    assert set(rebuilt) == {"name", "version", "install", "remove", "metadata", "requires", "dependencies"}


def test_quick_tree_may_be_deep_and_wide() -> None:
    """A client decides the shape; no recursion, and no depth in what is built."""
    tree: dict[str, Any] = {"dependencies": {}}
    for index in range(5000):
        tree = {"version": f"1.0.{index}", "dependencies": {"lodash": tree}}
    rebuilt = quick_without(tree, is_internal)
    assert len(rebuilt["dependencies"]) == 4999
    json.dumps(rebuilt)


def test_empty_audits_are_told_apart() -> None:
    """Nothing public: nobody needs to be asked."""
    assert is_empty(quick_without({"dependencies": {"@acme/x": {"version": "1.0.0"}}}, is_internal))
    assert not is_empty(quick_without({"dependencies": {"x": {"version": "1.0.0"}}}, is_internal))
    assert empty_report()["metadata"]["vulnerabilities"]["critical"] == 0


@pytest.mark.parametrize("body", [None, [], "x", 1])
def test_body_that_is_no_object_is_refused(body: Any) -> None:
    """An audit is an object."""
    for rebuild in (bulk_without, quick_without):
        with pytest.raises(BadRequest):
            rebuild(body, is_internal)  # type: ignore[operator]


names = st.sampled_from(["@acme/x", "@acme%2fx", "lodash", "@types/node", "@ACME/x", "npm:@acme/x"]) | st.text(
    max_size=20
)
texts = names | st.sampled_from(["1.0.0", "1.0.0-acme", "1.0.0+acme", "npm:@acme/x@1.0.0", "^1"])
leaves = st.none() | st.booleans() | st.integers() | texts
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(names | st.sampled_from(["dependencies", "version", "requires", "name"]), inner, max_size=5)
    ),
    max_leaves=30,
)


@given(st.dictionaries(names, values | st.lists(texts), max_size=6))
def test_bulk_tells_nothing_but_public_names_and_versions(body: dict[str, Any]) -> None:
    """Whatever comes in."""
    for name, versions in bulk_without(body, is_internal).items():
        assert not is_internal(parse_name(name))
        assert versions
        assert all(is_version(version) for version in versions)
    assert "@acme" not in json.dumps(bulk_without(body, is_internal))


# What an audit is, with anything in the places that a client decides: most of it would else be no tree at all.
nodes = st.recursive(
    st.fixed_dictionaries({"version": texts}),
    lambda inner: st.fixed_dictionaries(
        {"version": texts, "dependencies": st.dictionaries(names, inner | values, max_size=4)},
        optional={"requires": values, "integrity": texts},
    ),
    max_leaves=10,
)
trees = st.fixed_dictionaries(
    {"dependencies": st.dictionaries(names, nodes | values, min_size=1, max_size=4) | values, "name": texts},
    optional={"requires": values, "metadata": values},
)


@given(trees)
def test_quick_tells_nothing_but_public_names_and_versions(body: dict[str, Any]) -> None:
    """Whatever comes in."""
    rebuilt = quick_without(body, is_internal)
    assert "@acme" not in json.dumps(rebuilt)
    groups = [rebuilt, *(node for key, node in rebuilt["dependencies"].items() if key.startswith("."))]
    for group in groups:
        for name, node in group["dependencies"].items():
            assert name.startswith(".") or not is_internal(parse_name(name))
            assert is_version(node["version"])
            assert group["requires"][name] == node["version"]


def test_audit_hands_on_no_secret() -> None:
    """A token in the place of a name is left out, as an internal name is."""
    secret = make_secret()
    assert bulk_without({secret: ["1.0.0"], "lodash": ["1.0.0"]}, lambda _: False) == {"lodash": ["1.0.0"]}
    tree = {"dependencies": {secret: {"version": "1.0.0"}, "lodash": {"version": "1.0.0"}}}
    assert secret not in str(quick_without(tree, lambda _: False))
