"""Observations: what was seen of a package is known to every process, and survives them."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from nproxy_mw.errors import Missing
from nproxy_mw.http.at_once import NotAtOnce, without_waiting
from nproxy_mw.npm.names import parse_name
from nproxy_mw.storage import LocalStorage, open_storage
from nproxy_mw.storage.freshness import FreshnessCache
from nproxy_mw.storage.port import Stored
from nproxy_mw.testing.documents import tarball
from nproxy_mw.testing.faults import Fault, Faulty
from nproxy_mw.upstream.kept_tarballs import Wanted
from nproxy_mw.upstream.observations import NOTHING, Observation, Observations, looked_into, taken_away


@pytest.fixture(params=["memory", "folder"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return open_storage(f"memory://{uuid.uuid4().hex}" if request.param == "memory" else str(tmp_path))


class CountingFolder(LocalStorage):
    """A folder that notes which objects are read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.keys: list[str] = []

    def read(self, key: str) -> Stored:
        self.keys.append(key)
        return super().read(key)


def test_nothing_was_seen_of_most(storage: Any) -> None:
    """And nothing is stored for them."""
    assert Observations(storage).of("left-pad") is NOTHING
    assert list(storage.list("packages")) == []


def test_absent_object_is_not_looked_for_in_a_folder(tmp_path: Path) -> None:
    """Only where the package, or one of its scope, has an observation."""
    folder = CountingFolder(tmp_path)
    observations = Observations(folder)
    observations.note("@acme/left-pad", looked_into("1.0.0", "it lies"))
    folder.keys.clear()
    names = ("right-pad", "@acme/left-pad", "@acme/right-pad", "@other/left-pad")
    seen = [Observations(folder).of(name).mismatches for name in names]
    assert seen == [{}, {"1.0.0": "it lies"}, {}, {}]
    assert [key for key in folder.keys if key != "bell"] == [
        "packages/@acme/left-pad/seen",
        "packages/@acme/right-pad/seen",
    ]


def test_others_know_at_once(storage: Any) -> None:
    """A process that has looked before learns what another one notes; a new one finds it."""
    first, second = Observations(storage), Observations(storage)
    assert second.of("left-pad") == NOTHING
    first.note("left-pad", looked_into("1.0.0", "it lies"))
    first.note("left-pad", taken_away({"0.9.0"}, {"1.0.0"}))
    expected = Observation(withdrawn=frozenset({"0.9.0"}), mismatches={"1.0.0": "it lies"})
    for observations in (first, second, Observations(storage)):
        assert observations.of("left-pad") == expected
        assert observations.of("right-pad") == NOTHING


def test_nothing_is_read_where_nobody_can_wait(tmp_path: Path) -> None:
    """The thread that serves all connections of a server leaves it to others; nor does it write a bell that is gone."""
    storage = open_storage(str(tmp_path))
    here, elsewhere = Observations(storage), Observations(storage)

    def seen_at_once() -> Observation:
        return without_waiting(here.of, "left-pad")

    assert here.of("left-pad") is seen_at_once() is NOTHING
    elsewhere.note("left-pad", looked_into("1.0.0", "it lies"))
    with pytest.raises(NotAtOnce):
        seen_at_once()
    here.of("right-pad")
    with pytest.raises(NotAtOnce):
        seen_at_once()
    assert here.of("left-pad") is seen_at_once()
    storage.delete("bell")
    with pytest.raises(NotAtOnce):
        seen_at_once()
    with pytest.raises(Missing):
        storage.read("bell")


def test_bucket_is_asked_when_it_matters(storage: Any) -> None:
    """Where a look costs a request, a process may rely on the last one; not where a tarball is handed out."""
    here, elsewhere = Observations(FreshnessCache(storage, 3600)), Observations(storage)
    assert here.of("left-pad") == NOTHING
    elsewhere.note("left-pad", looked_into("1.0.0", "it lies"))
    assert here.of("left-pad") == NOTHING
    assert here.of("left-pad", current=True).mismatches == {"1.0.0": "it lies"}
    assert here.of("left-pad").mismatches == {"1.0.0": "it lies"}


def test_two_processes_lose_nothing(storage: Any) -> None:
    """What one notes on top of an older state keeps what the other has noted."""
    first, second = Observations(storage), Observations(storage)
    first.of("left-pad"), second.of("left-pad")
    first.note("left-pad", looked_into("1.0.0", "a"))
    second.note("left-pad", looked_into("1.1.0", "b"))
    assert first.of("left-pad").mismatches == {"1.0.0": "a", "1.1.0": "b"}


@pytest.mark.parametrize("kind", ["fail", "lost-answer"])
@pytest.mark.parametrize("at", range(1, 9))
def test_what_cannot_be_stored_counts_here(storage: Any, at: int, kind: Fault) -> None:
    """A full disk does not make a tarball installable in the process that looked into it, whenever it fills."""
    observations = Observations(Faulty(storage, at, kind, times=100))
    observations.of("left-pad")
    observations.note("left-pad", looked_into("1.0.0", "it lies"))
    assert observations.of("left-pad").mismatches == {"1.0.0": "it lies"}
    assert Observations(storage).of("left-pad") in (NOTHING, observations.of("left-pad"))


def test_damage_counts_as_nothing(storage: Any) -> None:
    """It is looked at again with the next tarball."""
    storage.create("packages/left-pad/seen", b"{")
    observations = Observations(storage)
    assert observations.of("left-pad") == NOTHING
    observations.note("left-pad", looked_into("1.0.0", "it lies"))
    assert Observations(storage).of("left-pad").mismatches == {"1.0.0": "it lies"}


def test_second_look_that_finds_nothing(storage: Any) -> None:
    """Takes the first one back."""
    observations = Observations(storage)
    wanted = Wanted(parse_name("a"), "a-1.0.0.tgz", None, {"name": Raw(b'"a"'), "version": Raw(b'"1.0.0"')})
    observations.arrived(wanted, tarball({"name": "a", "version": "1.0.0", "bin": {"a": "x"}}))
    assert list(observations.of("a").mismatches) == ["1.0.0"]
    observations.arrived(wanted, tarball({"name": "a", "version": "1.0.0"}))
    assert observations.of("a") == NOTHING


def test_look_that_fails_raises_nothing(storage: Any) -> None:
    """Whoever fetched the tarball goes on, and the log says that nobody looked into it."""
    Observations(storage).arrived(Wanted(parse_name("a"), "a-1.0.0.tgz", None, {"name": Raw(b"{")}), tarball({}))


VERSIONS = st.sets(st.sampled_from(["1.0.0", "1.1.0", "2.0.0"]))


@given(withdrawn=VERSIONS, gone=VERSIONS, listed=VERSIONS)
def test_listed_is_never_withdrawn(withdrawn: set[str], gone: set[str], listed: set[str]) -> None:
    """Whatever was noted before; and what is gone and not listed is."""
    after = taken_away(gone, listed)(Observation(withdrawn=frozenset(withdrawn)))
    assert after.withdrawn == (withdrawn | gone) - listed


def test_state_names_what_rules_read() -> None:
    """Equal states have one name, in any order; nothing has none."""
    one = Observation(mismatches={"1.0.0": "a", "2.0.0": "b"}, withdrawn=frozenset({"3.0.0"}))
    other = Observation(mismatches={"2.0.0": "b", "1.0.0": "a"}, withdrawn=frozenset({"3.0.0"}))
    assert one.state == other.state != Observation(mismatches={"1.0.0": "a"}).state
    assert NOTHING.state == ""
