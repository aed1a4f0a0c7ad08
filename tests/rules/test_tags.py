"""Dist-tags after versions were taken out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.histories import history_of
from support.packument_strategies import packuments

from nproxy_mw.npm.versions import parse_loose, sort_key
from nproxy_mw.rules.tags import instead_of, moved, repaired


@pytest.mark.parametrize(
    ("old", "left", "expected"),
    [
        pytest.param("1.2.0", "1.1.0 1.2.0 1.3.0", "1.2.0", id="its version survives"),
        pytest.param("2.0.0-rc.1", "1.0.0 2.0.0-rc.1", "2.0.0-rc.1", id="a prerelease that survives"),
        pytest.param("1.2.0", "1.0.0 1.1.0 1.3.0 2.0.0", "1.1.0", id="highest below of the same major"),
        pytest.param("1.2.0", "1.1.0 1.2.0-rc.1 1.3.0", "1.1.0", id="never a prerelease"),
        pytest.param("2.0.0", "0.9.0 1.9.0 2.0.1 3.0.0", "1.9.0", id="highest below of any major"),
        pytest.param("2.0.0", "2.0.0-rc.1 1.9.0", "1.9.0", id="a prerelease of the major is no stand-in"),
        pytest.param("1.0.0", "1.0.1 1.1.0 2.0.0", "2.0.0", id="nothing below: the highest"),
        pytest.param("1.0.0", "1.0.0-rc.1 2.0.0-rc.1", None, id="only prereleases are left"),
        pytest.param("1.0.0", "", None, id="nothing is left"),
        pytest.param("3.0.0rc5", "2.9.0 3.0.0", "2.9.0", id="an old number is a prerelease"),
        pytest.param("1.0.0", "0.9.0 1.0.0+build", "0.9.0", id="build metadata makes no lower version"),
        pytest.param("2.0.0", "v1.0.0 =1.5.0", "=1.5.0", id="old numbers stand in as they are written"),
        pytest.param("nonsense", "1.0.0 2.0.0 2.0.1-rc", "2.0.0", id="a tag that points at no number"),
    ],
)
def test_repaired(old: str, left: str, expected: str | None) -> None:
    """A tag goes to the next best stable version, and is dropped where there is none."""
    allowed = sorted(left.split(), key=sort_key)
    assert repaired({"latest": old}, allowed) == ({"latest": expected} if expected else {})


@given(document=packuments(), data=st.data())
def test_properties(document: Any, data: st.DataObject) -> None:
    """What must hold of every tag, whatever is taken out."""
    history = history_of(document)
    everything = [release.version for release in history.by_number]
    left = [version for version in everything if data.draw(st.booleans())]
    after = repaired(history.tags, left)
    stable = [version for version in left if (parsed := parse_loose(version)) and parsed.is_stable]
    assert after.keys() <= history.tags.keys()
    for tag, old in history.tags.items():
        new = after.get(tag)
        if old in left:
            assert new == old
            continue
        assert new is None or new in stable  # it does not dangle, and is no prerelease
        assert (new is None) == (not stable)
        below = [version for version in stable if sort_key(version) < sort_key(old)]
        if new is not None and below and parse_loose(old):
            assert sort_key(new) < sort_key(old)  # so its major is no higher than before


def test_moved() -> None:
    """Tags that changed or went are told with where they pointed, those that dangled at the upstream too."""
    before = {"latest": "2.0.0", "next": "3.0.0-rc.1", "old": "1.0.0", "lost": "9.9.9"}
    after = repaired(before, ["1.0.0", "1.5.0"])
    assert after == {"latest": "1.5.0", "next": "1.5.0", "old": "1.0.0", "lost": "1.5.0"}
    assert moved(before, after) == {"latest": "2.0.0", "next": "3.0.0-rc.1", "lost": "9.9.9"}


@pytest.mark.parametrize(
    ("version", "allowed", "expected"),
    [
        pytest.param("1.2.0", ["1.0.0", "1.1.0", "2.0.0"], "1.1.0", id="the one below"),
        pytest.param("1.2.0", ["1.2.0"], None, id="never the version itself"),
        pytest.param("1.2.0", [], None, id="nothing"),
    ],
)
def test_instead_of(version: str, allowed: list[str], expected: str | None) -> None:
    """A held version is replaced as a tag that pointed at it."""
    assert instead_of(version, allowed) == expected
