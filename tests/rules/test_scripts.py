"""install_scripts and script_added."""

from __future__ import annotations

from typing import Any

import pytest
from support.histories import NOW, flagged, history_of, packument, said
from support.rule_reference import Reference

from nproxy_mw.rules.install_scripts import InstallScripts
from nproxy_mw.rules.script_added import ScriptAdded


def scripted(**versions: dict[str, str]) -> Any:
    """A package whose versions v1_0_0, ... have these scripts; ``gypfile`` among them stands for itself."""
    return packument(
        versions={
            name[1:].replace("_", ".").replace("rc", "-rc"): {
                "scripts": {key: text for key, text in scripts.items() if key != "gypfile"},
                "gypfile": "gypfile" in scripts,
            }
            for name, scripts in versions.items()
        }
    )


@pytest.mark.parametrize(
    ("scripts", "reason"),
    [
        pytest.param({"preinstall": "x"}, "it has install scripts: preinstall", id="preinstall"),
        pytest.param({"install": "x"}, "it has install scripts: install", id="install"),
        pytest.param({"postinstall": "x"}, "it has install scripts: postinstall", id="postinstall"),
        pytest.param(
            {"prepare": "x"},
            "it has a prepare script, which npm does not run for a package from a registry",
            id="prepare alone",
        ),
        pytest.param(
            {"prepare": "x", "postinstall": "y", "install": "z"},
            "it has install scripts: install, postinstall, prepare",
            id="several, in the order in which npm runs them",
        ),
        pytest.param({"test": "x", "prepublish": "y", "build": "z"}, None, id="others"),
        pytest.param({"install": ""}, None, id="an empty one"),
        pytest.param({}, None, id="none"),
    ],
)
def test_install_scripts(scripts: dict[str, str], reason: str | None) -> None:
    """Scripts that run at an install are flagged and named."""
    document = packument(versions={"1.0.0": {"scripts": scripts}})
    verdicts, _ = said(InstallScripts(), history_of(document))
    assert {version: verdict.reason for version, verdict in verdicts.items()} == ({"1.0.0": reason} if reason else {})
    assert Reference(document, NOW).install_scripts().keys() == verdicts.keys()


A, B = {"postinstall": "a"}, {"postinstall": "b"}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(scripted(v1_0_0=A), set(), id="the first version"),
        pytest.param(scripted(v1_0_0={}, v1_0_1=A), {"1.0.1"}, id="added"),
        pytest.param(scripted(v1_0_0=A, v1_0_1=A), set(), id="as before"),
        pytest.param(scripted(v1_0_0=A, v1_0_1=B), {"1.0.1"}, id="changed"),
        pytest.param(scripted(v1_0_0=A, v1_0_1={}), set(), id="removed: nothing runs"),
        pytest.param(scripted(v1_0_0={**A, "install": "c"}, v1_0_1=A), {"1.0.1"}, id="one of two removed"),
        pytest.param(scripted(v1_0_0={}, v1_0_1=A, v1_0_2=A), {"1.0.1"}, id="compared with the one below only"),
        pytest.param(scripted(v1_0_0={}, v1_0_1rc=A, v1_0_1=A), {"1.0.1-rc", "1.0.1"}, id="a prerelease is no measure"),
        pytest.param(scripted(v1_0_0rc={}, v1_0_0=A), set(), id="only a prerelease before"),
        pytest.param(scripted(v1_9_0=A, v2_0_0=A), set(), id="of any major where the own has none"),
        pytest.param(scripted(v1_9_0={}, v2_0_0=A), {"2.0.0"}, id="another than the last major's"),
        pytest.param(scripted(v1_0_0=A, v2_0_0={}, v2_0_1=A), {"2.0.1"}, id="the own major counts first"),
        pytest.param(scripted(v1_0_0={}, v2_0_0=A, v1_0_1=A), {"1.0.1"}, id="lower by number, not by time"),
        pytest.param(scripted(v1_0_0={}, v1_0_1={"prepare": "x"}), set(), id="prepare does not run"),
        pytest.param(scripted(v1_0_0={}, v1_0_1={"gypfile": ""}), {"1.0.1"}, id="gypfile stands for node-gyp rebuild"),
        pytest.param(
            scripted(v1_0_0={"install": "node-gyp rebuild"}, v1_0_1={"gypfile": ""}), set(), id="and is the same as it"
        ),
        pytest.param(
            scripted(v1_0_0={"install": "node x"}, v1_0_1={"install": "node x", "gypfile": ""}),
            set(),
            id="an own install script runs in its place",
        ),
        pytest.param(
            packument(versions={"1.0.0": {}, "1.0.0+b": {"scripts": A}, "0.9.0": {"scripts": A}}),
            set(),
            id="build metadata makes no lower version",
        ),
    ],
)
def test_script_added(document: Any, expected: set[str]) -> None:
    """Install scripts that are not empty and differ from those of the highest lower stable version."""
    assert flagged(ScriptAdded(), history_of(document)) == expected
    assert Reference(document, NOW).script_added().keys() == expected


def test_script_added_says() -> None:
    """It says what is different from which version."""
    document = scripted(v1_0_0={"install": "a", "preinstall": "b"}, v1_0_1={"install": "c", "postinstall": "d"})
    verdicts, _ = said(ScriptAdded(), history_of(document))
    expected = "its install scripts are not those of 1.0.0: install is changed, postinstall is new, preinstall is gone"
    assert verdicts["1.0.1"].reason == expected
