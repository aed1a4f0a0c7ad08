"""What one process of a host writes, the others see at once, without a question to the storage."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from nproxy_mw.errors import Changed
from nproxy_mw.storage import FsspecStorage
from nproxy_mw.storage.freshness import FreshnessCache
from nproxy_mw.storage.generations import SIZE, SLOTS, Generations, generations_of
from nproxy_mw.testing.faults import Faulty


@pytest.fixture
def back() -> Faulty:
    """The storage that all share, counting what it is asked."""
    return Faulty(FsspecStorage(MemoryFileSystem(global_store=False, skip_instance_cache=True)), at=0, times=0)


class Hour:
    """Processes of one host, whose clocks show the hour only: nothing is ever too old."""

    def __init__(self, back: Faulty, path: Path) -> None:
        self.back, self.path, self.now = back, path, 0.0

    def process(self) -> FreshnessCache:
        return FreshnessCache(self.back, 3600.0, generations=Generations(self.path), monotonic=lambda: self.now)


@pytest.fixture
def host(back: Faulty, tmp_path: Path) -> Hour:
    return Hour(back, tmp_path / "generations")


def test_change_by_another_process_is_seen_at_once(host: Hour, back: Faulty) -> None:
    """Replaced, or deleted; what was not touched costs no question."""
    one, other = host.process(), host.process()
    revision, untouched = one.create("a", b"1"), one.create("b", b"1")
    assert other.read("a").revision == revision
    assert other.read("b").revision == untouched
    changed = one.replace("a", b"2", revision)
    stored = other.read_if_changed("a", revision)
    assert stored is not None
    assert stored.data == b"2"
    before = back.operations
    assert other.read_if_changed("a", changed) is None
    assert other.read_if_changed("b", untouched) is None
    assert back.operations == before


def test_write_that_failed_is_told_too(host: Hour, back: Faulty) -> None:
    """Its answer may have been lost on the way, with the object written."""
    one, other = host.process(), host.process()
    revision = one.create("a", b"1")
    other.read("a")
    back.storage.replace("a", b"2", revision)  # carried out, and not known of
    with pytest.raises(Changed):
        one.replace("a", b"3", revision)
    assert other.read_if_changed("a", revision) is not None


def test_strict_reads_and_writes_are_told(host: Hour) -> None:
    """A command that asks each time tells those that do not."""
    command, server = host.process().strict(), host.process()
    revision = command.create("a", b"1")
    server.read("a")
    command.replace("a", b"2", revision)
    assert server.read_if_changed("a", revision) is not None


def test_answer_older_than_a_change_is_not_relied_on(host: Hour, back: Faulty) -> None:
    """The change comes between the question and its answer."""
    one, other = host.process(), host.process()
    revision = one.create("a", b"1")

    class Overtaken:
        def __getattr__(self, name: str) -> object:
            return getattr(back, name)

        def read(self, key: str) -> object:
            stored = back.read(key)
            one.replace("a", b"2", revision)
            return stored

    other.storage = Overtaken()  # type: ignore[assignment]
    assert other.read("a").data == b"1"
    assert other.read_if_changed("a", revision) is not None


def test_removed_file_is_found_again(host: Hour) -> None:
    """By a clean-up of temporary folders: late once, as without the file, and at once from then on."""
    one, other = host.process(), host.process()
    revision = one.create("a", b"1")
    other.read("a")
    host.path.unlink()
    second = one.replace("a", b"2", revision)
    host.now += 3600
    assert other.read_if_changed("a", revision) is not None
    third = one.replace("a", b"3", second)
    stored = other.read_if_changed("a", second)
    assert stored is not None
    assert stored.revision == third


def test_shortened_file_ends_no_process(host: Hour) -> None:
    """Whoever empties it."""
    one, other = host.process(), host.process()
    revision = one.create("a", b"1")
    other.read("a")
    os.truncate(host.path, 0)
    assert other.read_if_changed("a", revision) is None
    one.replace("a", b"2", revision)
    assert other.read_if_changed("a", revision) is not None


def test_process_of_its_own_is_heard(tmp_path: Path) -> None:
    """The file is what is shared, not an object."""
    here = Generations(tmp_path / "generations")
    before = here.of("a")
    program = (
        "import sys; from pathlib import Path; from nproxy_mw.storage.generations import Generations; "
        "Generations(Path(sys.argv[1])).changed('a')"
    )
    subprocess.run([sys.executable, "-c", program, str(here.path)], check=True, timeout=60)
    assert here.of("a") != before


def test_file_is_small_and_private(tmp_path: Path) -> None:
    """Whatever is written: as long as its slots, for its user alone, and closed with its owner."""
    generations = Generations(tmp_path / "generations")
    for number in range(2000):
        generations.changed(f"packages/{number}")
    status = generations.path.stat()
    assert status.st_size <= SLOTS * SIZE
    assert status.st_mode & 0o077 == 0
    file = generations._file
    del generations
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file)


def test_link_in_the_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    """A folder for all users is where others put links."""
    (tmp_path / "generations").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        Generations(tmp_path / "generations")


def test_host_without_a_place_for_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """With a line in the log: changes are seen late."""
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    assert generations_of("bucket", "npm") is None
    assert "each other's changes late" in caplog.text


_AT_EXIT = """
import sys
from multiprocessing.util import Finalize
from pathlib import Path
from nproxy_mw.storage.generations import Generations
generations = Generations(Path(sys.argv[1]))
Finalize(None, lambda: print(generations.of("a")), exitpriority=0)
"""


def test_what_is_written_at_the_exit_is_told(tmp_path: Path) -> None:
    """The ends of threads write what they hold, after most else has ended."""
    command = [sys.executable, "-c", _AT_EXIT, str(tmp_path / "generations")]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert (ended.stdout.strip(), ended.stderr) == ("b''", "")
