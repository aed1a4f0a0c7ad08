"""What counts as a tarball that contradicts its manifest, and what npm's own corrections explain."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from msgspec import Raw
from support.raw_tar import package, packed

from nproxy_mw.npm import slices
from nproxy_mw.npm.mismatches import mismatch
from nproxy_mw.testing.documents import tarball


def found(manifest: dict[str, Any], package: dict[str, Any], **files: str) -> str:
    """What is said of a package ``a@1.0.0`` whose manifest and package.json have these fields, too."""
    own = {"name": "a", "version": "1.0.0"}
    members = {key: Raw(msgspec.json.encode(value)) for key, value in {**own, **manifest}.items()}
    return mismatch(
        members, tarball({**own, **package}, {name.replace("_", "."): text for name, text in files.items()})
    )


DIFFER = "the package.json in its tarball differs from the packument in "


@pytest.mark.parametrize(
    ("manifest", "package", "expected"),
    [
        pytest.param({"name": "b"}, {}, DIFFER + "name (a)", id="name"),
        pytest.param({"version": "1.0.1"}, {}, DIFFER + "version (1.0.0)", id="version"),
        pytest.param({}, {"dependencies": {"evil": "1"}}, DIFFER + "dependencies (evil)", id="hidden dependency"),
        pytest.param(
            {"dependencies": {"b": "1"}}, {"dependencies": {"b": "2"}}, DIFFER + "dependencies (b)", id="other range"
        ),
        pytest.param(
            {}, {"optionalDependencies": {"evil": "1"}}, DIFFER + "optionalDependencies (evil)", id="hidden optional"
        ),
        pytest.param(
            {"scripts": {"test": "a"}}, {"scripts": {"postinstall": "evil"}}, DIFFER + "scripts (postinstall)",
            id="hidden script",
        ),
        pytest.param(
            {"scripts": {"install": "node-gyp rebuild"}}, {"scripts": {"install": "evil"}},
            DIFFER + "scripts (install)", id="other script",
        ),
        pytest.param(
            {}, {"dependencies": {f"d{one}" + "x" * 200: "1" for one in range(4)}},
            DIFFER + f"dependencies ({', '.join(f'd{one}' + 'x' * 98 for one in range(3))} and 1 more)", id="bounded",
        ),
        pytest.param({"bin": {"a": "a.js"}}, {"bin": {"npm": "a.js"}}, DIFFER + "bin", id="other command"),
        pytest.param(
            {"name": "b"}, {"dependencies": {"y": "1", "x": "1"}}, DIFFER + "name (a), dependencies (x, y)",
            id="several",
        ),
    ],
)  # fmt: skip
def test_contradiction(manifest: dict[str, Any], package: dict[str, Any], expected: str) -> None:
    """It is said in which fields, and in what of them."""
    assert found(manifest, package) == expected


@pytest.mark.parametrize(
    ("manifest", "package"),
    [
        pytest.param({}, {}, id="alike"),
        pytest.param({"scripts": {"test": "a"}}, {"scripts": {"test": "b"}}, id="a script that no install runs"),
        pytest.param({"devDependencies": {"b": "1"}}, {}, id="development"),
        pytest.param({"bin": {"a": "cli.js"}}, {"bin": "./cli.js"}, id="bin as a string"),
        pytest.param({"bin": {"x": "bin/x"}}, {"directories": {"bin": "bin"}}, id="bin as a folder"),
        pytest.param(
            {"bin": {"x": "bin/x"}}, {"bin": {"x": "./bin/x"}, "directories": {"bin": "./bin"}}, id="bin wins over it"
        ),
        pytest.param(
            {"dependencies": {"b": "1"}, "optionalDependencies": {"b": "1"}}, {"optionalDependencies": {"b": "1"}},
            id="optional dependencies are copied",
        ),
        pytest.param(
            {"dependencies": {"b": "github:x/y"}}, {"dependencies": {"b": "git+https://github.com/x/y.git"}},
            id="forms of one repository",
        ),
        pytest.param({"dependencies": {"b": "*"}}, {"bundleDependencies": ["b"]}, id="a bundled one is added"),
        pytest.param({"scripts": {"install": "node-gyp rebuild"}}, {}, id="what npm adds for binding.gyp"),
        pytest.param({"scripts": {"preinstall": "node-waf configure build"}}, {}, id="what npm 0.2 adds for wscript"),
        pytest.param({"hasInstallScript": True}, {"scripts": {"install": "x"}}, id="a mirror that only says that"),
    ],
)  # fmt: skip
def test_no_contradiction(manifest: dict[str, Any], package: dict[str, Any]) -> None:
    """What npm changes on the way from the one to the other, and what an install does not ask about."""
    assert found(manifest, package) == ""


@pytest.mark.parametrize(
    ("manifest", "package", "is_hidden"),
    [
        pytest.param({}, {}, True, id="not a word"),
        pytest.param({"gypfile": True}, {}, False, id="gypfile"),
        pytest.param({"scripts": {"install": "node-gyp rebuild"}}, {}, False, id="install script"),
        pytest.param({"hasInstallScript": True}, {}, False, id="some install script"),
        pytest.param({"gypfile": False}, {"gypfile": False}, False, id="switched off"),
    ],
)
def test_build_that_nobody_tells_of(manifest: dict[str, Any], package: dict[str, Any], is_hidden: bool) -> None:
    """npm runs node-gyp for a binding.gyp at the root."""
    assert ("binding.gyp" in found(manifest, package, binding_gyp="{}")) is is_hidden


def test_tarball_that_readers_read_differently() -> None:
    """What the strict reader refuses may be another package for another reader."""
    members = {"name": Raw(b'"a"'), "version": Raw(b'"1.0.0"')}
    assert mismatch(members, b"\x1f\x8b no").startswith("its tarball cannot be compared with the packument: The tar")


def test_last_of_equal_keys_counts() -> None:
    """As for every client: some published packages have a key twice."""
    text = '{"name": "a", "version": "1.0.0", "bin": {"a": "x"}, "bin": {"a": "y"}}'
    members = {key: Raw(msgspec.json.encode(value)) for key, value in json.loads(text).items()}
    assert mismatch(members, packed(package(text.encode()))) == ""
    members["bin"] = Raw(b'{"a":"x"}')
    assert mismatch(members, packed(package(text.encode()))) == DIFFER + "bin"


def test_manifest_of_too_many_values_cannot_be_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is built of it, and the tarball counts as one that contradicts it."""
    monkeypatch.setattr(slices, "MAX_OBJECTS", 1)
    assert "cannot be compared with the packument" in found({"scripts": {"a": {"b": {}}}}, {})
