"""Records that have grown: what goes into parts, what a change reads and writes of them, and what readers see."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.packages import ANN, NAME, SMALL, NoLocks, assert_whole, memory, packages_on, publication, recorded
from support.parts import Meanwhile, Traced, own, stored_parts, version_parts

from nproxy_mw.audit.events import verify
from nproxy_mw.errors import Changed, Conflict, NotFound, NproxyError, StorageUnavailable
from nproxy_mw.packages import records
from nproxy_mw.packages import version_parts as parts
from nproxy_mw.packages.compaction import BOUNDS
from nproxy_mw.packages.store import PackageStore
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.documents import UnreadableObject
from nproxy_mw.storage.freshness import FreshnessCache
from nproxy_mw.storage.layout import PART, RECORD
from nproxy_mw.storage.locks import locks_for
from nproxy_mw.storage.parts import decode_part
from nproxy_mw.storage.port import Storage

MANY = [f"1.{number}.0" for number in range(9)]


@pytest.fixture
def bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every record of these tests has parts."""
    monkeypatch.setattr(records, "BOUNDS", SMALL)


@pytest.fixture
def storage() -> Storage:
    return memory()


@pytest.fixture
def packages(storage: Storage, bounds: None) -> PackageStore:
    """A package of nine versions."""
    packages = packages_on(storage)
    for version in MANY:
        packages.publish(publication(version), ANN)
    return packages


def assert_in_one_place(storage: Storage, packages: PackageStore) -> None:
    """Each version is in the record or in one part; the record keeps few, with ``latest``; no part is left over."""
    record = own(packages)
    assert stored_parts(storage) == sorted(record.parts)
    in_parts = [version for part in version_parts(storage, packages) for version in (*part.versions, *part.retired)]
    versions = record.packument["versions"] if record.packument else {}
    numbers = [*in_parts, *versions, *record.retired]
    assert len(numbers) == len(set(numbers))
    # Those, latest, the newest, and one that waits while events go first.
    assert len(versions) <= SMALL.own_versions + 3
    assert len(record.chain) <= 2 * SMALL.own_events + 10
    if record.packument:
        assert record.packument["dist-tags"]["latest"] in versions


def test_record_stays_small(storage: Storage, packages: PackageStore) -> None:
    """What it has grown out of is in full parts, and nothing is left over of those before them."""
    assert_in_one_place(storage, packages)
    assert [ref.count for ref in own(packages).version_parts] == [2, 2, 2, 1]
    assert len(own(packages).packument["versions"]) == 2
    assert [ref.count for ref in own(packages).event_parts][:-1] == [3, 3]
    assert_whole(storage)


def test_whole_record_reads_as_if_it_had_no_parts(packages: PackageStore) -> None:
    """Versions are in the order of their times, and ``created`` and ``modified`` come first, as ever."""
    packument, _ = packages.read(NAME)
    assert list(packument["versions"]) == MANY
    assert list(packument["time"]) == ["created", "modified", *MANY]
    assert recorded(packages) == [("package.published", version) for version in MANY]


def test_publish_touches_the_newest_part_at_most(storage: Storage, packages: PackageStore) -> None:
    """However many versions there are, a process that has just started reads one part at most and writes two."""
    for number in range(12):
        traced = Traced(storage)
        packages_on(traced).publish(publication(f"2.{number}.0"), ANN)
        assert traced.keys("read", "read_if_changed", under="packages/") == [RECORD.key(NAME)]
        assert len(traced.keys("read", "read_if_changed", under="parts/")) <= 1
        assert len(traced.keys("delete", under="parts/")) <= 1
        assert len(traced.keys("create", under="parts/")) <= 2
    assert_in_one_place(storage, packages)


def test_publish_by_the_same_process_reads_nothing(storage: Storage, bounds: None) -> None:
    """What a process wrote itself, parts included, it does not read again."""
    traced = Traced(storage)
    packages = packages_on(traced)
    packages.publish(publication("0.1.0"), ANN)
    traced.calls.clear()
    for version in MANY:
        packages.publish(publication(version), ANN)
    assert traced.keys("read", "open") == []


@pytest.mark.parametrize("version", ["1.0.0", "1.0.0+b", "1.4.0"])
def test_number_in_a_part_is_taken(storage: Storage, packages: PackageStore, version: str) -> None:
    """Build metadata makes no other version, and nothing is left behind."""
    before = sorted(storage.list())
    for process in (packages, packages_on(storage)):
        with pytest.raises(Conflict):
            process.publish(publication(version), ANN)
    assert sorted(storage.list()) == before


def test_equal_shortened_numbers_are_no_conflict(
    storage: Storage, packages: PackageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number is compared in full where the shortened ones are the same, here all of them."""
    monkeypatch.setattr(parts, "_shortened", lambda version: "AAAA")
    for version in ("3.0.0", "3.1.0", "3.2.0", "3.3.0"):
        packages_on(storage).publish(publication(version), ANN)
        with pytest.raises(Conflict):
            packages_on(storage).publish(publication(version), ANN)
    assert list(packages.read(NAME, for_write=True)[0]["versions"]) == [*MANY, "3.0.0", "3.1.0", "3.2.0", "3.3.0"]
    assert_in_one_place(storage, packages)


@given(
    st.lists(st.text("0123456789.-abc", min_size=1, max_size=12), max_size=40), st.text("0123456789.-abc", max_size=12)
)
def test_shortened_numbers_hold_what_they_are_made_of(versions, other):
    """A number that is there is always found; another one is not, but for one in millions."""
    part = parts.VersionPart(retired=versions)
    ref = records.PartRef("k", 0, 0, part.numbers)
    assert all(parts.holding(version)(ref) for version in versions)
    assert parts.holding(other)(ref) == (other in versions)


def test_change_of_an_earlier_version_writes_its_part_alone(storage: Storage, packages: PackageStore) -> None:
    """The others keep their names."""
    before = own(packages).version_parts
    packages.deprecate(NAME, {"1.2.0": "old"}, packages.read(NAME)[0]["_rev"], ANN)
    assert packages_on(storage).read(NAME)[0]["versions"]["1.2.0"]["deprecated"] == "old"
    after = {ref.key for ref in own(packages).version_parts}
    assert {ref.key for ref in before if ref.key not in after} <= {before[1].key, before[-1].key}
    assert_in_one_place(storage, packages)


def test_latest_comes_back_into_the_record(storage: Storage, packages: PackageStore) -> None:
    """Whatever version ``latest`` names is the record's own, so lists and searches read no parts."""
    packages.tag(NAME, "latest", "1.1.0", ANN)
    assert "1.1.0" in own(packages).packument["versions"]
    assert packages.outline(NAME)["dist-tags"]["latest"] == "1.1.0"
    assert_in_one_place(storage, packages)
    packages.publish(publication("1.10.0", tag="beta"), ANN)
    assert "1.1.0" in own(packages).packument["versions"]
    assert_in_one_place(storage, packages)


def test_unpublished_version_is_gone_from_its_part(storage: Storage, packages: PackageStore) -> None:
    """Its manifest is nowhere in the storage; its number stays taken."""
    packages.unpublish_versions(NAME, frozenset({"1.2.0"}), packages.read(NAME)[0]["_rev"], ANN)
    assert all("1.2.0" not in part.versions for part in version_parts(storage, packages))
    assert not any(b"utils-1.2.0" in storage.read(key).data for key in PART.keys(storage))
    with pytest.raises(Conflict):
        packages_on(storage).publish(publication("1.2.0"), ANN)
    assert_in_one_place(storage, packages)


def test_unpublished_package_keeps_its_numbers_and_its_chain(storage: Storage, packages: PackageStore) -> None:
    """Nothing of its manifests is left; it can begin anew, with other numbers."""
    packages.unpublish(NAME, packages.read(NAME)[0]["_rev"], ANN)
    assert all(not part.versions and not part.tarballs for part in version_parts(storage, packages))
    assert not [key for key in storage.list() if key.endswith(".tgz")]
    assert packages.record(NAME)[0].retired == set(MANY)
    for version in MANY:
        with pytest.raises(Conflict):
            packages_on(storage).publish(publication(version), ANN)
    packages.publish(publication("2.0.0"), ANN)
    assert list(packages_on(storage).read(NAME)[0]["versions"]) == ["2.0.0"]
    assert verify(packages.record(NAME)[0].chain) == []


def test_tarball_of_an_earlier_version_is_opened(storage: Storage, packages: PackageStore) -> None:
    """By a process that has read no part yet, and reads the one part only."""
    traced = Traced(storage)
    opened = packages_on(traced).open_tarball(NAME, "utils-1.2.0.tgz")
    with opened.stream as stream:
        assert stream.read() == publication("1.2.0").tarball
    assert opened.integrity == publication("1.2.0").integrity
    assert len(traced.keys("read", under="parts/")) == 1
    with pytest.raises(NotFound):
        packages.open_tarball(NAME, "utils-1.2.1.tgz")


def test_reader_of_an_old_record_reads_again(storage: Storage, packages: PackageStore) -> None:
    """Its parts were replaced meanwhile: what it gets is the present state, whole."""
    lagging = packages_on(FreshnessCache(storage, 3600.0))
    lagging.records.own(NAME)
    for version in ("2.0.0", "2.1.0", "2.2.0", "2.3.0"):
        packages.publish(publication(version), ANN)
    packages.deprecate(NAME, dict.fromkeys(MANY, "old"), packages.read(NAME)[0]["_rev"], ANN)
    assert not set(own(packages).version_parts) & set(lagging.records.own(NAME)[0].version_parts)
    assert len(lagging.read(NAME)[0]["versions"]) == len(MANY) + 4
    lagging = packages_on(storage)
    with lagging.open_tarball(NAME, "utils-1.0.0.tgz").stream as stream:
        assert stream.read() == publication("1.0.0").tarball


@pytest.mark.parametrize("damage", [None, b"", b"{}", b'{"format":1,"versions":{}}\n'])
def test_lost_or_damaged_part_is_no_absent_version(storage: Storage, packages: PackageStore, damage) -> None:
    """It is 503 until somebody restores it: nothing is answered in part, and nothing is published over."""
    for ref in own(packages).version_parts:
        key = PART.key(NAME, ref.key)
        storage.delete(key)
        if damage is not None:
            storage.create(key, damage)
    process = packages_on(storage)
    for ask in (
        lambda: process.read(NAME),
        lambda: process.document(NAME),
        lambda: process.open_tarball(NAME, "utils-1.2.0.tgz"),
        lambda: process.publish(publication("1.2.0"), ANN),
        lambda: process.tag(NAME, "next", "1.2.0", ANN),
    ):
        with pytest.raises(UnreadableObject) as caught:
            ask()
        assert caught.value.code == "damaged-object"
    assert process.outline(NAME)["dist-tags"] == {"latest": "1.8.0"}


def test_part_of_a_newer_version_is_named_as_such() -> None:
    """It is not taken for a damaged one."""
    with pytest.raises(UnreadableObject) as caught:
        decode_part(b'{"format":2,"versions":{}}', parts.VersionPart)
    assert caught.value.code == "newer-object"


@pytest.mark.parametrize("folder", ["parts/", "tarballs/"])
@pytest.mark.parametrize(
    "rival",
    [
        pytest.param(lambda it: it.publish(publication("5.0.0"), ANN), id="publishes"),
        pytest.param(lambda it: [it.publish(publication(f"5.{n}.0"), ANN) for n in range(4)], id="publishes many"),
        pytest.param(lambda it: it.unpublish(NAME, it.read(NAME, for_write=True)[0]["_rev"], ANN), id="unpublishes"),
        pytest.param(
            lambda it: it.unpublish_versions(NAME, frozenset(MANY[:4]), it.read(NAME, for_write=True)[0]["_rev"], ANN),
            id="unpublishes versions",
        ),
        pytest.param(
            lambda it: it.deprecate(NAME, dict.fromkeys(MANY, "x"), it.read(NAME, for_write=True)[0]["_rev"], ANN),
            id="deprecates",
        ),
    ],
)
def test_two_writers_that_compact_at_once(storage: Storage, packages: PackageStore, folder: str, rival) -> None:
    """Another host changes the package while a part of ours is written: both changes are there, and no part is left."""
    for number in range(3):  # a change writes versions, or events, or nothing
        other = packages_on(storage, locks=NoLocks())
        between = Meanwhile(storage, "create", folder, lambda: rival(other) if number == 1 else None)  # noqa: B023
        packages_on(between, locks=NoLocks()).publish(publication(f"4.{number}.0"), ANN)
        assert {f"4.{number}.0"} <= packages_on(storage).read(NAME)[0]["versions"].keys()
        assert_whole(storage)
    kinds = recorded(packages_on(storage))
    assert all(kinds.count(("package.published", f"4.{number}.0")) == 1 for number in range(3))
    assert stored_parts(storage) == sorted(own(packages_on(storage)).parts)


def test_change_recognizes_itself_in_a_part(storage: Storage, packages: PackageStore) -> None:
    """Its answer was lost, and others published so much meanwhile that its events are no longer in the record."""

    class Overtaken:
        left = 1

        def __getattr__(self, verb):
            return getattr(storage, verb)

        def replace(self, key, data, revision):
            revision = storage.replace(key, data, revision)
            if key == RECORD.key(NAME) and self.left:
                self.left = 0
                for number in range(5):
                    packages_on(storage).publish(publication(f"6.{number}.0"), ANN)
                raise Changed("The resend met another writer's object.")
            return revision

    packages_on(Overtaken(), locks=NoLocks()).publish(publication("7.0.0"), ANN)
    assert ("package.published", "7.0.0") not in [(it["event"], it.get("version")) for it in own(packages).chain]
    assert recorded(packages_on(storage)).count(("package.published", "7.0.0")) == 1
    assert_whole(storage)


def test_part_that_cannot_be_stored_stores_nothing(storage: Storage, packages: PackageStore) -> None:
    """The publish fails as a whole, and succeeds once there is room again."""

    class Full:
        def __getattr__(self, verb):
            return getattr(storage, verb)

        def create(self, key, data):
            if key.startswith("parts/"):
                raise StorageUnavailable("The disk is full.")
            return storage.create(key, data)

    before = storage.read(RECORD.key(NAME)).data
    failed = 0
    for number in range(2):
        with suppress(StorageUnavailable):
            packages_on(Full()).publish(publication(f"8.{number}.0"), ANN)
            continue
        failed += 1
    assert failed == 2
    assert storage.read(RECORD.key(NAME)).data == before
    packages_on(storage).publish(publication("8.0.0"), ANN)
    assert_whole(storage)


def test_record_of_the_first_format_gets_parts(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """One object with all versions is read as it is, and turned over by the next changes."""
    monkeypatch.setattr(records, "BOUNDS", BOUNDS)
    for version in MANY:
        packages_on(storage).publish(publication(version), ANN)
    assert b'"format":1' in storage.read(RECORD.key(NAME)).data
    monkeypatch.setattr(records, "BOUNDS", SMALL)
    packages = packages_on(storage)
    assert list(packages.read(NAME)[0]["versions"]) == MANY
    assert stored_parts(storage) == []
    packages.publish(publication("2.0.0"), ANN)
    packages.tag(NAME, "next", "1.0.0", ANN)
    assert b'"format":2' in storage.read(RECORD.key(NAME)).data
    assert list(packages_on(storage).read(NAME)[0]["versions"]) == [*MANY, "2.0.0"]
    assert_in_one_place(storage, packages)
    assert_whole(storage)


def test_readers_in_the_middle_always_see_a_whole_package(tmp_path, bounds: None) -> None:
    """Two writers replace part after part; whoever reads meanwhile misses no version that was there, and no bytes."""
    storage = open_storage(str(tmp_path))
    packages_on(storage).publish(publication("0.0.1"), ANN)
    done = threading.Event()

    def write(number: int) -> None:
        locks = locks_for(str(tmp_path))
        for minor in range(12):
            packages_on(storage, locks=locks).publish(publication(f"{number}.{minor}.0"), ANN)

    def read(_: int) -> int:
        packages, seen, reads = packages_on(storage), set(), 0
        while not done.is_set() or not reads:
            versions = orjson.loads(packages.document(NAME)[1])["versions"].keys()
            assert seen <= versions
            seen, reads = set(versions), reads + 1
            version = sorted(versions)[reads % len(versions)]
            packages.open_tarball(NAME, NAME.tarball(version)).stream.close()
        return reads

    with ThreadPoolExecutor(4) as pool:
        reading = [pool.submit(read, number) for number in range(2)]
        writing = [pool.submit(write, number) for number in (1, 2)]
        try:
            for one in writing:
                one.result()
        finally:
            done.set()
        assert all(one.result() for one in reading)
    assert len(packages_on(storage).read(NAME)[0]["versions"]) == 25
    assert_whole(storage)


VERSIONS = [publication(f"1.{number}.0", tag="latest" if number % 3 else "beta") for number in range(10)]
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["publish"] * 5 + ["tag", "untag", "deprecate", "unpublish_versions", "unpublish"]),
        st.integers(0, 9),
    ),
    max_size=25,
)


def apply(packages: PackageStore, kind: str, number: int) -> str:
    """Makes one change; answers how it was refused, if it was."""
    version = f"1.{number}.0"
    try:
        revision = "" if kind == "publish" else packages.read(NAME, for_write=True)[0]["_rev"]
        there = [] if kind == "publish" else list(packages.read(NAME)[0]["versions"])
        some = frozenset(it for it in there if int(it.split(".")[1]) % (number + 2)) if len(there) > 1 else frozenset()
        {
            "publish": lambda: packages.publish(VERSIONS[number], ANN),
            "tag": lambda: packages.tag(NAME, ("latest", "next")[number % 2], version, ANN),
            "untag": lambda: packages.untag(NAME, "next", ANN),
            "deprecate": lambda: packages.deprecate(NAME, dict.fromkeys(there[::2], f"m{number}"), revision, ANN),
            "unpublish_versions": lambda: (
                packages.unpublish_versions(NAME, some, revision, ANN) if some and some != set(there) else None
            ),
            "unpublish": lambda: packages.unpublish(NAME, revision, ANN),
        }[kind]()
    except NproxyError as error:
        return type(error).__name__
    return ""


def contents(packages: PackageStore):
    """What a package comes to, without what differs each time."""
    try:
        record, _ = packages.record(NAME, current=True)
    except NotFound:
        return None
    packument = record.packument and {key: value for key, value in record.packument.items() if key != "time"}
    times = record.packument and list(record.packument["time"])
    versions = record.packument and list(record.packument["versions"])
    return packument, times, versions, sorted(record.tarballs), record.retired, recorded(packages)


@settings(max_examples=60, deadline=None)
@given(CHANGES)
def test_changes_come_to_the_same_with_and_without_parts(changes):
    """Whatever is done, a record with parts reads and refuses as one that is a single object."""
    one, other = memory(), memory()
    with pytest.MonkeyPatch.context() as patch:
        plain = packages_on(one)
        patch.setattr(records, "BOUNDS", SMALL)
        divided, rival = packages_on(other), packages_on(other, locks=NoLocks())
        for (kind, number), process in zip(changes, itertools.cycle((divided, rival))):
            assert apply(process, kind, number) == apply(plain, kind, number)
        assert contents(divided) == contents(plain)
        assert_whole(other)
        if contents(divided):
            assert_in_one_place(other, divided)
