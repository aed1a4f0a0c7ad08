"""Watched: what fresh packuments list is remembered, so that what goes missing is noticed."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from support.sources import ScriptedSource

from nproxy_mw.npm.names import parse_name
from nproxy_mw.storage import open_storage
from nproxy_mw.upstream.observations import Observations
from nproxy_mw.upstream.watched import Listing, Watched

LEFT = parse_name("left-pad")


@pytest.fixture
def source() -> ScriptedSource:
    source = ScriptedSource()
    for version in ("1.0.0", "1.1.0"):
        source.publish("left-pad", version)
    return source


@pytest.fixture
def watched(source: ScriptedSource) -> Watched:
    storage = open_storage(f"memory://{uuid.uuid4().hex}")
    return Watched(source, storage, Observations(storage))


def withdrawn(watched: Watched) -> frozenset[str]:
    return watched.observations.of("left-pad").withdrawn


def test_one_fresh_packument_may_lack_a_version(watched: Watched, source: ScriptedSource) -> None:
    """The second one that lacks it makes it withdrawn, and one that lists it brings it back."""
    watched.packument(LEFT)
    whole = source.packuments["left-pad"]
    del source.packuments["left-pad"]["versions"]["1.1.0"]
    watched.packument(LEFT)
    assert withdrawn(watched) == set()
    watched.packument(LEFT)
    assert withdrawn(watched) == {"1.1.0"}
    watched.packument(LEFT)
    assert withdrawn(watched) == {"1.1.0"}
    whole["versions"]["1.1.0"] = {"name": "left-pad", "version": "1.1.0", "dist": {}}
    watched.packument(LEFT)
    assert withdrawn(watched) == set()


def test_confirmation_is_a_fresh_packument(watched: Watched, source: ScriptedSource) -> None:
    """That the packument is unchanged says once more that the version is not in it."""
    watched.packument(LEFT)
    del source.packuments["left-pad"]["versions"]["1.1.0"]
    document = watched.packument(LEFT)
    assert document is not None
    assert watched.packument(LEFT, unless=document.revision) is None
    assert withdrawn(watched) == {"1.1.0"}


def test_lagging_mirror_withdraws_nothing(watched: Watched, source: ScriptedSource) -> None:
    """Two mirrors in turn, one of which lags: a version that comes and goes is never missing twice in a row."""
    new = dict(source.packuments["left-pad"]["versions"])
    old = {"1.0.0": new["1.0.0"]}
    for turn in range(8):
        source.packuments["left-pad"]["versions"] = old if turn % 2 else new
        watched.packument(LEFT)
        assert withdrawn(watched) == set()


def test_what_was_never_listed_is_not_withdrawn() -> None:
    """A listing knows nothing but what it was told."""
    assert Listing().after(["1.0.0"]).gone == set()
    after = Listing().after(["1.0.0", "1.1.0"]).after(["1.1.0"]).after(["1.1.0", "1.2.0"])
    assert (after.gone, after.listed) == ({"1.0.0"}, ("1.1.0", "1.2.0"))


def test_unchanged_listing_is_not_written_again(source: ScriptedSource) -> None:
    """A package that stays as it is costs one write."""
    storage: Any = open_storage(f"memory://{uuid.uuid4().hex}")
    watched = Watched(source, storage, Observations(open_storage(f"memory://{uuid.uuid4().hex}")))
    watched.packument(LEFT)
    (key,) = storage.list()
    revision = storage.read(key).revision
    watched.packument(LEFT)
    assert storage.read(key).revision == revision
