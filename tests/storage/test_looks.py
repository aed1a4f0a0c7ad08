"""Looks: what a process relies on, what ends that at once, and what ends it within the freshness."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import inf
from pathlib import Path
from threading import Event

import pytest
from support.clocks import Clock

from nproxy_mw.storage import LocalStorage, looks
from nproxy_mw.storage.looks import Look, RecentLook, look_at
from nproxy_mw.storage.mapped_generations import PAUSE, MappedGenerations
from nproxy_mw.storage.port import Revision
from nproxy_mw.storage.prefixed import Prefixed

FRESHNESS = 1.0

_REPLACE = """
import sys
from nproxy_mw.storage import LocalStorage
storage = LocalStorage(sys.argv[1])
storage.replace("a", b"2", storage.read("a").revision)
"""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(looks, "monotonic", clock)
    return clock


@pytest.fixture
def server(tmp_path: Path, clock: Clock) -> LocalStorage:
    """The storage as a server opens it, with one object."""
    storage = LocalStorage(tmp_path, freshness=FRESHNESS)
    storage.create("a", b"1")
    return storage


def looked(storage: LocalStorage, key: str = "a") -> tuple[Look, Revision]:
    """A look that was true at this moment, and the revision it is about."""
    revision = storage.read(key).revision
    look = look_at(storage, key, revision)
    assert look is not None
    assert look()
    return look, revision


def replaced_behind_its_back(storage: LocalStorage, key: str = "a") -> None:
    """What a restored backup does, or a process that is killed before it tells: another file has the name."""
    new = storage.root / ".restored"
    new.write_bytes(b"other")
    new.replace(storage.path_of(key))


def counted(look: Look) -> tuple[RecentLook, Callable[[], int]]:
    """*look*, and how often it went to the file since."""
    assert isinstance(look, RecentLook)
    inner, count = look.look, 0

    def counting() -> bool:
        nonlocal count
        count += 1
        return inner()

    look.look = counting
    return look, lambda: count


def test_look_is_believed_for_the_freshness(server: LocalStorage, clock: Clock) -> None:
    """The file is not asked about again, until then."""
    look, asked = counted(looked(server)[0])
    for _ in range(100):
        assert look()
    assert asked() == 0
    clock.now += FRESHNESS
    assert look()
    assert asked() == 1


def test_change_in_this_process_is_seen_at_once(server: LocalStorage) -> None:
    """Also one through another object, or through a part of the storage."""
    server.create("part/b", b"1")
    look, revision = looked(server, "part/b")
    Prefixed(LocalStorage(server.root), "part").replace("b", b"2", revision)
    assert not look()
    look, _ = looked(server, "part/b")
    LocalStorage(server.root).delete("part/b")
    assert not look()


def test_change_by_another_process_is_seen_at_once(server: LocalStorage) -> None:
    """Whatever the freshness that it was opened with."""
    look, _ = looked(server)
    subprocess.run([sys.executable, "-c", _REPLACE, str(server.root)], check=True, timeout=60)
    assert not look()


def test_change_by_a_forked_process_is_seen_at_once(server: LocalStorage) -> None:
    """In both directions: what was mapped before a fork is mapped in the child as well."""
    look, revision = looked(server)
    child = os.fork()
    if not child:
        try:
            server.replace("a", b"2", revision)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert not look()


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # of Python 3.12: it is what is tested
def test_child_forked_while_a_thread_maps_a_file_goes_on(server: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that maps it is not in the child, which maps it for itself."""
    entered, finish = Event(), Event()

    def slow(_: MappedGenerations) -> bool:
        entered.set()
        finish.wait()
        return True

    looked(server)
    with monkeypatch.context() as patch, ThreadPoolExecutor(1) as pool:
        patch.setattr(MappedGenerations, "_is_mapped", slow)
        mapping = pool.submit(server.generations.refresh, inf)
        assert entered.wait(timeout=60)
        child = os.fork()
        if not child:
            signal.alarm(60)
            finish.set()
            server.generations.refresh(-inf)
            os._exit(0)
        finish.set()
        mapping.result(timeout=60)
    assert os.waitpid(child, 0)[1] == 0


def test_change_in_a_series_is_seen_at_once(server: LocalStorage) -> None:
    """Before the disk has it, as a read shows it."""
    look, revision = looked(server)
    with server.series() as ordered:
        ordered.replace("a", b"2", revision)
        assert not look()


def test_change_that_nobody_tells_of_is_seen_within_the_freshness(server: LocalStorage, clock: Clock) -> None:
    """A restored backup, and what a killed process wrote last, stay unseen for no longer."""
    look, _ = looked(server)
    replaced_behind_its_back(server)
    assert look()
    clock.now += FRESHNESS
    assert not look()
    assert not look()


def test_other_keys_cost_no_question(server: LocalStorage) -> None:
    """Nor does a new object, of which nobody can know anything."""
    look, asked = counted(looked(server)[0])
    server.create("b", b"1")
    server.replace("b", b"2", server.read("b").revision)
    assert look()
    assert asked() == 0


def test_change_during_a_look_is_not_missed(server: LocalStorage) -> None:
    """The file is looked at, and then replaced, before the look ends: the next one sees it."""
    revision = server.read("a").revision
    look = look_at(server, "a", revision)
    assert isinstance(look, RecentLook)
    inner = look.look

    def overtaken() -> bool:
        is_same = inner()
        if is_same:
            server.replace("a", b"2", revision)
        return is_same

    look.look = overtaken
    assert look()
    assert not look()


def test_removed_file_of_generations_is_made_again(server: LocalStorage, clock: Clock) -> None:
    """One change may be seen late, and later ones are seen at once again."""
    look, revision = looked(server)
    server.generations.path.unlink()
    second = LocalStorage(server.root).replace("a", b"2", revision)
    clock.now += max(FRESHNESS, PAUSE)
    assert not look()
    look, _ = looked(server)
    LocalStorage(server.root).replace("a", b"3", second)
    assert not look()


def test_own_change_is_seen_although_the_file_of_generations_is_gone(server: LocalStorage) -> None:
    """The writer goes on with the new file, and so do the looks of its process."""
    look, revision = looked(server)
    server.generations.path.unlink()
    server.replace("a", b"2", revision)
    assert not look()


@pytest.mark.parametrize("what", ["folder", "link"])
def test_each_look_asks_where_nothing_can_be_told(tmp_path: Path, clock: Clock, what: str) -> None:
    """The file cannot be opened: then nothing is relied on, and writes go on."""
    path = tmp_path / ".locks" / "generations"
    path.parent.mkdir()
    if what == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "elsewhere")
    storage = LocalStorage(tmp_path, freshness=FRESHNESS)
    storage.create("a", b"1")
    look, _ = looked(storage)
    replaced_behind_its_back(storage)
    assert not look()
    look, revision = looked(storage)
    storage.replace("a", b"3", revision)
    assert not look()
    assert not (tmp_path / "elsewhere").exists()


def test_each_look_asks_where_no_space_can_be_reserved(server: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS has no `posix_fallocate`: there, the file of generations is not used."""
    monkeypatch.delattr(os, "posix_fallocate")
    look, _ = looked(server)
    assert server.generations.slots is None
    replaced_behind_its_back(server)
    assert not look()


def test_without_freshness_each_look_asks(tmp_path: Path) -> None:
    """As commands are: and they make no file for what they do not need."""
    storage = LocalStorage(tmp_path)
    storage.create("a", b"1")
    look, _ = looked(storage)
    replaced_behind_its_back(storage)
    assert not look()
    assert not storage.generations.path.exists()


def test_shortened_file_is_lengthened_before_it_is_mapped(tmp_path: Path, clock: Clock) -> None:
    """Reading mapped memory beyond the end of a file would end the process."""
    path = tmp_path / ".locks" / "generations"
    path.parent.mkdir()
    path.write_bytes(b"12345678")
    storage = LocalStorage(tmp_path, freshness=FRESHNESS)
    for number in range(50):
        storage.create(f"a{number}", b"1")
        look, revision = looked(storage, f"a{number}")
        assert look()
        storage.replace(f"a{number}", b"2", revision)
        assert not look()
