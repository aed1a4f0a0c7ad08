"""Publish, read, unpublish on a storage that races, fails and dies."""

from __future__ import annotations

import itertools
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from nproxy_mw.access import Actor
from nproxy_mw.audit.events import verify
from nproxy_mw.errors import Busy, Changed, Conflict, NotFound, NproxyError, StorageUnavailable
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.publication import parse_publication
from nproxy_mw.packages import store as packages_module
from nproxy_mw.packages.store import ATTEMPTS, Packages
from nproxy_mw.signing import Ed25519Signer, P256Signer
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.layout import RECORD
from nproxy_mw.storage.locks import locks_for
from nproxy_mw.testing.documents import publish_document
from nproxy_mw.testing.faults import Faulty

NAME = Name("@acme", "utils")
ANN = Actor(token_hash="0" * 64, name="ann", request_id="r1", ip="192.0.2.7", user_agent="npm/11")


class NoLocks:
    """For hosts that share nothing but the storage: the swap alone decides."""

    @contextmanager
    def hold(self, name, timeout):
        yield


def publication(version="1.0.0", name=NAME, **how):
    return parse_publication(name, publish_document(str(name), version, **how))


def memory():
    return open_storage(f"memory://{uuid.uuid4().hex}")


@pytest.fixture(params=["memory", "local"])
def storage(request, tmp_path):
    return memory() if request.param == "memory" else open_storage(str(tmp_path / "store"))


@pytest.fixture
def packages(storage):
    return Packages(storage)


def told(packages, name=NAME):
    return [(event["event"], event.get("version")) for event in packages.record(name)[0].chain]


def keys(storage):
    return sorted(storage.list())


def assert_whole(storage):
    """What any reader may count on: the record is whole, its chain holds, every version's bytes are there."""
    packages = Packages(storage)
    with suppress(NotFound):
        record, _ = packages.record(NAME)
        assert verify(record.chain) == []
        for version in (record.packument or {"versions": ()})["versions"]:
            with packages.open_tarball(NAME, NAME.tarball(version)).stream as stream:
                assert len(stream.read()) == record.tarballs[version]["size"]


def test_published_version_is_read(packages):
    """The packument, its revision, its bytes and its event are there."""
    packages.publish(publication(), ANN)
    packument, _ = packages.read(NAME)
    assert packument["versions"].keys() == {"1.0.0"}
    assert packument["_rev"].startswith("1-")
    tarball = packages.open_tarball(NAME, "utils-1.0.0.tgz")
    with tarball.stream as stream:
        assert stream.read() == publication().tarball
    assert (tarball.size, tarball.integrity) == (len(publication().tarball), publication().integrity)
    (event,) = packages.record(NAME)[0].chain
    assert (event["event"], event["package"], event["version"]) == ("package.published", "@acme/utils", "1.0.0")
    assert (event["tokenHash"], event["requestId"], event["ip"]) == ("0" * 64, "r1", "192.0.2.7")


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda packages: packages.read(NAME), id="read"),
        pytest.param(lambda packages: packages.read(NAME, for_write=True), id="read for a write"),
        pytest.param(lambda packages: packages.record(NAME), id="record"),
        pytest.param(lambda packages: packages.open_tarball(NAME, "utils-1.0.0.tgz"), id="tarball"),
        pytest.param(lambda packages: packages.unpublish(NAME, "1-x", ANN), id="unpublish"),
        pytest.param(lambda packages: packages.tag(NAME, "next", "1.0.0", ANN), id="tag"),
        pytest.param(lambda packages: packages.untag(NAME, "next", ANN), id="untag"),
        pytest.param(lambda packages: packages.deprecate(NAME, {"1.0.0": "x"}, "1-x", ANN), id="deprecate"),
        pytest.param(
            lambda packages: packages.unpublish_versions(NAME, frozenset({"1.0.0"}), "1-x", ANN), id="versions"
        ),
    ],
)
def test_absent_package_is_not_found(packages, storage, ask):
    """Nothing is made by asking for it."""
    with pytest.raises(NotFound):
        ask(packages)
    assert keys(storage) == []


def test_every_change_is_told(packages, storage):
    """One chain tells the whole life of a package, and outlives it."""
    packages.publish(publication(), ANN)
    packages.publish(publication("1.1.0"), ANN)
    packages.tag(NAME, "next", "1.1.0", ANN)
    packages.untag(NAME, "next", ANN)
    packages.deprecate(NAME, {"1.0.0": "x"}, packages.read(NAME)[0]["_rev"], ANN)
    packages.unpublish_versions(NAME, frozenset({"1.1.0"}), packages.read(NAME)[0]["_rev"], ANN)
    packages.unpublish(NAME, packages.read(NAME)[0]["_rev"], ANN)
    assert told(packages) == [
        ("package.published", "1.0.0"),
        ("package.published", "1.1.0"),
        ("package.tagged", "1.1.0"),
        ("package.untagged", None),
        ("package.deprecated", None),
        ("package.unpublished", "1.1.0"),
        ("package.unpublished", None),
    ]
    assert verify(packages.record(NAME)[0].chain) == []
    assert keys(storage) == [RECORD.key(NAME)]
    assert packages.record(NAME)[0].retired == {"1.0.0", "1.1.0"}


def test_events_are_handed_to_the_index_once_they_are_stored(storage):
    """What is indexed is what hangs in the chain, in its order."""
    indexed = []
    packages = Packages(storage, index=lambda chain, before: indexed.extend(chain[before:]))
    packages.publish(publication(), ANN)
    packages.tag(NAME, "next", "1.0.0", ANN)
    assert indexed == list(packages.record(NAME)[0].chain)
    with pytest.raises(Conflict):
        packages.publish(publication(), ANN)
    assert len(indexed) == 2


def test_names_are_those_that_can_be_read(packages):
    """In order; the unpublished are not among them; prefix siblings are packages of their own."""
    for name in ("utils-b", "utils", "a", "gone"):
        packages.publish(publication(name=Name("@acme", name)), ANN)
    gone = Name("@acme", "gone")
    packages.unpublish(gone, packages.read(gone)[0]["_rev"], ANN)
    assert [name.base for name in packages.names()] == ["a", "utils", "utils-b"]


@pytest.mark.parametrize("version", ["1.0.0", "1.0.0+b"])
def test_conflict_leaves_nothing_behind(packages, storage, version):
    """An existing version is refused before its bytes are stored."""
    packages.publish(publication(), ANN)
    before = keys(storage)
    with pytest.raises(Conflict):
        packages.publish(publication(version), ANN)
    assert keys(storage) == before


@pytest.mark.parametrize("locks", [True, False], ids=["locks", "no locks"])
def test_twelve_threads_lose_no_version(tmp_path, locks):
    """Twelve writers of one package at once: whatever was acknowledged is there, and the chain tells of each."""
    storage = open_storage(str(tmp_path))
    start = threading.Barrier(12)

    def publish(number):
        packages = Packages(storage, locks=locks_for(str(tmp_path)) if locks else NoLocks())
        one = publication(f"1.{number}.0")
        start.wait()
        for _ in itertools.count():
            with suppress(Busy):
                packages.publish(one, ANN)
                return

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(publish, range(12)))
    packages = Packages(storage)
    assert packages.read(NAME)[0]["versions"].keys() == {f"1.{number}.0" for number in range(12)}
    assert sorted(told(packages)) == sorted(("package.published", f"1.{number}.0") for number in range(12))
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
            Packages(storage, locks=NoLocks()).publish(one, ANN)
        except (Conflict, Busy) as error:
            return type(error)
        return one.integrity

    with ThreadPoolExecutor(12) as pool:
        outcomes = list(pool.map(publish, range(12)))
    (winner,) = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert Packages(storage).read(NAME)[0]["versions"]["1.0.0"]["dist"]["integrity"] == winner
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
                    Packages(self.storage).publish(publication(f"0.{self.left}.0"), ANN)
            return real(key, *arguments)

        return call


@pytest.mark.parametrize("lost", range(ATTEMPTS))
def test_lost_race_is_run_again(storage, lost):
    """Up to three attempts: who loses two of them is stored by the third."""
    rival = Rival(storage, lost)
    Packages(rival, locks=NoLocks()).publish(publication(), ANN)
    assert rival.swaps == lost + 1
    assert len(Packages(storage).read(NAME)[0]["versions"]) == lost + 1
    assert_whole(storage)


@pytest.mark.parametrize("lost", [ATTEMPTS, ATTEMPTS + 1])
def test_third_lost_race_is_busy_and_nothing_is_stored(storage, lost):
    """Then it is 503: no version, no event, no tarball of ours."""
    rival = Rival(storage, lost)
    with pytest.raises(Busy) as caught:
        Packages(rival, locks=NoLocks()).publish(publication(), ANN)
    assert caught.value.headers() == [("Retry-After", "1")]
    assert rival.swaps == ATTEMPTS == 3
    packages = Packages(storage)
    assert packages.read(NAME)[0]["versions"].keys() == {f"0.{lost - number}.0" for number in (1, 2, 3)}
    assert ("package.published", "1.0.0") not in told(packages)
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
                    Packages(self.storage).publish(publication(files={"other.js": "1"}), ANN)
                return real(key, *arguments)

            return call

    with pytest.raises(Conflict):
        Packages(SameVersion(storage, 1), locks=NoLocks()).publish(publication(), ANN)
    assert len(keys(storage)) == 2
    assert_whole(storage)


def test_lock_that_is_not_had_in_time_is_busy(storage, monkeypatch):
    """Nothing is stored by who never got to the swap."""
    monkeypatch.setattr(packages_module, "LOCK_SECONDS", 0.01)
    packages = Packages(storage)
    with packages.locks.hold(f"default/{NAME}", 1), pytest.raises(Busy):
        packages.publish(publication(), ANN)
    assert keys(storage) == []
    packages.publish(publication(), ANN)


OTHER = publication("2.0.0")


@pytest.mark.parametrize("kind", ["fail", "lost-answer"])
@pytest.mark.parametrize("stored", [0, 1], ids=["first version", "second version"])
@pytest.mark.parametrize("times", [1, 3])
def test_storage_that_fails_anywhere_leaves_the_package_whole(kind, stored, times):
    """Wherever the storage fails or its answer is lost: readable throughout, and publishing again ends well."""
    for at in itertools.count(1):
        storage = memory()
        if stored:
            Packages(storage).publish(publication(), ANN)
        faulty = Faulty(storage, at, kind, times=times)
        acknowledged = False
        with suppress(StorageUnavailable):
            Packages(faulty).publish(OTHER, ANN)
            acknowledged = True
        assert_whole(storage)
        with suppress(Conflict):  # it was stored, and only the answer was lost
            Packages(storage).publish(OTHER, ANN)
            assert not acknowledged
        assert Packages(storage).read(NAME)[0]["versions"].keys() == {"1.0.0", "2.0.0"} - (
            {"1.0.0"} if not stored else set()
        )
        assert told(Packages(storage)).count(("package.published", "2.0.0")) == 1
        assert_whole(storage)
        if not faulty.struck:
            assert acknowledged
            assert at > 3
            break


@pytest.mark.parametrize("kind", ["fail", "lost-answer"])
def test_unpublish_that_fails_anywhere_is_all_or_nothing(kind):
    """A reader gets everything or nothing, and unpublishing again ends well."""
    for at in itertools.count(1):
        storage = memory()
        Packages(storage).publish(publication(), ANN)
        revision = Packages(storage).read(NAME)[0]["_rev"]
        faulty = Faulty(storage, at, kind)
        with suppress(StorageUnavailable):
            Packages(faulty).unpublish(NAME, revision, ANN)
        assert_whole(storage)
        with suppress(NotFound):
            Packages(storage).unpublish(NAME, revision, ANN)
        with pytest.raises(NotFound):
            Packages(storage).read(NAME)
        assert told(Packages(storage))[-1] == ("package.unpublished", None)
        if not faulty.struck:
            break


class Crash(BaseException):
    """The process dies: nothing catches it."""


@pytest.mark.parametrize("where", ["before", "after"])
def test_crash_between_the_two_writes_does_no_harm(storage, where):
    """The bytes are stored and the record is not yet, or just: the package is readable, and publishing ends well."""
    Packages(storage).publish(publication(), ANN)

    class Dying:
        def __getattr__(self, verb):
            def call(key="", *arguments):
                if verb == "replace" and key.endswith("record.json"):
                    if where == "after":
                        storage.replace(key, *arguments)
                    raise Crash
                return getattr(storage, verb)(key, *arguments)

            return call

    with pytest.raises(Crash):
        Packages(Dying()).publish(OTHER, ANN)
    assert_whole(storage)
    versions = Packages(storage).read(NAME)[0]["versions"].keys()
    assert versions == ({"1.0.0"} if where == "before" else {"1.0.0", "2.0.0"})
    with suppress(Conflict):
        Packages(storage).publish(OTHER, ANN)
    assert Packages(storage).read(NAME)[0]["versions"].keys() == {"1.0.0", "2.0.0"}
    assert_whole(storage)


def test_tarballs_that_cannot_be_removed_are_no_failure(storage, caplog):
    """The package is unpublished all the same; what is left is found by gc."""

    class Sticky:
        def __getattr__(self, verb):
            def call(key="", *arguments):
                if verb == "delete":
                    raise StorageUnavailable("The disk is read-only.")
                return getattr(storage, verb)(key, *arguments)

            return call

    packages = Packages(Sticky())
    packages.publish(publication(), ANN)
    packages.unpublish(NAME, packages.read(NAME)[0]["_rev"], ANN)
    assert "left behind" in caplog.text
    with pytest.raises(NotFound):
        packages.read(NAME)


def test_tarball_that_goes_between_the_two_reads_is_not_found(storage):
    """Unpublished while it was asked for: 404, not a bug."""
    packages = Packages(storage)
    packages.publish(publication(), ANN)
    (key,) = [key for key in keys(storage) if key.endswith(".tgz")]
    storage.delete(key)
    with pytest.raises(NotFound):
        packages.open_tarball(NAME, "utils-1.0.0.tgz")


def test_reading_for_a_write_is_never_a_little_old():
    """Where a storage may answer "unchanged" without asking, a change is still made from the newest state."""
    storage = memory()

    class Lagging:
        def __getattr__(self, verb):
            return (lambda key, revision: None) if verb == "read_if_changed" else getattr(storage, verb)

    lagging = Packages(Lagging())
    Packages(storage).publish(publication(), ANN)
    assert lagging.read(NAME)[0]["versions"].keys() == {"1.0.0"}
    Packages(storage).publish(OTHER, ANN)
    assert lagging.read(NAME)[0]["versions"].keys() == {"1.0.0"}
    assert lagging.read(NAME, for_write=True)[0]["versions"].keys() == {"1.0.0", "2.0.0"}


@pytest.mark.parametrize("change", ["unpublish", "deprecate", "unpublish_versions"])
def test_stale_revision_is_a_conflict(packages, change):
    """Whoever read before another's change must read again, and nothing is changed."""
    packages.publish(publication(), ANN)
    old = packages.read(NAME)[0]["_rev"]
    packages.publish(OTHER, ANN)
    before = packages.record(NAME)
    arguments = {"unpublish": [], "deprecate": [{"1.0.0": "x"}], "unpublish_versions": [frozenset({"1.0.0"})]}[change]
    with pytest.raises(Conflict) as caught:
        getattr(packages, change)(NAME, *arguments, old, ANN)
    assert caught.value.code == "stale-revision"
    assert packages.record(NAME) == before


def test_every_error_of_a_change_is_of_the_tree(packages):
    """A caller catches one kind."""
    packages.publish(publication(), ANN)
    for call in (
        lambda: packages.publish(publication(), ANN),
        lambda: packages.tag(NAME, "1.0", "1.0.0", ANN),
        lambda: packages.untag(NAME, "latest", ANN),
        lambda: packages.unpublish(NAME, "", ANN),
    ):
        with pytest.raises(NproxyError):
            call()


class Meddled:
    """A storage with some of its verbs replaced."""

    def __init__(self, storage, **verbs):
        self.storage = storage
        self.verbs = verbs

    def __getattr__(self, verb):
        return self.verbs.get(verb) or getattr(self.storage, verb)


def test_bytes_that_the_record_names_are_never_removed(storage):
    """A swap that was written and reported as lost: the publish is told no, and its version is whole all the same."""
    Packages(storage).publish(publication(), ANN)

    def replace(key, data, revision):
        storage.replace(key, data, revision)
        raise Changed("A hidden resend met our own write.")

    with pytest.raises(Conflict):
        Packages(Meddled(storage, replace=replace)).publish(OTHER, ANN)
    assert Packages(storage).read(NAME)[0]["versions"].keys() == {"1.0.0", "2.0.0"}
    assert_whole(storage)


def test_bytes_stay_when_nobody_can_tell_who_names_them(storage):
    """A conflict on a storage that can no longer be read: an orphan is better than a hole."""
    Packages(storage).publish(publication(), ANN)
    down = []

    def read(key):
        if down:
            raise StorageUnavailable("The disk is gone.")
        return storage.read(key)

    def replace(key, data, revision):
        down.append(True)
        raise StorageUnavailable("The disk is gone.")

    def busy(key, data, revision):
        raise Changed("Somebody else was quicker.")

    with pytest.raises(StorageUnavailable):
        Packages(Meddled(storage, read=read, replace=replace)).publish(OTHER, ANN)
    assert len([key for key in keys(storage) if key.endswith(".tgz")]) == 2
    reads = iter(range(100))

    def failing_last(key):
        if next(reads) >= 1 + ATTEMPTS:
            raise StorageUnavailable("The disk is gone.")
        return storage.read(key)

    with pytest.raises(Busy):
        Packages(Meddled(storage, read=failing_last, replace=busy)).publish(OTHER, ANN)
    assert len([key for key in keys(storage) if key.endswith(".tgz")]) == 3
    assert_whole(storage)


@pytest.mark.parametrize("data", [b"{}", b"not JSON"], ids=["no record", "no JSON"])
def test_damaged_record_is_no_absent_package(packages, storage, data):
    """It is 503 until somebody looks: never 404, and never published over."""
    packages.publish(publication(), ANN)
    key = RECORD.key(NAME)
    storage.replace(key, data, storage.read(key).revision)
    for ask in (lambda: packages.read(NAME), lambda: packages.publish(OTHER, ANN), lambda: packages.record(NAME)):
        with pytest.raises(StorageUnavailable):
            ask()
    assert storage.read(key).data == data


def test_versions_from_before_the_keys_are_signed_later(storage):
    """Only those without signatures, each told of; twice changes nothing."""
    pair = (P256Signer(), Ed25519Signer())
    Packages(storage).publish(publication(), ANN)
    packages = Packages(storage, signers=lambda: pair)
    packages.publish(OTHER, ANN)
    before = packages.read(NAME)[0]["versions"]["2.0.0"]
    assert packages.sign(NAME, ANN) == ["1.0.0"]
    after = packages.read(NAME)[0]["versions"]
    assert after["2.0.0"] == before
    assert after["1.0.0"]["dist"]["signatures"][0]["keyid"] == before["dist"]["signatures"][0]["keyid"]
    assert [event for event in told(packages) if event == ("package.signed", "1.0.0")] == [
        ("package.signed", "1.0.0")
    ] * 2
    record = packages.record(NAME)
    assert packages.sign(NAME, ANN) == []
    assert packages.record(NAME) == record
