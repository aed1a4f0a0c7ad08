"""A packument with every member that a form keeps or leaves out."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

BASE = "https://npm.acme.example/npm"
MANIFEST: dict[str, Any] = {
    "_id": "@types/node@1.0.0",
    "name": "@types/node",
    "version": "1.0.0",
    "description": "long",
    "license": "MIT",
    "dependencies": {"a": "^1"},
    "devDependencies": {"b": "^1"},
    "peerDependencies": {"c": "^1"},
    "peerDependenciesMeta": {"c": {"optional": True}},
    "optionalDependencies": {"d": "^1"},
    "bundleDependencies": ["a"],
    "bundledDependencies": ["a"],
    "acceptDependencies": {"a": "^2"},
    "bin": {"x": "x.js"},
    "directories": {},
    "engines": {"node": ">=20"},
    "cpu": ["x64"],
    "os": ["linux"],
    "libc": ["glibc"],
    "funding": "https://fund.example",
    "deprecated": "old",
    "workspaces": ["packages/*"],
    "_hasShrinkwrap": False,
    "_npmUser": {"name": "ann"},
    "scripts": {"preinstall": "1", "install": "2", "postinstall": "3", "prepare": "4", "test": "5"},
    "dist": {"integrity": "sha512-x", "signatures": [{"keyid": "k"}], "tarball": "https://upstream.example/x.tgz"},
    "gitHead": "abc",
}
PACKUMENT: dict[str, Any] = {
    "_id": "@types/node",
    "_rev": "1-a",
    "name": "@types/node",
    "dist-tags": {"latest": "1.0.0", "gone": "9.9.9"},
    "versions": {"1.0.0": MANIFEST},
    "time": {"created": "2020-01-01T00:00:00.000Z", "modified": "2020-01-02T00:00:00.000Z"},
    "readme": "long",
    "maintainers": [{"name": "ann"}],
    "policyRestrictions": {"message": "held", "versions": {}},
    "stagedVersions": {},
}


def with_manifest(**members: Any) -> bytes:
    """The packument whose version has these *members*, too; None takes one away."""
    manifest = {key: value for key, value in {**MANIFEST, **members}.items() if value is not None}
    return orjson.dumps({**PACKUMENT, "versions": {"1.0.0": manifest}})


MISFILED = (
    pytest.param(with_manifest(name=None), id="no name"),
    pytest.param(with_manifest(version=None), id="no number"),
    pytest.param(with_manifest(version="2.0.0"), id="another number"),
    pytest.param(with_manifest(name="b"), id="another name"),
    pytest.param(with_manifest(dist=None), id="no dist"),
    pytest.param(with_manifest(dist=[1]), id="a list as dist"),
    pytest.param(orjson.dumps({**PACKUMENT, "versions": {"1.0.0": MANIFEST, "a/b": {}}}), id="no number for a URL"),
)
"""Packuments with a version that cannot be what it is filed under, each with a name for a test."""
