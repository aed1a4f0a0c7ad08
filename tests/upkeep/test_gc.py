"""What is removed, and when; and that nothing is that anybody may still want."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime, timedelta

import pytest
from support.publications import ACTOR, publication, publish
from support.stores import UTILS, edit

from nproxy_mw.access import User
from nproxy_mw.accounts.attempts import Attempts
from nproxy_mw.accounts.pending_logins import PendingLogins
from nproxy_mw.accounts.sessions import SessionStore
from nproxy_mw.errors import StorageUnavailable
from nproxy_mw.ledger.facts import Count, InstallKey, encode
from nproxy_mw.ledger.query import read_day
from nproxy_mw.npm.names import parse_name
from nproxy_mw.orgs.directory import OrganizationDirectory
from nproxy_mw.orgs.organization import open_organization
from nproxy_mw.storage.layout import INSTALLS, KINDS, ORPHANS, home, locate
from nproxy_mw.storage.local import LocalStorage
from nproxy_mw.storage.locks import ThreadLocks
from nproxy_mw.testing.faults import Faulty
from nproxy_mw.upkeep.check import check
from nproxy_mw.upkeep.gc import EXPIRED, MERGED, PRUNED, gc, sweep
from nproxy_mw.upkeep.progress import Progress

ORPHAN = "orgs/acme/tarballs/@acme/utils/0123.tgz"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def collect(store, hours: float = 0, **how):
    return {left.key: left.due for left in gc(store, clock=lambda: NOON + timedelta(hours=hours), **how)}


@pytest.fixture
def orphaned(store):
    """A store with one orphan."""
    store.create(ORPHAN, b"left behind")
    return store


def test_sound_store_loses_nothing(store):
    """Where there are no orphans, nothing is removed and nothing is written."""
    before = sorted(store.list())
    assert collect(store) == collect(store, hours=100) == {}
    assert sorted(store.list()) == before


@pytest.mark.parametrize("storage", ["memory", "local"], indirect=True)
def test_orphan_goes_after_its_grace(orphaned):
    """An orphan is kept by the run that sees it first and within the grace, and removed after it."""
    assert collect(orphaned) == {ORPHAN: False}
    assert collect(orphaned, hours=0.9) == {ORPHAN: False}
    assert collect(orphaned, hours=1.1) == {ORPHAN: True}
    assert ORPHAN not in set(orphaned.list())
    assert list(check(orphaned)) == []


def test_first_run_removes_nothing_however_late(orphaned):
    """An orphan that no run saw before is kept: how old it is, nobody knows."""
    assert collect(orphaned, hours=10_000) == {ORPHAN: False}


def test_dry_run_changes_nothing(orphaned):
    """A dry run shows what would go, and begins no grace."""
    before = sorted(orphaned.list())
    assert collect(orphaned, dry_run=True) == {ORPHAN: False}
    assert sorted(orphaned.list()) == before
    assert collect(orphaned, hours=2) == {ORPHAN: False}
    assert collect(orphaned, hours=4, dry_run=True) == {ORPHAN: True}
    assert ORPHAN in set(orphaned.list())


def test_no_grace_removes_at_once(orphaned):
    """Without a grace, the first run removes."""
    assert collect(orphaned, grace=timedelta(0)) == {ORPHAN: True}
    assert ORPHAN not in set(orphaned.list())


@pytest.mark.parametrize("storage", ["memory", "local"], indirect=True)
def test_publish_in_flight_keeps_its_bytes(store, acme):
    """Bytes that a run saw as an orphan stay when a record names them by the time the grace is over."""
    seen = []
    storage = Faulty(store, 0, "delay")
    real = storage.create

    def create(key, data):
        revision = real(key, data)
        if key.startswith("orgs/acme/tarballs"):
            seen.append(collect(store))
        return revision

    storage.create = create
    publish(open_organization(storage, ThreadLocks(), "acme"), "@acme/utils", "3.0.0")
    assert [list(kept.values()) for kept in seen] == [[False]]
    assert collect(store, hours=2) == {}
    assert list(check(store)) == []


def test_record_changed_since_the_listing_is_looked_at_again(orphaned, acme):
    """Just before removing, the record is read again: what it names by then stays."""
    collect(orphaned)
    real = orphaned.list

    def named_meanwhile(prefix=""):
        for key in sorted(real(prefix), key=lambda key: key == ORPHAN):
            if key == ORPHAN and prefix.endswith("tarballs"):
                edit(orphaned, UTILS, lambda it: it["tarballs"]["1.0.0"].update(key="0123.tgz"))
            yield key

    orphaned.list = named_meanwhile
    assert collect(orphaned, hours=2)[ORPHAN] is False
    assert ORPHAN in set(real())


def test_clock_that_goes_back_removes_nothing(orphaned):
    """A host whose clock is behind that of an earlier run keeps everything."""
    collect(orphaned, hours=100)
    assert collect(orphaned) == {ORPHAN: False}


def test_damaged_record_protects_its_tarballs(store):
    """The tarballs of a package whose record is damaged are no orphans: they are wanted when it is restored."""
    key = "orgs/acme/packages/@acme/utils/record.json"
    store.replace(key, b"{", store.read(key).revision)
    assert collect(store) == collect(store, hours=2) == {}


@pytest.mark.parametrize("notes", [b"", b"[]", b'{"format":1,"orphans":[]}', b'{"format":1,"orphans":{"a":1}}'])
def test_damaged_notes_begin_the_grace_anew(orphaned, notes):
    """Notes of an earlier run that cannot be understood remove nothing."""
    orphaned.create(f"orgs/acme/{ORPHANS.key()}", notes)
    assert collect(orphaned) == {ORPHAN: False}
    assert collect(orphaned, hours=2) == {ORPHAN: True}


def test_one_organization_is_cleared_alone(orphaned):
    """Another organization's orphans are none of its business."""
    assert collect(orphaned, orgs=["umbrella"], grace=timedelta(0)) == {}
    assert ORPHAN in set(orphaned.list())


@pytest.mark.parametrize("at", range(2, 8))
def test_what_an_unpublish_left_is_collected(store, at):
    """Whatever an unpublish that failed left behind is gone after two runs, and the store is sound."""
    organization = open_organization(Faulty(store, at), ThreadLocks(), "acme")
    name = parse_name("@acme/utils")
    with contextlib.suppress(StorageUnavailable):
        organization.packages.unpublish(name, organization.packages.record(name)[0].revision, ACTOR)
    collect(store)
    collect(store, hours=2)
    assert [str(finding) for finding in check(store, repair=True)] == []


def expired(store, hours: float = 0, **how) -> int:
    """How many expired objects a run removes."""
    progress = Progress()
    list(gc(store, clock=lambda: NOON + timedelta(hours=hours), progress=progress, **how))
    return progress.counts[EXPIRED]


@pytest.fixture
def passing(store):
    """A store with a session that ends at midnight, a failed sign-in, and a login that waits for ten minutes."""
    trail = OrganizationDirectory(store, clock=lambda: NOON).trail("system")
    sessions = SessionStore(store, epoch_of=lambda name, *, current=False: "e", trail=trail, clock=lambda: NOON)
    sessions.create(User("ann"), actor=ACTOR)
    Attempts(store, clock=lambda: NOON).begin("ann", "192.0.2.7")
    PendingLogins(home(store, "acme"), clock=lambda: NOON).begin(ACTOR)
    return store


def test_expired_objects_go_when_their_time_is_over(passing):
    """A login after its minutes, counters of failed sign-ins after an hour, a session after its day; each once."""
    assert [expired(passing, hours) for hours in (0, 0.2, 0.9, 1.1, 12, 13, 14)] == [0, 0, 1, 2, 0, 2, 0]
    assert not [key for key in passing.list() if locate(key).kind.passing]


def test_every_passing_kind_is_removed_some_day(passing):
    """The map says what passes, and each kind that passes has a way to tell when it is over."""
    kinds = {kind for kind in KINDS if kind.passing}
    assert kinds == {locate(key).kind for key in passing.list() if locate(key).kind.passing}
    assert expired(passing, 100) == 5


def test_dry_run_removes_nothing_that_expired(passing):
    """A dry run counts."""
    before = sorted(passing.list())
    assert expired(passing, 100, dry_run=True) == 5
    assert sorted(passing.list()) == before


def test_one_organization_loses_its_own_logins_alone(passing):
    """What belongs to the whole store is cleared with all organizations only."""
    assert expired(passing, 100, orgs=["umbrella"]) == 0
    assert expired(passing, 100, orgs=["acme"]) == 1


@pytest.mark.parametrize("data", [b"", b"{", b'{"format":1}', b'{"format":2}'])
def test_expired_object_that_cannot_be_read_stays(store, data):
    """Nobody can say that its time is over: check reports it."""
    mark = f"sessions-by-account/ann/20261122T120000.000Z-{'0' * 64}.json"
    keys = [mark, "sessions/x.json", "attempts/name/0.json", "orgs/acme/logins/x.json"]
    for key in keys:
        store.create(key, data)
    assert expired(store, 100) == 0
    assert set(keys) <= set(store.list())


def test_temporary_files_are_swept(tmp_path):
    """Temporary files of killed processes go when they are older than the grace; younger ones may be in use."""
    storage = LocalStorage(tmp_path)
    storage.create("a/b", b"")
    old, young = tmp_path / "a" / ".new-old", tmp_path / "a" / ".new-young"
    old.write_bytes(b"")
    young.write_bytes(b"")
    os.utime(old, (0, 0))
    assert sweep(storage, dry_run=True) == 1
    assert sweep(storage) == 1
    assert not old.exists()
    assert young.exists()


def test_publication_helper_makes_different_bytes():
    """Two versions of the tests have different bytes: one's orphan is not the other's tarball."""
    assert publication("@acme/a", "1.0.0").tarball != publication("@acme/a", "1.0.1").tarball


FETCHED = InstallKey("axios", "1.14.1", "tok1", "192.0.2.1")


def note_installs(store, days_ago: int, parts: int = 3) -> None:
    """What some processes wrote down on one day."""
    then = NOON - timedelta(days=days_ago)
    facts = encode({FETCHED: Count(2, then.timestamp(), then.timestamp())})
    for number in range(parts):
        home(store, "acme").create(INSTALLS.key(f"{then:%Y/%m/%d}", f"12-{number:016x}"), facts)


def parts_by_age(store) -> dict[int, int]:
    """How many objects of the ledger there are, by the days that have passed since."""
    days = ["-".join(key.split("/")[1:4]) for key in INSTALLS.keys(home(store, "acme"))]
    ages = [(NOON.date() - datetime.fromisoformat(day).date()).days for day in days]
    return {age: ages.count(age) for age in ages}


def test_ledger_is_merged_and_pruned(store, acme):
    """Days that are over become one object with the same counts; today and yesterday stay; old days go."""
    acme.settings.change({"ledgerDays": 30}, actor=ACTOR)
    for days_ago in (0, 1, 2, 30, 31, 400):
        note_installs(store, days_ago)
    before, rehearsed, progress = parts_by_age(store), Progress(), Progress()
    collect(store, dry_run=True, progress=rehearsed)
    assert parts_by_age(store) == before
    collect(store, progress=progress)
    assert parts_by_age(store) == {0: 3, 1: 3, 2: 1, 30: 1}
    assert read_day(home(store, "acme"), (NOON - timedelta(days=2)).date())[FETCHED].times == 6
    for counts in (rehearsed.counts, progress.counts):
        assert (counts[MERGED], counts[PRUNED], counts[EXPIRED]) == (4, 6, 0)


def test_ledger_stays_without_settings(store):
    """Where they are gone, nobody knows how long anything is kept."""
    note_installs(store, 400)
    own = home(store, "acme")
    own.delete("settings.json")
    collect(store)
    assert parts_by_age(store) == {400: 1}


def test_damaged_part_of_the_ledger_stays(store):
    """It is left to a restore, and the rest is cleared all the same."""
    for days_ago in (5, 6):
        note_installs(store, days_ago)
    home(store, "acme").create(INSTALLS.key(f"{NOON - timedelta(days=5):%Y/%m/%d}", "12-broken"), b"{")
    collect(store)
    assert parts_by_age(store) == {5: 4, 6: 1}
