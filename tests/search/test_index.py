"""A search index follows its storage: at once in its process and on its host, within seconds on others."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta

import pytest
from support.publications import ACTOR
from support.search import Host
from support.stores import edit, overwrite

from nproxy_mw import background
from nproxy_mw.errors import StorageUnavailable
from nproxy_mw.npm.names import parse_name
from nproxy_mw.packages.search import index, refresh
from nproxy_mw.packages.search.index import SearchIndex
from nproxy_mw.packages.search.queries import PackageSort
from nproxy_mw.packages.search.schema import SCHEMA
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.layout import INDEX, RECORD
from nproxy_mw.storage.local import LocalStorage
from nproxy_mw.testing.faults import Faulty

UTILS = parse_name("@acme/utils")
RECORD_OF_UTILS = f"orgs/acme/{RECORD.key(UTILS)}"


def test_own_changes_are_found_at_once(host):
    """Publish, deprecate, tag and unpublish show in the next answer, without another look at the storage."""
    one = host()
    assert one.found() == []
    one.publish("@acme/utils", package_json={"description": "Helps"})
    assert one.found("helps") == one.listed() == ["@acme/utils"]
    packages = one.organization.packages
    packages.deprecate(UTILS, {"1.0.0": "old"}, packages.read(UTILS)[0]["_rev"], ACTOR)
    assert (one.found("is:deprecated"), one.found("not:deprecated")) == (["@acme/utils"], [])
    one.publish("@acme/utils", "2.0.0-rc.1", tag="next")
    packages.tag(UTILS, "latest", "2.0.0-rc.1", ACTOR)
    shown = one.index.page(sort=PackageSort.NAME, after=None, text="", size=1).summaries[0]
    assert (shown["version"], shown["versionCount"], shown["deprecated"]) == ("2.0.0-rc.1", 2, "")
    packages.unpublish(UTILS, packages.read(UTILS)[0]["_rev"], ACTOR)
    assert one.found() == one.found("helps") == one.listed() == []
    one.publish("@acme/utils", "3.0.0")
    assert one.found("utils") == ["@acme/utils"]


def test_processes_of_a_host_see_each_other_at_once(host):
    """They share the file: no time passes between a publish by one and the answer of the other."""
    first, second = host(), host()
    assert first.found() == second.found() == []
    first.publish("@acme/utils")
    assert second.found() == ["@acme/utils"]


def test_other_hosts_see_a_change_within_the_bound(host, clock):
    """A change is found when the last check is too old, however many answers were given meanwhile."""
    one, other = host("one"), host("two")
    assert one.found() == other.found() == []
    one.publish("@acme/utils")
    clock.pass_by(index.LATE + 0.1)
    assert other.found() == ["@acme/utils"]
    packages = one.organization.packages
    packages.unpublish(UTILS, packages.read(UTILS)[0]["_rev"], ACTOR)
    clock.pass_by(index.LATE + 0.1)
    assert other.found() == []


def test_answer_that_is_a_little_old_is_given_at_once(host, clock):
    """Between fresh and late, the answer is as old as the last check, and the next one is not."""
    one, other = host("one"), host("two")
    assert other.found() == []
    one.publish("@acme/utils")
    assert other.found() == []
    clock.pass_by(index.FRESH + 0.1)
    other.found()
    other.wait()
    assert other.found() == ["@acme/utils"]


@pytest.mark.parametrize("apart", [-600.0, 600.0])
@pytest.mark.parametrize("minute", [5, 715, 1435])
def test_clocks_of_hosts_may_be_apart(host, clock, apart, minute):
    """An event that was stamped by a clock ten minutes ahead or behind is found, at midnight too."""
    clock.now = clock.now.replace(hour=0) + timedelta(minutes=minute)
    one, other = host("one"), host("two")
    assert other.found() == []
    clock.pass_by(apart)
    one.publish("@acme/utils")
    clock.pass_by(-apart + index.LATE + 0.1)
    assert other.found() == ["@acme/utils"]


def test_check_reads_what_changed_and_nothing_else(host, storage, clock, monkeypatch):
    """One change of another host among many packages costs one read of a record."""
    one, other = host("one"), host("two")
    for number in range(20):
        one.publish(f"@acme/p{number}")
    assert len(other.found()) == 20
    one.publish("@acme/p7", "1.0.1")
    read = list[str]()
    real = LocalStorage.read
    monkeypatch.setattr(LocalStorage, "read", lambda self, key: read.append(key) or real(self, key))
    for _ in range(3):
        clock.pass_by(index.LATE + 0.1)
        other.found()
    assert [key for key in read if key.endswith("record.json")] == ["orgs/acme/packages/@acme/p7/record.json"]
    assert len([key for key in read if INDEX.folder in key]) == 1


def test_long_silence_ends_with_a_comparison(host, clock):
    """After more time than events are looked up for, all packages are compared before the answer."""
    one, other = host("one"), host("two")
    assert other.found() == []
    one.publish("@acme/utils")
    clock.pass_by(refresh.GAP + 1)
    assert other.found() == ["@acme/utils"]


def test_change_without_an_event_is_found_by_comparing(host, storage, clock):
    """A record whose event a crash kept from being written, or that was restored, is found in the end."""
    one, other = host("one"), host("two")
    one.publish("@acme/utils", package_json={"description": "first"})
    before = storage.read(RECORD_OF_UTILS).data
    assert other.found("first") == ["@acme/utils"]
    one.publish("@acme/utils", "2.0.0", package_json={"description": "second"})
    clock.pass_by(index.LATE + 0.1)
    assert other.found("second") == ["@acme/utils"]
    overwrite(storage, RECORD_OF_UTILS, before)  # an older generation than the index holds
    for key in list(storage.list("orgs/acme/audit/index")):
        storage.delete(key)
    clock.pass_by(index.COMPARE + 1)
    other.found()
    other.wait()
    assert (other.found("first"), other.found("second")) == (["@acme/utils"], [])
    storage.delete(RECORD_OF_UTILS)
    clock.pass_by(index.COMPARE + 1)
    other.found()
    other.wait()
    assert other.found() == []


def test_new_process_compares_once(host, storage, clock):
    """What changed while no process ran is found by the next one, whatever the file says of its age."""
    host().publish("@acme/utils")
    assert host().found() == ["@acme/utils"]
    clock.pass_by(index.TOGETHER + 1)
    storage.delete(RECORD_OF_UTILS)
    again = host()
    again.found()
    again.wait()
    assert again.found() == []


def test_damaged_record_stops_nothing(host, storage, clock, caplog, tmp_path):
    """It is not found, the log names it, and the others are. When it is mended, it is found again."""
    one = host()
    for name in ("@acme/a", "@acme/utils", "@acme/z"):
        one.publish(name)
    whole = storage.read(RECORD_OF_UTILS).data
    damages = (
        b"{",
        b'{"format": 99}',
        whole.replace(b'"versions"', b'"wersions"'),
        whole.replace(b'"name":"@acme/utils","dist-tags"', b'"name":5,"dist-tags"'),
        whole.replace(b'"name":"@acme/utils","dist-tags"', b'"name":"@beta/utils","dist-tags"'),
    )
    for number, damage in enumerate(damages):
        assert damage != whole
        overwrite(storage, RECORD_OF_UTILS, damage)
        caplog.clear()
        broken = Host(storage, tmp_path / str(number), clock)
        assert broken.found() == broken.listed() == ["@acme/a", "@acme/z"]
        assert "@acme/utils" in caplog.text
    overwrite(storage, RECORD_OF_UTILS, whole)
    clock.pass_by(index.COMPARE + 1)
    broken.found()
    broken.wait()
    assert broken.found() == ["@acme/a", "@acme/utils", "@acme/z"]


def test_record_that_cannot_be_read_stops_nothing(host, storage, clock, monkeypatch):
    """One that the storage fails to give is tried again with the next comparison; the others are found."""
    one = host()
    for name in ("@acme/a", "@acme/utils"):
        one.publish(name)
    real = LocalStorage.read

    def read(self, key):
        if key == RECORD_OF_UTILS:
            raise StorageUnavailable("A bad block.")
        return real(self, key)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "read", read)
        assert one.found() == ["@acme/a"]
    clock.pass_by(index.COMPARE + 1)
    one.found()
    one.wait()
    assert one.found() == ["@acme/a", "@acme/utils"]


@pytest.mark.parametrize("has_event", [True, False])
def test_change_that_cannot_be_read_is_read_by_the_next_check(host, storage, clock, monkeypatch, has_event):
    """It is not taken for dealt with, whether this host made it or another one told of it."""
    one, other = host("one"), host("two")
    assert one.found() == other.found() == []
    real = LocalStorage.read

    def read(self, key):
        if key == RECORD_OF_UTILS:
            raise StorageUnavailable("A moment of weakness.")
        return real(self, key)

    with monkeypatch.context() as patch:
        patch.setattr(one.index.database, "writing", lambda: read(None, RECORD_OF_UTILS))
        one.publish("@acme/utils")
    hosts = [one, other] if has_event else [one]
    for key in [] if has_event else list(storage.list("orgs/acme/audit/index")):
        storage.delete(key)
    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "read", read)
        clock.pass_by(index.LATE + 0.1)
        assert [each.found() for each in hosts] == [[]] * len(hosts)
    clock.pass_by(index.LATE + 0.1)
    assert [each.found() for each in hosts] == [["@acme/utils"]] * len(hosts)
    assert one.index._pending == set()


def test_storage_that_is_away_is_an_error_only_without_an_index(host, storage, clock, monkeypatch):
    """Answers go on from what is there. Without anything, the error is the storage's, and passes with it."""
    one, new = host("one"), host("two")
    one.publish("@acme/utils")
    assert one.found() == ["@acme/utils"]
    monkeypatch.setattr(background, "PAUSE", 0.0)

    def away(self, *_):
        raise StorageUnavailable("The storage is away.")

    with monkeypatch.context() as patch:
        for verb in ("read", "list", "list_with_revisions"):
            patch.setattr(LocalStorage, verb, away)
        clock.pass_by(index.COMPARE + 1)
        assert one.found() == ["@acme/utils"]
        one.wait()
        with pytest.raises(StorageUnavailable, match="away"):
            new.found()
    assert new.found() == ["@acme/utils"]


def test_too_many_failures_are_one(storage, clock, monkeypatch, host):
    """A storage that fails for record after record is not asked for all of them."""
    one = host()
    for number in range(6):
        one.publish(f"@acme/p{number}")
    monkeypatch.setattr(refresh, "MAX_FAILED", 3)
    monkeypatch.setattr(refresh, "BATCH", 2)
    asked = list[str]()

    def read(self, key):
        asked.append(key)
        raise StorageUnavailable("Gone.")

    monkeypatch.setattr(LocalStorage, "read", read)
    with pytest.raises(StorageUnavailable, match="does not answer"):
        one.found()
    assert len([key for key in asked if "record.json" in key]) <= 4


def test_change_that_the_index_misses_is_made_up_for(host, monkeypatch, caplog):
    """A publish never fails for the index: what it cannot write at once, the next answer has all the same."""
    one = host()
    assert one.found() == []

    def busy(*_):
        raise StorageUnavailable("Somebody else writes.")

    with monkeypatch.context() as patch:
        patch.setattr(one.index.database, "writing", busy)
        one.publish("@acme/utils")
    assert "later" in caplog.text
    assert one.found() == ["@acme/utils"]
    assert one.index._pending == set()


def test_change_whose_answer_is_lost_is_found(storage, clock, tmp_path):
    """A publish that was stored although the storage said otherwise is in the next answer."""
    one = Host(storage, tmp_path / "index", clock)
    assert one.found() == []
    for at in range(1, 30):
        lossy = Host(Faulty(storage, at, "lost-answer"), tmp_path / "index", clock)
        name = f"@acme/p{at}"
        try:
            lossy.publish(name)
        except StorageUnavailable:
            clock.pass_by(index.LATE + 0.1)
        stored = name in [str(each) for each in one.organization.packages.names()]
        assert (name in lossy.found()) is stored


def test_slow_writer_does_not_overwrite_a_newer_state(host, storage, clock, monkeypatch):
    """A package that is changed between its reading and its writing is read again."""
    one, other = host("one"), host("two")
    assert one.found() == other.found() == []
    one.publish("@acme/utils", package_json={"description": "first"})
    real = other.index._refresh.records.read
    changes = iter(["second"])

    def read(known):
        outcomes = real(known)
        for description in changes:
            other.publish("@acme/utils", "2.0.0", package_json={"description": description})
        return outcomes

    monkeypatch.setattr(other.index._refresh.records, "read", read)
    clock.pass_by(index.LATE + 0.1)
    assert other.found("second") == ["@acme/utils"]


def test_late_note_of_a_change_does_not_overwrite_a_newer_state(host):
    """Two publishes may reach the index in either order."""
    one = host()
    assert one.found() == []
    one.publish("@acme/utils")
    older = one.organization.packages.record(UTILS)
    one.publish("@acme/utils", "2.0.0")
    one.index.changed(UTILS, *older)
    assert one.index.page(sort=PackageSort.NAME, after=None, text="", size=1).summaries[0]["versionCount"] == 2


def test_first_index_is_made_while_answers_are_given(host, storage, clock, monkeypatch, caplog):
    """Who comes while it is made gets what is there, and is told that it is not all; the log shows progress."""
    one = host()
    for number in range(5):
        one.publish(f"@acme/p{number}")
    monkeypatch.setattr(index, "FIRST_PATIENCE", -1.0)
    monkeypatch.setattr(refresh, "BATCH", 2)
    monkeypatch.setattr(refresh, "PROGRESS", -1.0)
    caplog.set_level(logging.INFO)
    gate, reached = threading.Event(), threading.Event()
    real = LocalStorage.read

    def read(self, key):
        if key.endswith("p4/record.json"):
            reached.set()
            gate.wait(60)
        return real(self, key)

    monkeypatch.setattr(LocalStorage, "read", read)
    one.index._comparison.start()
    assert reached.wait(60)
    found = one.index.page(sort=PackageSort.NAME, after=None, text="", size=250)
    assert not found.is_complete
    assert found.total < 5
    one.publish("@acme/meanwhile")
    assert "@acme/meanwhile" in one.found()
    gate.set()
    one.wait()
    found = one.index.page(sort=PackageSort.NAME, after=None, text="", size=250)
    assert (found.is_complete, found.total) == (True, 6)
    assert "packages read so far" in caplog.text


def test_organizations_have_indexes_of_their_own(host):
    """The same folder, the same names: no answer of one is about another."""
    acme, beta = host(org="acme"), host(org="beta")
    acme.publish("@acme/utils")
    beta.publish("@acme/secret")
    assert (acme.found(), beta.found()) == (["@acme/utils"], ["@acme/secret"])
    assert (acme.listed(), beta.listed()) == (["@acme/utils"], ["@acme/secret"])


@pytest.mark.parametrize("url", ["memory://search-{}", "{}"])
def test_index_stands_where_the_storage_says(tmp_path, clock, url):
    """A local storage has it in its own folder, unseen by listings; one in memory has no file at all."""
    storage = open_storage(url.format(tmp_path / "store"))
    one = Host(storage, None, clock)
    one.publish("@acme/utils")
    keys = set(storage.list())
    assert one.found() == ["@acme/utils"]
    assert set(storage.list()) == keys
    assert [file.name for file in tmp_path.glob("**/*.sqlite3")] == (
        [f"acme.v{SCHEMA.version}.sqlite3"] if url == "{}" else []
    )


def test_publish_makes_no_index(host, tmp_path):
    """A server that is never searched keeps none."""
    host().publish("@acme/utils")
    assert not list((tmp_path / "hosts").rglob("*.sqlite3"))


def test_many_threads_ask_and_publish_at_once(host):
    """Every answer holds what its own thread has published before."""
    one = host()
    failures = list[str]()

    def work(number: int) -> None:
        for version in range(5):
            name = f"@acme/p{number}-{version}"
            one.publish(name)
            if name not in one.found("acme"):
                failures.append(name)

    threads = [threading.Thread(target=work, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(one.found()) == 30


def test_storage_without_revisions_is_followed_too(clock):
    """Where a listing holds no revisions, each record is asked whether it changed."""
    storage = open_storage("memory://without-revisions")
    one = Host(storage, None, clock)
    one.publish("@acme/utils", package_json={"description": "first"})
    assert one.found("first") == ["@acme/utils"]
    edit(storage, RECORD_OF_UTILS, lambda record: record["packument"].update(description="second"))
    clock.pass_by(index.COMPARE + 1)
    one.found()
    one.wait()
    assert one.found("second") == ["@acme/utils"]
    assert isinstance(one.index, SearchIndex)
