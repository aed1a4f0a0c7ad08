"""Cached: what is kept, for how long, and what is served while the upstream is away."""

from __future__ import annotations

import threading
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support.sources import ScriptedSource, integrity_of, packument_of

from nproxy_mw.errors import BadRequest, Forbidden, NotFound, StorageUnavailable, UpstreamUnavailable
from nproxy_mw.npm.documents import ByteRange
from nproxy_mw.npm.names import parse_name
from nproxy_mw.npm.routes import Kind, Route
from nproxy_mw.npm.tarballs import Whole
from nproxy_mw.storage import LocalStorage, open_storage
from nproxy_mw.storage.locks import FileLocks
from nproxy_mw.storage.port import Storage
from nproxy_mw.upstream.cached import Cached
from nproxy_mw.upstream.flights import Flights
from nproxy_mw.upstream.kept_documents import RECHECK, SETTLING, STALE, TTL
from nproxy_mw.upstream.kept_tarballs import INLINE, Tarballs, Wanted
from nproxy_mw.upstream.refusals import WITHDRAWN
from nproxy_mw.upstream.tarball_store import TarballStore

LODASH = parse_name("lodash")
FILE = "lodash-1.0.0.tgz"
DOWN = UpstreamUnavailable("The upstream registry did not answer.")


class Time:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def source() -> ScriptedSource:
    source = ScriptedSource()
    source.publish("lodash", "1.0.0")
    return source


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(params=["memory", "local"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "memory":
        return open_storage(f"memory://{uuid.uuid4().hex}")
    return LocalStorage(tmp_path / "cache", durable=False)


@pytest.fixture
def make(source: ScriptedSource, storage: Storage, time: Time, tmp_path: Path) -> Any:
    def make(whole_first: float = 0.0, **options: Any) -> Cached:
        """A cache as one process has it: several of them share the storage."""
        tarballs = Tarballs(TarballStore(storage), tmp_path / "cache" / ".spool", whole_first=whole_first)
        flights = Flights(FileLocks(tmp_path / "locks"))
        return Cached(source, storage, tarballs=tarballs, flights=flights, now=time, **options)

    return make


@pytest.fixture
def cached(make: Any) -> Cached:
    built: Cached = make()
    return built


def raw(cached: Cached) -> bytes:
    document = cached.packument(LODASH)
    assert document is not None
    return document.raw


def test_second_read_asks_nobody(cached: Cached, source: ScriptedSource) -> None:
    """A packument is fetched once and given with the same bytes."""
    assert raw(cached) == raw(cached)
    assert source.asked["packument lodash"] == 1
    assert cached.counts == {"miss": 1, "hit": 1}


def test_unchanged_since_a_revision_is_none(cached: Cached) -> None:
    """Who has the revision is told so, fresh or fetched."""
    document = cached.packument(LODASH)
    assert document is not None
    assert cached.packument(LODASH, unless=document.revision) is None


def test_other_processes_and_restarts_find_it(make: Any, source: ScriptedSource) -> None:
    """What one process fetched is there for the next one."""
    assert raw(make()) == raw(make())
    assert source.asked["packument lodash"] == 1


def test_old_one_is_asked_for_again(cached: Cached, source: ScriptedSource, time: Time) -> None:
    """After its time the upstream is asked whether it changed; all processes learn that it did not."""
    before = raw(cached)
    time.now += TTL
    assert raw(cached) == before
    assert raw(cached) == before
    assert source.asked["packument lodash"] == 2
    assert cached.counts["revalidated"] == 1


def test_change_is_seen_after_the_time(make: Any, source: ScriptedSource, time: Time) -> None:
    """A new version appears everywhere when the time is over."""
    first, second = make(), make()
    raw(first), raw(second)
    source.publish("lodash", "1.1.0")
    assert b"1.1.0" not in raw(first)
    time.now += TTL
    assert b"1.1.0" in raw(first)
    assert b"1.1.0" in raw(second)
    assert source.asked["packument lodash"] == 2


def test_write_asks_past_what_is_kept_but_not_twice_at_once(cached: Cached, source: ScriptedSource, time: Time) -> None:
    """What is about to be changed is asked for anew, unless that was just done."""
    raw(cached)
    cached.packument(LODASH, for_write=True)
    assert source.asked["packument lodash"] == 1
    time.now += RECHECK
    cached.packument(LODASH, for_write=True)
    assert source.asked["packument lodash"] == 2


def test_stale_is_served_while_the_upstream_is_away(make: Any, source: ScriptedSource, time: Time) -> None:
    """However old: what is kept is better than an error. The upstream is tried again a little later."""
    before = raw(make())
    time.now += 30 * 86_400
    source.fail = DOWN
    cached = make()
    assert [raw(cached), raw(cached)] == [before, before]
    assert source.asked["packument lodash"] == 2
    assert cached.counts["stale"] == 1
    source.fail = None
    source.publish("lodash", "1.1.0")
    time.now += STALE
    assert b"1.1.0" in raw(cached)


def test_nothing_kept_and_the_upstream_away_is_an_error(cached: Cached, source: ScriptedSource) -> None:
    """Never a 404."""
    source.fail = DOWN
    with pytest.raises(UpstreamUnavailable):
        cached.packument(LODASH)


def test_refusal_is_kept_for_a_minute(make: Any, source: ScriptedSource, time: Time) -> None:
    """An absent package is asked for once a minute, by all processes together."""
    for cached in (make(), make()):
        for _ in range(2):
            with pytest.raises(NotFound):
                cached.packument(parse_name("absent"))
    assert source.asked["packument absent"] == 1
    time.now += 60
    source.publish("absent", "1.0.0")
    assert make().packument(parse_name("absent")) is not None


def test_negative_time_is_at_most_a_minute(make: Any) -> None:
    """A longer one would hide a new package."""
    assert make(negative_ttl=3600)._kept.negative_ttl == 60


def test_refusal_keeps_its_words(make: Any, source: ScriptedSource) -> None:
    """Another process answers with the same error."""
    source.fail = Forbidden("The upstream registry does not hand out this package: ask legal.", code="upstream-refused")
    for cached in (make(), make()):
        with pytest.raises(Forbidden, match="ask legal") as refused:
            cached.packument(LODASH)
        assert refused.value.code == "upstream-refused"


def test_change_that_passed_through_is_seen_by_every_process_at_once(
    make: Any, source: ScriptedSource, time: Time
) -> None:
    """What all processes hold in memory is out of date as soon as one of them has passed a change on."""
    first, second = make(), make()
    assert raw(first) == raw(second)
    source.publish("lodash", "1.1.0")
    time.now += 1
    first.changed(LODASH)
    time.now += 1
    assert b"1.1.0" in raw(second)
    assert b"1.1.0" in raw(first)
    assert source.asked["packument lodash"] == 2


def test_upstream_that_shows_a_change_late_is_asked_again_soon(make: Any, source: ScriptedSource, time: Time) -> None:
    """A registry may answer from a cache of its own for some seconds after it took a change."""
    cached = make()
    raw(cached)
    cached.changed(LODASH)
    time.now += 1
    assert b"1.1.0" not in raw(cached)
    source.publish("lodash", "1.1.0")
    time.now += RECHECK
    assert b"1.1.0" in raw(cached)
    time.now += SETTLING
    raw(cached)
    time.now += TTL - 1
    asked = source.asked["packument lodash"]
    raw(cached)
    assert source.asked["packument lodash"] == asked


def test_change_of_what_is_not_kept_counts_too(make: Any, source: ScriptedSource, time: Time) -> None:
    """A fetch that began before a change and ended after it does not hide the change."""
    reader, writer = make(), make()
    publish = source.publish

    def change_meanwhile(name: str) -> None:
        source.noted = lambda name: None
        time.now += 1
        writer.changed(LODASH)
        time.now += 1

    source.noted = change_meanwhile
    assert b"1.1.0" not in raw(reader)
    publish("lodash", "1.1.0")
    assert b"1.1.0" in raw(reader)


def test_missing_version_makes_one_question_of_all_processes(make: Any, source: ScriptedSource, time: Time) -> None:
    """Two clients of two processes want a version that was published a moment ago: the upstream is asked once."""
    processes = [make(), make()]
    for one in processes:
        raw(one)
    source.publish("lodash", "1.1.0")
    time.now += RECHECK
    threads = [threading.Thread(target=read, args=(one, None, "lodash-1.1.0.tgz")) for one in processes * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert source.asked["packument lodash"] == 2
    assert source.asked["tarball lodash-1.1.0.tgz"] == 1


WITHDRAWALS = [NotFound("The upstream registry has no such package."), Forbidden("By law.", code=WITHDRAWN)]
REFUSED = [Forbidden("Log in.", code="upstream-refused"), BadRequest("No.", code="upstream-refused")]


@pytest.mark.parametrize("error", WITHDRAWALS, ids=["404", "451"])
def test_withdrawal_is_believed_when_it_is_said_twice(
    make: Any, source: ScriptedSource, storage: Storage, time: Time, error: Exception
) -> None:
    """A package that is gone is asked for again some seconds later; then it is gone here, with its body."""
    before = raw(make())
    time.now += TTL
    source.fail = error
    assert [raw(make()), raw(make())] == [before, before]
    assert source.asked["packument lodash"] == 2
    time.now += STALE
    for one in (make(), make()):
        with pytest.raises(type(error)):
            raw(one)
    assert source.asked["packument lodash"] == 3
    assert [key for key in storage.list("packuments") if not key.endswith(".entry")] == []


def test_withdrawal_that_was_an_error_is_forgotten(make: Any, source: ScriptedSource, time: Time) -> None:
    """A 404 between two good answers changes nothing, nor does another one a day later."""
    for _ in range(2):
        before = raw(make())
        time.now += TTL
        source.fail = NotFound("The upstream registry has no such package.")
        assert raw(make()) == before
        source.fail = None
        time.now += STALE
        assert raw(make()) == before
        time.now += 86_400


def test_what_a_client_removed_is_gone_at_once(make: Any, source: ScriptedSource, time: Time) -> None:
    """After an unpublish through this registry a 404 needs no second one."""
    first, second = make(), make()
    raw(first), raw(second)
    first.changed(LODASH)
    del source.packuments["lodash"]
    time.now += 1
    for one in (second, first):
        with pytest.raises(NotFound):
            raw(one)


@pytest.mark.parametrize("error", REFUSED, ids=["401, 402, 403", "other 4xx"])
def test_refusal_of_what_is_kept_is_an_outage_for_a_day(
    make: Any, source: ScriptedSource, time: Time, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Credentials that ran out take nothing away that is here, and the log says so. After a day it is believed."""
    before = raw(make())
    time.now += TTL
    source.fail = error
    for _ in range(3):
        assert raw(make()) == before
        time.now += STALE
    assert "is served although the upstream refuses it now" in caplog.text
    time.now += 86_400
    with pytest.raises(type(error)):
        raw(make())


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param({"name": "underscore"}, id="another package"),
        pytest.param({"versions": {"1.0.0": {"name": "underscore", "version": "1.0.0"}}}, id="another one's version"),
        pytest.param({"versions": []}, id="no versions"),
    ],
)
def test_lie_is_never_kept(
    make: Any, source: ScriptedSource, storage: Storage, time: Time, lie: dict[str, Any]
) -> None:
    """What is not the packument that was asked for is an error where nothing is kept, and an outage where it is."""
    right = source.packuments["lodash"]
    source.packuments["lodash"] = {**right, **lie}
    with pytest.raises(UpstreamUnavailable):
        raw(make())
    assert list(storage.list()) == []
    source.packuments["lodash"] = right
    before = raw(make())
    time.now += TTL
    source.packuments["lodash"] = {**right, **lie}
    assert raw(make()) == before


def test_what_is_cleared_is_asked_for_again(make: Any, source: ScriptedSource, storage: Storage) -> None:
    """A cache that is emptied under a running process is empty for it."""
    cached = make()
    before = raw(cached)
    for key in list(storage.list()):
        storage.delete(key)
    assert raw(cached) == before
    assert source.asked["packument lodash"] == 2


def test_documents_are_kept_like_packuments(cached: Cached, source: ScriptedSource) -> None:
    """Keys are fetched once."""
    for _ in range(2):
        document = cached.document(Route(Kind.KEYS))
        assert document is not None
    assert source.asked["document KEYS"] == 1


def fatten(source: ScriptedSource) -> None:
    """Makes the packument too large to lie behind its entry."""
    source.packuments["lodash"]["readme"] = "x" * INLINE


def bodies(storage: Storage) -> list[str]:
    return [key for key in storage.list("packuments") if not key.endswith(".entry")]


def test_small_body_lies_in_its_entry(make: Any, source: ScriptedSource, storage: Storage, time: Time) -> None:
    """It stays when the upstream says that nothing changed, and when a client changed something."""
    before = raw(make())
    assert list(storage.list("packuments")) == ["packuments/lodash.entry"]
    time.now += TTL
    assert raw(make()) == before
    assert source.asked["packument lodash"] == 2
    make().changed(LODASH)
    source.fail = DOWN
    assert raw(make()) == before


def test_body_that_grows_or_shrinks_moves(make: Any, source: ScriptedSource, storage: Storage, time: Time) -> None:
    """A large body is an object of its own, which goes when the packument has another one, of whatever size."""
    small = raw(make())
    assert bodies(storage) == []
    fatten(source)
    time.now += TTL
    assert len(raw(make())) > len(small)
    (first,) = bodies(storage)
    time.now += TTL
    assert raw(make()) == raw(make())
    assert bodies(storage) == [first]
    source.packuments["lodash"]["readme"] += "y"
    time.now += TTL
    raw(make())
    (second,) = bodies(storage)
    assert second != first
    del source.packuments["lodash"]["readme"]
    time.now += TTL
    assert raw(make()) == small == raw(make())
    assert bodies(storage) == []


def test_large_damaged_body_is_fetched_again(make: Any, source: ScriptedSource, storage: Storage) -> None:
    """The same for one that is an object of its own."""
    fatten(source)
    before = raw(make())
    (key,) = bodies(storage)
    storage.replace(key, before[:10], storage.read(key).revision)
    assert raw(make()) == before
    assert raw(make()) == before
    assert source.asked["packument lodash"] == 2


@pytest.mark.parametrize("size", [1, 10])
def test_damaged_body_is_fetched_again(make: Any, source: ScriptedSource, storage: Storage, size: int) -> None:
    """A power cut may leave a body short: it counts as absent."""
    before = raw(make())
    (key,) = storage.list("packuments")
    stored = storage.read(key)
    storage.replace(key, stored.data[:-size], stored.revision)
    assert raw(make()) == before
    assert raw(make()) == before
    assert source.asked["packument lodash"] == 2


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"format":99,"checked":0}'])
def test_damaged_entry_is_written_anew(make: Any, source: ScriptedSource, storage: Storage, data: bytes) -> None:
    """What cannot be read is asked for again, never an error."""
    before = raw(make())
    storage.replace("packuments/lodash.entry", data, storage.read("packuments/lodash.entry").revision)
    assert raw(make()) == before


def test_many_at_once_ask_once(make: Any, source: ScriptedSource) -> None:
    """Threads of several processes want the same package: the upstream is asked once."""
    processes = [make() for _ in range(3)]
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda one=one: found.append(raw(one))) for one in processes * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 12
    assert source.asked["packument lodash"] == 1


def test_full_disk_keeps_nothing_and_serves_all_the_same(
    cached: Cached, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache that cannot write is no reason to refuse a package."""

    def full(*_: object) -> None:
        raise StorageUnavailable("The disk is full.")

    monkeypatch.setattr(storage, "create", full)
    assert b"lodash" in raw(cached)
    with cached.tarball(LODASH, FILE) as blob:
        assert b"".join(blob)


def read(cached: Cached, part: ByteRange | None = None, file: str = FILE) -> bytes:
    with cached.tarball(LODASH, file, part) as blob:
        return b"".join(blob)


def collect(cached: Cached, seen: list[bytes]) -> None:
    with cached.tarball(LODASH, FILE) as blob:
        seen.extend(blob)


def test_tarball_is_fetched_once(make: Any, source: ScriptedSource) -> None:
    """Every process serves the kept bytes."""
    data = source.tarballs[FILE]
    assert [read(make()), read(make())] == [data, data]
    assert source.asked[f"tarball {FILE}"] == 1


def test_tarball_needs_no_upstream_once_it_is_kept(make: Any, source: ScriptedSource) -> None:
    """Kept tarballs keep flowing, and nothing is asked of the packument."""
    data = read(make())
    source.fail = DOWN
    source.asked.clear()
    assert read(make()) == data
    assert not source.asked


@pytest.mark.parametrize("size", [100, INLINE + 1, 3 * INLINE])
def test_wrong_bytes_are_never_whole_and_never_kept(
    make: Any, source: ScriptedSource, storage: Storage, size: int
) -> None:
    """Bytes that the packument does not promise end in an error before the last of them, and nothing is kept."""
    right = source.publish("lodash", "1.0.0", data=bytes(size))
    source.tarballs[FILE] = right[:-1] + b"x"
    seen: list[bytes] = []
    with pytest.raises(UpstreamUnavailable):
        collect(make(), seen)
    assert len(b"".join(seen)) < size
    assert not [key for key in storage.list() if key.startswith("tarballs/")]
    source.tarballs[FILE] = right
    assert read(make()) == right


@pytest.mark.parametrize("size", [100, 2 * INLINE])
@pytest.mark.parametrize("damage", ["short", "long", "flipped", "emptied", "seal", "no seal"])
def test_damaged_tarball_is_fetched_again(
    make: Any, source: ScriptedSource, storage: Storage, size: int, damage: str
) -> None:
    """A kept file that was changed, under a running process or before it started, is fetched again and never served."""
    if damage == "flipped" and not isinstance(storage, LocalStorage):
        pytest.skip("a storage of another kind vouches for its bytes")
    data = source.publish("lodash", "1.0.0", data=bytes(size))
    running = make()
    assert [read(running), read(running)] == [data, data]
    key = "tarballs/lodash+1.0.0.tgz"
    seal = f"{key}.seal"
    harmed = {"short": data[:-1], "long": data + b"x", "flipped": b"x" + data[1:], "emptied": b""}
    if damage in harmed:
        storage.replace(key, harmed[damage], storage.read(key).revision)
    elif damage == "seal":
        storage.replace(seal, b"{", storage.read(seal).revision)
    else:
        storage.delete(seal)
    for one in (running, make()) if damage in harmed and isinstance(storage, LocalStorage) else (make(), make()):
        assert read(one) == data
    assert source.asked[f"tarball {FILE}"] == 2
    assert storage.read(key).data == data


def test_damage_while_the_upstream_is_away_is_an_error(make: Any, source: ScriptedSource, storage: Storage) -> None:
    """Nothing else than the whole right bytes is ever presented as the tarball."""
    read(make())
    key = "tarballs/lodash+1.0.0.tgz"
    storage.replace(key, storage.read(key).data[:-1], storage.read(key).revision)
    source.fail = DOWN
    with pytest.raises(UpstreamUnavailable):
        read(make())
    assert key not in list(storage.list())


def test_kept_tarball_has_its_integrity(make: Any, source: ScriptedSource) -> None:
    """Fetched or kept, a tarball has the same ETag: a client that broke off can go on later."""
    found = []
    for _ in range(2):
        with make().tarball(LODASH, FILE) as blob:
            found.append(blob.integrity)
    assert found == [source.packuments["lodash"]["versions"]["1.0.0"]["dist"]["integrity"]] * 2


def test_small_tarball_that_breaks_off_once_is_asked_for_again(make: Any, source: ScriptedSource) -> None:
    """A flaky upstream costs the client nothing but time."""
    data, tries = source.tarballs[FILE], iter([10, None])
    source.chunks = lambda whole: iter([whole[: next(tries)]])
    assert read(make()) == data
    assert source.asked[f"tarball {FILE}"] == 2


def test_wrong_bytes_make_the_packument_asked_for_again(make: Any, source: ScriptedSource, time: Time) -> None:
    """It may be the packument that was wrong: the next request asks for it, without waiting for its time."""
    right = source.packuments["lodash"]
    wrong = {"dist": {"integrity": integrity_of(b"another")}}
    source.packuments["lodash"] = packument_of("lodash", {"1.0.0": wrong})
    with pytest.raises(UpstreamUnavailable):
        read(make())
    source.packuments["lodash"] = right
    time.now += 1
    assert read(make()) == source.tarballs[FILE]


def test_large_tarball_flows_while_it_comes(make: Any, source: ScriptedSource, storage: Storage) -> None:
    """The first bytes of a large tarball reach the client before the last ones have arrived."""
    data = source.publish("lodash", "1.0.0", data=bytes(range(256)) * (3 * INLINE // 256))
    go_on = threading.Event()

    def slowly(whole: bytes) -> Any:
        yield whole[: 2 * INLINE]
        assert go_on.wait(60)
        yield whole[2 * INLINE :]

    source.chunks = slowly
    leader, follower = make(), make()
    with leader.tarball(LODASH, FILE) as first, follower.tarball(LODASH, FILE) as second:
        both = [iter(first), iter(second)]
        begun = [next(chunks) for chunks in both]
        assert not [key for key in storage.list() if key.startswith("tarballs/")]
        go_on.set()
        assert [head + b"".join(rest) for head, rest in zip(begun, both, strict=True)] == [data, data]
    assert source.asked[f"tarball {FILE}"] == 1
    assert read(make()) == data


@pytest.mark.parametrize("flaw", ["wrong bytes", "cut"])
def test_large_tarball_that_fails_soon_is_refused(make: Any, source: ScriptedSource, flaw: str) -> None:
    """Who waits for the whole is told what went wrong, instead of half a tarball."""
    right = source.publish("lodash", "1.0.0", data=bytes(3 * INLINE))
    source.tarballs[FILE] = right[:-1] + b"x" if flaw == "wrong bytes" else right
    source.chunks = lambda whole: iter([whole if flaw == "wrong bytes" else whole[:-1]])
    with pytest.raises(UpstreamUnavailable):
        make(whole_first=30).tarball(LODASH, FILE)


def opened_below(folder: Path) -> list[str]:
    """The files below a folder that this process has open, each as often as that is so."""
    found = []
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed meanwhile, by another test's thread
            found.append(str(each.readlink()))
    return sorted(one for one in found if one.startswith(f"{folder}/"))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system does not list open files")
def test_follower_leaves_no_file_open(make: Any, source: ScriptedSource, tmp_path: Path) -> None:
    """A file that grows is closed by each one that read it."""
    source.publish("lodash", "1.0.0", data=bytes(3 * INLINE))
    go_on = threading.Event()

    def slowly(whole: bytes) -> Any:
        yield whole[: 2 * INLINE]
        assert go_on.wait(10)
        yield whole[2 * INLINE :]

    source.chunks = slowly
    with make().tarball(LODASH, FILE) as first:
        before = opened_below(tmp_path / "cache" / ".spool")
        for _ in range(3):
            make().tarball(LODASH, FILE).close()
        assert opened_below(tmp_path / "cache" / ".spool") == before
        go_on.set()
        b"".join(first)


def test_tarball_that_breaks_off_fails_every_follower(make: Any, source: ScriptedSource) -> None:
    """A cut connection is an error for who leads and who follows; the next request begins anew."""
    data = source.publish("lodash", "1.0.0", data=bytes(3 * INLINE))

    def cut(whole: bytes) -> Any:
        yield whole[: 2 * INLINE]
        raise DOWN

    source.chunks = cut
    with pytest.raises(UpstreamUnavailable):
        read(make())
    source.chunks = lambda whole: iter([whole])
    assert read(make()) == data


def test_large_tarball_that_fails_before_its_first_byte_is_refused(make: Any, source: ScriptedSource) -> None:
    """An error before anything was sent is an error with a status, not half a response."""
    source.publish("lodash", "1.0.0", data=bytes(3 * INLINE))

    def fail(whole: bytes) -> Any:
        raise DOWN
        yield b""

    source.chunks = fail
    with pytest.raises(UpstreamUnavailable):
        make().tarball(LODASH, FILE)


@pytest.mark.parametrize("size", [5000, 2 * INLINE])
@pytest.mark.parametrize("part", [ByteRange(10, 19), ByteRange(100, None), ByteRange(None, 7)], ids=str)
def test_parts_of_kept_and_fetched_tarballs(make: Any, source: ScriptedSource, size: int, part: ByteRange) -> None:
    """A part is the same whether the tarball was kept before or not."""
    data = source.publish("lodash", "1.0.0", data=bytes(number % 251 for number in range(size)))
    found = part.within(size)
    assert found is not None
    first, last = found
    cached = make()
    for _ in range(2):
        assert read(cached, part) == data[first : last + 1]
    assert source.asked[f"tarball {FILE}"] == 1


def test_version_that_the_packument_lacks_makes_it_asked_for_again(
    make: Any, source: ScriptedSource, time: Time
) -> None:
    """A version published a moment ago is found although the packument is fresh."""
    cached = make()
    raw(cached)
    data = source.publish("lodash", "1.1.0")
    time.now += RECHECK
    assert read(cached, file="lodash-1.1.0.tgz") == data


def test_tarball_that_no_version_has_is_not_asked_for(cached: Cached, source: ScriptedSource) -> None:
    """What the packument does not list is absent, and its bytes are never fetched."""
    source.tarballs["lodash-6.6.6.tgz"] = b"?"
    with pytest.raises(NotFound):
        cached.tarball(LODASH, "lodash-6.6.6.tgz")
    assert source.asked["tarball lodash-6.6.6.tgz"] == 0


def test_tarball_without_a_digest_passes_and_is_not_kept(
    cached: Cached, source: ScriptedSource, storage: Storage
) -> None:
    """A mirror that gives neither integrity nor shasum: nothing to verify by, nothing to keep."""
    data = source.publish("lodash", "1.0.0", dist={})
    assert read(cached) == data
    assert not [key for key in storage.list() if key.startswith("tarballs/")]


def test_shasum_alone_is_verified(cached: Cached, source: ScriptedSource) -> None:
    """Old packages have a SHA-1 only."""
    source.publish("lodash", "1.0.0", dist={"shasum": "0" * 40})
    with pytest.raises(UpstreamUnavailable):
        read(cached)


@pytest.mark.parametrize("size", [1000, INLINE + 1])
def test_tarball_is_shown_once_before_it_is_kept(
    make: Any, source: ScriptedSource, storage: Storage, tmp_path: Path, size: int
) -> None:
    """Whoever looks at tarballs sees each one whole, verified and once, with its manifest, and not a part of it."""
    data = source.publish("lodash", "1.1.0", data=b"\x1f\x8b" + bytes(size), hello="world")
    seen: list[Any] = []

    def arrived(tarball: Wanted, whole: Whole) -> None:
        seen.append((bytes(whole), bytes(tarball.manifest["hello"]), list(storage.list("tarballs"))))

    cached = Cached(
        source, storage, tarballs=Tarballs(TarballStore(storage), tmp_path / "cache" / ".spool", arrived=arrived)
    )
    for part in (ByteRange(0, 9), None, None):
        with cached.tarball(LODASH, "lodash-1.1.0.tgz", part) as blob:
            assert b"".join(blob) == (data[:10] if part else data)
    assert seen == [(data, b'"world"', [])]
