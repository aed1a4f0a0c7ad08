"""Many writers of one package at once: nothing is lost, and each is told its own outcome."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from support.packages import ANN, NAME, NoLocks, assert_whole, keys, packages_on, publication, recorded

from nproxy_mw.errors import Busy, Changed, Conflict, Exists, NotFound, StorageUnavailable
from nproxy_mw.packages import store
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.layout import RECORD
from nproxy_mw.storage.locks import locks_for
from nproxy_mw.storage.swaps import ATTEMPTS

OTHER = publication("2.0.0")


@pytest.mark.parametrize("locks", [True, False], ids=["locks", "no locks"])
def test_twelve_threads_lose_no_version(tmp_path, locks):
    """Twelve writers of one package at once: whatever was acknowledged is there, and the chain tells of each."""
    storage = open_storage(str(tmp_path))
    start = threading.Barrier(12)

    def publish(number):
        packages = packages_on(storage, locks=locks_for(str(tmp_path)) if locks else NoLocks())
        one = publication(f"1.{number}.0")
        start.wait()
        for _ in itertools.count():
            with suppress(Busy):
                packages.publish(one, ANN)
                return

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(publish, range(12)))
    packages = packages_on(storage)
    assert packages.read(NAME)[0]["versions"].keys() == {f"1.{number}.0" for number in range(12)}
    assert sorted(recorded(packages)) == sorted(("package.published", f"1.{number}.0") for number in range(12))
    assert len(keys(storage)) == 13
    assert_whole(storage)


def test_one_version_has_one_winner(tmp_path):
    """Twelve writers of one version: one is acknowledged, the others conflict, and one tarball stays."""
    storage = open_storage(str(tmp_path))
    start = threading.Barrier(12)

    def publish(number):
        one = publication(files={"who.js": str(number)})
        start.wait()
        try:
            packages_on(storage, locks=NoLocks()).publish(one, ANN)
        except (Conflict, Busy) as error:
            return type(error)
        return one.integrity

    with ThreadPoolExecutor(12) as pool:
        outcomes = list(pool.map(publish, range(12)))
    (winner,) = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert packages_on(storage).read(NAME)[0]["versions"]["1.0.0"]["dist"]["integrity"] == winner
    assert len(keys(storage)) == 2
    assert_whole(storage)


class Rival:
    """A storage on which somebody else changes the package just before each swap, *times* times."""

    def __init__(self, storage, times):
        self.storage = storage
        self.left = times
        self.swaps = 0

    def __getattr__(self, verb):
        real = getattr(self.storage, verb)

        def call(key="", *arguments):
            if verb in ("create", "replace") and key.endswith("record.json"):
                self.swaps += 1
                if self.left:
                    self.left -= 1
                    packages_on(self.storage).publish(publication(f"0.{self.left}.0"), ANN)
            return real(key, *arguments)

        return call


@pytest.mark.parametrize("lost", range(ATTEMPTS))
def test_lost_race_is_run_again(storage, lost):
    """Up to three attempts: who loses two of them is stored by the third."""
    rival = Rival(storage, lost)
    packages_on(rival, locks=NoLocks()).publish(publication(), ANN)
    assert rival.swaps == lost + 1
    assert len(packages_on(storage).read(NAME)[0]["versions"]) == lost + 1
    assert_whole(storage)


@pytest.mark.parametrize("lost", [ATTEMPTS, ATTEMPTS + 1])
def test_third_lost_race_is_busy_and_nothing_is_stored(storage, lost):
    """Then it is 503: no version, no event, no tarball of ours."""
    rival = Rival(storage, lost)
    with pytest.raises(Busy) as caught:
        packages_on(rival, locks=NoLocks()).publish(publication(), ANN)
    assert caught.value.headers() == [("Retry-After", "1")]
    assert rival.swaps == ATTEMPTS == 3
    packages = packages_on(storage)
    assert packages.read(NAME)[0]["versions"].keys() == {f"0.{lost - number}.0" for number in (1, 2, 3)}
    assert ("package.published", "1.0.0") not in recorded(packages)
    assert len([key for key in keys(storage) if key.endswith(".tgz")]) == ATTEMPTS
    assert_whole(storage)


def test_race_lost_to_the_same_version_removes_the_orphan(storage):
    """The other's bytes stay, ours go."""

    class SameVersion(Rival):
        def __getattr__(self, verb):
            real = getattr(self.storage, verb)

            def call(key="", *arguments):
                if verb == "create" and key.endswith("record.json") and self.left:
                    self.left = 0
                    packages_on(self.storage).publish(publication(files={"other.js": "1"}), ANN)
                return real(key, *arguments)

            return call

    with pytest.raises(Conflict):
        packages_on(SameVersion(storage, 1), locks=NoLocks()).publish(publication(), ANN)
    assert len(keys(storage)) == 2
    assert_whole(storage)


def test_number_that_was_burnt_meanwhile_is_not_given_again(storage):
    """Between the look and the swap, somebody publishes the version and unpublishes it: its number is gone."""

    class Burning(Rival):
        def __getattr__(self, verb):
            real = getattr(self.storage, verb)

            def call(key="", *arguments):
                if verb == "create" and key.endswith("record.json") and self.left:
                    self.left = 0
                    others = packages_on(self.storage)
                    others.publish(publication(files={"other.js": "1"}), ANN)
                    others.unpublish(NAME, others.read(NAME)[0]["_rev"], ANN)
                return real(key, *arguments)

            return call

    with pytest.raises(Conflict):
        packages_on(Burning(storage, 1), locks=NoLocks()).publish(publication(), ANN)
    packages = packages_on(storage)
    with pytest.raises(NotFound):
        packages.read(NAME)
    assert not [key for key in keys(storage) if key.endswith(".tgz")]


def test_lock_that_is_not_had_in_time_is_busy(storage, monkeypatch):
    """Nothing is stored by who never got to the swap."""
    monkeypatch.setattr(store, "LOCK_SECONDS", 0.01)
    packages = packages_on(storage)
    with packages.locks.hold(f"default/{NAME}", 1), pytest.raises(Busy):
        packages.publish(publication(), ANN)
    assert keys(storage) == []
    packages.publish(publication(), ANN)


def publish_other(packages):
    packages.publish(OTHER, ANN)


CHANGES = {
    "publish": (publish_other, ("package.published", "2.0.0")),
    "tag": (lambda it: it.tag(NAME, "next", "1.1.0", ANN), ("package.tagged", "1.1.0")),
    "untag": (lambda it: it.untag(NAME, "old", ANN), ("package.untagged", None)),
    "deprecate": (
        lambda it: it.deprecate(NAME, {"1.0.0": "x"}, it.read(NAME, for_write=True)[0]["_rev"], ANN),
        ("package.deprecated", None),
    ),
    "unpublish of a version": (
        lambda it: it.unpublish_versions(NAME, frozenset({"1.0.0"}), it.read(NAME, for_write=True)[0]["_rev"], ANN),
        ("package.unpublished", "1.0.0"),
    ),
    "unpublish": (
        lambda it: it.unpublish(NAME, it.read(NAME, for_write=True)[0]["_rev"], ANN),
        ("package.unpublished", None),
    ),
}
REPLIES = {
    "a resend is refused": Changed("The resend met another writer's object."),
    "no answer": StorageUnavailable("The answer was lost."),
}


class Overtaken:
    """A storage whose answers about the record are lost *times* times, each after it was written and overtaken.

    Before the others publish, the record shows the change; afterwards it shows theirs on top.
    """

    def __init__(self, storage, reply, times=1):
        self.storage, self.reply, self.left = storage, reply, times

    def __getattr__(self, verb):
        return getattr(self.storage, verb)

    def replace(self, key, data, revision):
        revision = self.storage.replace(key, data, revision)
        if key != RECORD.key(NAME) or not self.left:
            return revision
        self.left -= 1
        packages_on(self.storage).publish(publication("0.0.1"), ANN)
        raise self.reply


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
@pytest.mark.parametrize(("change", "event"), CHANGES.values(), ids=CHANGES)
def test_change_that_was_stored_and_overtaken_succeeds(storage, change, event, reply):
    """Its own mark shows it, not the newest state: it is made once, recorded once, and nobody is told otherwise."""
    packages = packages_on(storage)
    packages.publish(publication(), ANN)
    packages.publish(publication("1.1.0"), ANN)
    packages.tag(NAME, "old", "1.0.0", ANN)
    change(packages_on(Overtaken(storage, reply), locks=NoLocks()))
    assert recorded(packages).count(event) == 1
    assert ("package.published", "0.0.1") in recorded(packages)
    assert_whole(storage)
    assert len(keys(storage)) == 1 + len(packages.record(NAME)[0].files)


def test_first_publish_that_was_stored_and_overtaken_succeeds(storage):
    """The same for a package that was not there: the resend of its creation finds it taken."""

    class Created(Overtaken):
        def create(self, key, data):
            revision = self.storage.create(key, data)
            if key == RECORD.key(NAME):
                packages_on(self.storage).publish(publication("0.0.1"), ANN)
                raise Exists("The resend met another writer's object.")
            return revision

    packages_on(Created(storage, None), locks=NoLocks()).publish(OTHER, ANN)
    assert packages_on(storage).read(NAME)[0]["versions"].keys() == {"0.0.1", "2.0.0"}
    assert recorded(packages_on(storage)).count(("package.published", "2.0.0")) == 1
    assert_whole(storage)


def test_last_attempt_that_was_stored_and_overtaken_succeeds(storage):
    """After two lost races the third attempt is stored, overtaken and told that it lost: that is not Busy."""
    packages_on(storage).publish(publication(), ANN)

    class Beaten(Overtaken):
        swaps = 0

        def replace(self, key, data, revision):
            if key != RECORD.key(NAME):
                return self.storage.replace(key, data, revision)
            self.swaps += 1
            if self.swaps < ATTEMPTS:
                raise Changed("Somebody else was quicker.")
            return super().replace(key, data, revision)

    packages_on(Beaten(storage, REPLIES["a resend is refused"]), locks=NoLocks()).publish(OTHER, ANN)
    assert recorded(packages_on(storage)).count(("package.published", "2.0.0")) == 1
    assert_whole(storage)


def test_bytes_stay_when_nobody_can_tell_who_names_them(storage):
    """Where the storage can no longer be read, an orphan is better than a version without its bytes."""
    packages_on(storage).publish(publication(), ANN)

    class Down(Overtaken):
        def __init__(self, storage, reply, after):
            super().__init__(storage, reply)
            self.after = after  # answered reads of the record

        def read(self, key):
            self.after -= key == RECORD.key(NAME)
            if self.after < 0:
                raise StorageUnavailable("The disk is gone.")
            return self.storage.read(key)

        def replace(self, key, data, revision):
            raise self.reply

    for reply, after in ((StorageUnavailable("The disk is gone."), 1), (Changed("Lost."), ATTEMPTS)):
        before = len(keys(storage))
        with pytest.raises(StorageUnavailable):
            packages_on(Down(storage, reply, after)).publish(OTHER, ANN)
        assert len(keys(storage)) == before + 1
        assert_whole(storage)
