"""The promises of the storage port, as tests that every back end passes.

For a back end of your own, subclass `StorageContract` in a test module, with a fixture for an empty storage::

    class TestMyStorage(StorageContract):
        @pytest.fixture
        def storage(self, tmp_path):
            return MyStorage(tmp_path)

        @pytest.fixture
        def opener(self, tmp_path):  # only where several processes may share the storage
            return partial(MyStorage, tmp_path)

pytest then collects every fact below as a test of that class. Class attributes set how many contenders race; a slow
back end may lower them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from nproxy_mw.errors import Changed, Exists, Missing, StorageUnavailable
from nproxy_mw.storage.listing import list_with_revisions
from nproxy_mw.storage.port import Revision, Storage
from nproxy_mw.testing.storage_races import StorageRaces

STALE = Revision("a revision of nothing")

BYTES = [
    pytest.param(b"", id="empty"),
    pytest.param(b"\0", id="NUL"),
    pytest.param(bytes(range(256)) + b"\r\n\xff\xfe", id="every byte"),
    pytest.param(b'{"name": "\xc3\xa9"}\n', id="JSON"),
    pytest.param(bytes(range(251)) * 20_000 + b"end", id="5 MB"),
]
GOOD_KEYS = [
    pytest.param("record.json", id="no folder"),
    pytest.param("packages/@acme/utils/record.json", id="scope"),
    pytest.param("a/~b/c+d/!e/*f/'g'/(h)/i_j-k.l", id="marks"),
    pytest.param("a..b/c...", id="dots inside"),
    pytest.param("a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p", id="deep"),
    pytest.param("long/" + "x" * 214 + ".tgz", id="long segment"),
    pytest.param("/".join(["abcdefghi"] * 80), id="long"),
]
BAD_KEYS = [
    pytest.param("", id="empty"),
    pytest.param("/etc/passwd", id="absolute"),
    pytest.param("..", id="up"),
    pytest.param("a/../../b", id="up inside"),
    pytest.param("a/./b", id="here"),
    pytest.param("a//b", id="empty segment"),
    pytest.param("a/", id="trailing slash"),
    pytest.param("a\0b", id="NUL"),
    pytest.param("a\nb", id="newline"),
    pytest.param("a\\..\\b", id="backslash"),
    pytest.param("a%2f..%2fb", id="percent"),
    pytest.param(".locks/a", id="hidden"),
    pytest.param("caf\u00e9", id="not ASCII"),
    pytest.param("C:/a", id="drive"),
    pytest.param("x" * 300, id="segment too long"),
    pytest.param("a/" * 500 + "a", id="too long"),
]


class StorageContract(StorageRaces):
    """What is true of every `Storage`. Subclass it, and give it a fixture ``storage``."""

    @pytest.fixture
    def storage(self) -> Storage:
        """An empty storage, for one test."""
        pytest.fail("Give this class a fixture named storage, which answers an empty one.")

    def test_missing_object_is_said_to_be_missing(self, storage: Storage) -> None:
        """Every verb on an object that is not there raises Missing."""
        with pytest.raises(Missing):
            storage.read("a/b")
        with pytest.raises(Missing):
            storage.read_if_changed("a/b", STALE)
        with pytest.raises(Missing):
            storage.open("a/b")
        with pytest.raises(Missing):
            storage.delete("a/b")

    def test_folder_is_no_object(self, storage: Storage) -> None:
        """The folder of an object is not an object itself."""
        storage.create("a/b/c", b"")
        with pytest.raises(Missing):
            storage.read("a/b")
        with pytest.raises(Missing):
            storage.read("a/b/c/d")

    @pytest.mark.parametrize("data", BYTES)
    def test_bytes_come_back_exactly(self, storage: Storage, data: bytes) -> None:
        """What is read, whole or as a stream, is what was created or replaced."""
        revision = storage.create("a/b", data)
        assert storage.read("a/b").data == data
        with storage.open("a/b") as stream:
            assert stream.read() == data
        storage.replace("a/b", data + b"!", revision)
        assert storage.read("a/b").data == data + b"!"

    @pytest.mark.parametrize("key", GOOD_KEYS)
    def test_key_with_marks_is_kept(self, storage: Storage, key: str) -> None:
        """A key comes back from the listing as it went in."""
        storage.create(key, b"here")
        assert storage.read(key).data == b"here"
        assert list(storage.list()) == [key]
        assert list(storage.list(key.rpartition("/")[0])) == [key]

    @pytest.mark.parametrize("key", BAD_KEYS)
    def test_key_that_is_none_is_refused(self, storage: Storage, key: str) -> None:
        """No verb takes a key that leads out of the storage or has two readings."""
        calls: list[Callable[[], object]] = [
            lambda: storage.read(key),
            lambda: storage.read_if_changed(key, STALE),
            lambda: storage.open(key),
            lambda: storage.create(key, b""),
            lambda: storage.replace(key, b"", STALE),
            lambda: storage.delete(key),
        ]
        if key:
            calls.append(lambda: list(storage.list(key)))
        for call in calls:
            with pytest.raises(ValueError, match="key"):
                call()

    def test_keys_differ_by_case(self, storage: Storage) -> None:
        """Two keys that differ only by case are two objects."""
        storage.create("a/Utils", b"upper")
        storage.create("a/utils", b"lower")
        assert (storage.read("a/Utils").data, storage.read("a/utils").data) == (b"upper", b"lower")

    @pytest.mark.parametrize("data", [pytest.param(b"second", id="others"), pytest.param(b"first", id="the same")])
    def test_create_of_a_taken_key_changes_nothing(self, storage: Storage, data: bytes) -> None:
        """Create raises Exists for a key that is taken, even by the same bytes."""
        revision = storage.create("a/b", b"first")
        with pytest.raises(Exists):
            storage.create("a/b", data)
        assert storage.read("a/b").data == b"first"
        assert storage.read("a/b").revision == revision

    def test_writes_answer_the_revision_that_is_read(self, storage: Storage) -> None:
        """The revision a write answers is the one a reader gets, and the next write needs."""
        first = storage.create("a/b", b"1")
        assert storage.read("a/b").revision == first
        second = storage.replace("a/b", b"2", first)
        assert storage.read("a/b").revision == second != first

    def test_replace_with_a_stale_revision_changes_nothing(self, storage: Storage) -> None:
        """Replace raises Changed when somebody else has written since."""
        stale = storage.create("a/b", b"1")
        storage.replace("a/b", b"2", stale)
        with pytest.raises(Changed):
            storage.replace("a/b", b"3", stale)
        assert storage.read("a/b").data == b"2"

    def test_replace_of_a_missing_object_writes_nothing(self, storage: Storage) -> None:
        """Replace raises Changed for an object that is gone, and does not bring it back."""
        with pytest.raises(Changed):
            storage.replace("a/b", b"1", STALE)
        revision = storage.create("a/b", b"1")
        storage.delete("a/b")
        with pytest.raises(Changed):
            storage.replace("a/b", b"2", revision)
        assert list(storage.list()) == []

    def test_deleted_object_can_be_created_again(self, storage: Storage) -> None:
        """A deleted object is gone from reads and listings, and its key is free."""
        storage.create("a/b/c", b"1")
        storage.delete("a/b/c")
        with pytest.raises(Missing):
            storage.read("a/b/c")
        assert list(storage.list()) == []
        storage.create("a/b/c", b"2")
        assert storage.read("a/b/c").data == b"2"

    def test_read_if_changed_answers_only_what_is_new(self, storage: Storage) -> None:
        """None for the same revision, the object for another, Missing when it is gone."""
        first = storage.create("a/b", b"1")
        assert storage.read_if_changed("a/b", first) is None
        second = storage.replace("a/b", b"2", first)
        stored = storage.read_if_changed("a/b", first)
        assert stored is not None
        assert (stored.data, stored.revision) == (b"2", second)
        assert storage.read_if_changed("a/b", second) is None
        storage.delete("a/b")
        with pytest.raises(Missing):
            storage.read_if_changed("a/b", second)

    def test_listing_holds_a_folder_and_no_sibling(self, storage: Storage) -> None:
        """A listing goes to any depth, and never into a folder that only begins alike."""
        keys = {"one/two/a", "one/two/b/c", "one/two-suffix/d", "one/twofold", "other"}
        for key in keys:
            storage.create(key, b"")
        assert set(storage.list()) == keys
        assert set(storage.list("one")) == keys - {"other"}
        assert sorted(storage.list("one/two")) == ["one/two/a", "one/two/b/c"]
        assert list(storage.list("one/tw")) == list(storage.list("other")) == list(storage.list("none/here")) == []

    def test_listing_during_writes_holds_what_was_there(self, storage: Storage) -> None:
        """Objects that were there before a listing began are all in it, whatever is written meanwhile."""
        before = {f"a/{number}" for number in range(20)}
        for key in before:
            storage.create(key, b"")
        listing = storage.list("a")
        seen = {next(listing)}
        storage.create("a/new", b"")
        assert (seen | set(listing)) - {"a/new"} == before

    def test_listing_with_revisions_is_the_listing(self, storage: Storage) -> None:
        """It lists the keys that a listing lists: at any depth, none of a sibling, nothing for a missing folder."""
        for key in ("one/two/a", "one/two/b/c", "one/two-suffix/d", "other"):
            storage.create(key, b"")
        for prefix in ("", "one", "one/two", "one/tw", "other", "none/here"):
            found = [key for key, _ in list_with_revisions(storage, prefix)]
            assert sorted(found) == sorted(storage.list(prefix))

    def test_listed_revision_is_the_one_that_is_read(self, storage: Storage) -> None:
        """A listed revision is the one that a read returns, and another after each write; or none is listed at all."""
        revisions = {key: storage.create(key, b"1") for key in ("a/b", "a/c", "a/d/e")}
        listed = dict(list_with_revisions(storage, "a"))
        assert listed in (revisions, dict.fromkeys(revisions))
        changed = storage.replace("a/c", b"2", revisions["a/c"])
        storage.delete("a/b")
        again = dict(list_with_revisions(storage, "a"))
        if any(listed.values()):
            assert again == {"a/c": changed, "a/d/e": revisions["a/d/e"]}
        assert again.keys() == {"a/c", "a/d/e"}

    def test_stream_is_read_in_pieces(self, storage: Storage) -> None:
        """Two streams of one object are read by turns, each from its own beginning to its end."""
        data = bytes(range(256)) * 12_000
        storage.create("a/b", data)
        with storage.open("a/b") as one, storage.open("a/b") as two:
            pieces = [(one.read(100_000), two.read(100_000)) for _ in range(31)]
            assert (one.read(1), two.read(1)) == (b"", b"")
        assert b"".join(one for one, _ in pieces) == b"".join(two for _, two in pieces) == data

    def test_stream_never_mixes_two_objects(self, storage: Storage) -> None:
        """A stream whose object is replaced meanwhile goes on with the old bytes, or breaks off."""
        revision = storage.create("a/b", b"o" * 3_000_000)
        with storage.open("a/b") as stream:
            data = stream.read(10)
            storage.replace("a/b", b"n" * 3_000_000, revision)
            with suppress(StorageUnavailable):
                data += stream.read()
        assert set(data) == set(b"o")
