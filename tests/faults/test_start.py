"""A process that dies at any operation of a change: the next start finds it from its mark, and mends it."""

from __future__ import annotations

import itertools
import subprocess
import sys
import uuid
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from support.commands import COMMANDS, furnish, opened
from support.publications import ACTOR

from nproxy_mw.errors import Busy, StorageUnavailable
from nproxy_mw.orgs.directory import OrganizationDirectory
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.layout import DIRTY, RECORD, home
from nproxy_mw.testing.faults import Faulty
from nproxy_mw.times import utc_now
from nproxy_mw.upkeep.check import OrphanFinding, check
from nproxy_mw.upkeep.repair import repair_quickly

LATER = timedelta(hours=2)


@pytest.fixture(scope="module")
def contents():
    """A store that was looked at as a whole, with an organization that has every kind of object."""
    storage = open_storage(f"memory://{uuid.uuid4().hex}")
    OrganizationDirectory(storage).create("acme", actor=ACTOR)
    furnish(storage)
    repair_quickly(storage, 60)
    repair_quickly(storage, 60, clock=lambda: utc_now() + LATER)
    assert marks(storage) == []
    return {key: storage.read(key).data for key in storage.list()}


def marks(storage):
    return list(DIRTY.keys(home(storage, "acme")))


def findings(storage):
    return [str(found) for found in check(storage) if not isinstance(found, OrphanFinding)]


def copied(url, contents):
    storage = open_storage(url)
    for key, data in contents.items():
        storage.create(key, data)
    return storage


@pytest.fixture(params=["memory", "local"])
def new_store(request, tmp_path, contents):
    """Makes a store of its own each time."""
    prefix = f"memory://{uuid.uuid4().hex}" if request.param == "memory" else str(tmp_path)
    return lambda at: copied(f"{prefix}/{at}", contents)


@pytest.mark.parametrize("kind", ["fail", "lost-answer"])
@pytest.mark.parametrize("operation", COMMANDS)
def test_death_at_any_operation_is_mended_by_a_start(new_store, operation, kind, count_points):
    """It meets a failure and does nothing more. A start mends; one some hours later removes the mark."""
    for at in itertools.count(1):
        storage = new_store(at)
        dying = Dying(storage, at, kind)
        with suppress(StorageUnavailable, Busy):
            COMMANDS[operation].act(opened(dying))
        repair_quickly(storage, 60)
        assert findings(storage) == []
        repair_quickly(storage, 60, clock=lambda: utc_now() + LATER)
        assert marks(storage) == []
        assert not repair_quickly(storage, 60)
        if not dying.struck:
            break
    assert at > 3
    count_points("start", operation, kind, at - 1)


@pytest.mark.parametrize("operation", ["publish of a new version", "unpublish", "token creation", "settings change"])
def test_process_killed_at_any_operation_is_mended_by_a_start(operation, contents, tmp_path):
    """The same with processes of their own that get SIGKILL, in a folder."""
    copied(str(tmp_path / "contents"), contents)
    script = Path(__file__).parents[1] / "support" / "killed_command.py"
    command = [sys.executable, str(script), str(tmp_path / "stores"), operation, str(tmp_path / "contents")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert run.returncode == 0, run.stderr
    for at in range(1, int(run.stdout) + 1):
        storage = open_storage(str(tmp_path / "stores" / str(at)))
        repair_quickly(storage, 60)
        assert findings(storage) == []


class Dying(Faulty):
    """A storage that does nothing any more after the chosen operation: it stands for a process that was killed."""

    def strike(self, operate, *, counted=False):
        if self.struck:
            raise StorageUnavailable("This process is dead.")
        return super().strike(operate, counted=counted)


@pytest.mark.parametrize("skew", [timedelta(minutes=-20), timedelta(), timedelta(minutes=20)])
def test_another_host_goes_on_meanwhile(new_store, skew):
    """Its mark stays, whatever its clock says, and so does its next change under it."""
    storage = new_store("hosts")
    alive, dead = opened(storage), opened(storage)
    alive.trail.dirty.clock = alive.trail.clock = lambda: utc_now() + skew
    COMMANDS["token creation"].act(alive)
    lose_index(dead, storage)
    repair_quickly(storage, 60)
    assert findings(storage) == []
    assert len(marks(storage)) == 2
    before = set(marks(storage))
    lose_index(alive, storage, operation="tag change")
    assert set(marks(storage)) == before
    repair_quickly(storage, 60)
    assert findings(storage) == []


def lose_index(organization, storage, operation="publish of a new version"):
    """A change whose events do not get into the index, as when its process is killed."""
    organization.trail.index = lambda chain, before, *, storage: None
    COMMANDS[operation].act(organization)
    del organization.trail.index
    assert findings(storage) != []


def test_only_what_was_stored_since_is_read(new_store, request):
    """A start after a crash reads the records that changed since the mark; a start without one reads none."""
    if "memory" in request.node.name:
        pytest.skip("a storage in memory knows no times")
    storage = new_store("reads")
    organization = opened(storage)
    lose_index(organization, storage)
    watched = Reading(storage)
    repair_quickly(watched, 60)
    assert [key for key in watched.read_keys if key.endswith("record.json")] != []
    organization.trail.dirty.settle()
    again = Reading(storage)
    repair_quickly(again, 60)
    assert {key.rpartition("/")[2] for key in again.read_keys} == {"mended.json"}
    assert not any(key.startswith(f"orgs/acme/{RECORD.folder}") for key in again.listed)


class Reading:
    """A storage that notes what is read and listed."""

    def __init__(self, storage):
        self.storage = storage
        self.read_keys, self.listed = [], []

    def __getattr__(self, name):
        return getattr(self.storage, name)

    def read(self, key):
        self.read_keys.append(key)
        return self.storage.read(key)

    def list(self, prefix=""):
        self.listed.append(prefix)
        return self.storage.list(prefix)

    def list_with_times(self, prefix=""):
        self.listed.append(prefix)
        return self.storage.list_with_times(prefix)


@pytest.mark.parametrize(
    "note", [b"", b"{", b'{"format":1}', b'{"format":2}', b'{"format":1,"begun":"2999-01-01T00:00:00.000Z"}', None]
)
def test_note_that_lies_or_is_gone_makes_a_start_look_at_everything(new_store, note):
    """Also without any mark: it is only believed when it is one that this program can have written lately."""
    storage = new_store("note")
    organization = opened(storage)
    lose_index(organization, storage)
    organization.trail.dirty.settle()
    assert marks(storage) == []
    key = "orgs/acme/upkeep/mended.json"
    if note is None:
        storage.delete(key)
    else:
        storage.replace(key, note, storage.read(key).revision)
    repair_quickly(storage, 60)
    assert findings(storage) == []
    assert not repair_quickly(storage, 60)


def test_everything_is_looked_at_now_and_then(new_store):
    """What no mark tells is found within a week."""
    storage = new_store("week")
    organization = opened(storage)
    lose_index(organization, storage)
    organization.trail.dirty.settle()
    assert not repair_quickly(storage, 60, clock=lambda: utc_now() + timedelta(days=6))
    assert repair_quickly(storage, 60, clock=lambda: utc_now() + timedelta(days=8))
    assert findings(storage) == []
