"""The promises of the storage port that only a race can break: half of `StorageContract`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from nproxy_mw.storage.port import Storage
from nproxy_mw.testing.races import in_processes, in_threads, increment, try_to_create, try_to_replace


class StorageRaces:
    """What stays true when many read and write one object at once."""

    contenders = 8  # threads in a race
    rounds = 10  # races for one fact
    increments = 25  # by each contender
    processes = 4
    process_increments = 50

    @pytest.fixture
    def opener(self) -> Callable[[], Storage] | None:
        """A picklable function that opens the same storage in another process, or None where no other may."""
        return None

    def test_reader_sees_old_or_new_whole(self, storage: Storage) -> None:
        """While an object is replaced again and again, every reader gets one of its states whole."""
        size = 200_000
        revision = storage.create("a/b", b"a" * size)
        writing = True

        def write() -> None:
            nonlocal revision, writing
            for letter in b"bcdefghijklmnopqrst":
                revision = storage.replace("a/b", bytes([letter]) * size, revision)
            writing = False

        def read() -> None:
            while writing:
                data = storage.read("a/b").data
                assert (len(data), len(set(data))) == (size, 1)

        in_threads(3, lambda number: read() if number else write())

    def test_create_has_one_winner(self, storage: Storage) -> None:
        """Of threads that create one key at once, exactly one succeeds, and its bytes are there."""
        for number in range(self.rounds):
            key = f"races/{number}"
            won = in_threads(self.contenders, partial(try_to_create, lambda: storage, [key]))
            assert won.count([True]) == 1
            assert storage.read(key).data == f"contender {won.index([True])}".encode()

    def test_replace_has_one_winner(self, storage: Storage) -> None:
        """Of threads that replace one revision at once, exactly one succeeds, and its bytes are there."""
        revision = storage.create("a/b", b"")
        for _ in range(self.rounds):
            won = in_threads(self.contenders, partial(try_to_replace, storage, "a/b", revision))
            stored = storage.read("a/b")
            assert won.count(True) == 1
            assert stored.data == f"{won.index(True)} over {revision}".encode()
            revision = stored.revision

    def test_no_increment_of_a_thread_is_lost(self, storage: Storage) -> None:
        """Threads that count one object up by compare-and-swap lose nothing."""
        storage.create("counter", b"0")
        in_threads(self.contenders, partial(increment, lambda: storage, "counter", self.increments))
        assert int(storage.read("counter").data) == self.contenders * self.increments

    def test_other_process_creates_or_loses(self, storage: Storage, opener: Callable[[], Storage] | None) -> None:
        """Of processes that create one key at once, exactly one succeeds."""
        if opener is None:
            pytest.skip("this storage is for one process")
        keys = [f"races/{number}" for number in range(self.rounds)]
        won = in_processes(self.processes, partial(try_to_create, opener, keys))
        assert [column.count(True) for column in zip(*won, strict=True)] == [1] * self.rounds
        assert sorted(storage.list("races")) == sorted(keys)

    def test_no_increment_of_a_process_is_lost(self, storage: Storage, opener: Callable[[], Storage] | None) -> None:
        """Processes that count one object up by compare-and-swap lose nothing."""
        if opener is None:
            pytest.skip("this storage is for one process")
        storage.create("counter", b"0")
        in_processes(self.processes, partial(increment, opener, "counter", self.process_increments))
        assert int(storage.read("counter").data) == self.processes * self.process_increments
