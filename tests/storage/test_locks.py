"""Locks between threads, and between processes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from nproxy_mw.errors import Busy, StorageUnavailable
from nproxy_mw.storage import locks as locks_module
from nproxy_mw.storage.flocks import Flocks
from nproxy_mw.storage.locks import FileLocks, Locks, ThreadLocks, locks_for
from nproxy_mw.testing.races import in_threads

KINDS: Mapping[str, Callable[[Path], Locks]] = {
    "files": FileLocks,
    "flocks": Flocks,
    "threads": lambda _: ThreadLocks(),
}

FILES = pytest.mark.parametrize("kind", [FileLocks, Flocks])
FileKind = type[FileLocks] | type[Flocks]


@pytest.fixture(params=list(KINDS))
def locks(request: pytest.FixtureRequest, tmp_path: Path) -> Locks:
    return KINDS[request.param](tmp_path / "locks")


def test_lock_has_one_holder(locks: Locks) -> None:
    """Eight threads that hold one name never meet inside."""
    inside = 0
    most = 0

    def work(_: int) -> None:
        nonlocal inside, most
        for _ in range(20):
            with locks.hold("a", 30):
                inside += 1
                most = max(most, inside)
                inside -= 1

    in_threads(8, work)
    assert (inside, most) == (0, 1)


def test_held_lock_is_busy_and_free_afterwards(locks: Locks) -> None:
    """Another thread gives up after its time, and gets the lock when it is released, also by an error."""

    def try_it(_: int = 0) -> None:
        with locks.hold("a", 0.01):
            pass

    def try_it_inside() -> None:
        with locks.hold("a", 1):
            in_threads(1, try_it)

    with pytest.raises(Busy) as caught:
        try_it_inside()
    assert caught.value.retry_after >= 1
    in_threads(1, try_it)


def test_other_name_is_free(locks: Locks) -> None:
    """Another name is another lock."""
    with locks.hold("@acme/a", 1), locks.hold("@acme/b", 1):
        pass


def test_forgotten_names_take_no_memory() -> None:
    """Nothing is kept of a name that nobody holds or waits for."""
    locks = ThreadLocks()
    with locks.hold("a", 1), pytest.raises(Busy), locks.hold("a", 0):
        pass
    assert locks._wanted == {}


@FILES
def test_files_are_few_and_named_by_nobody(tmp_path: Path, kind: FileKind) -> None:
    """However many names, there are at most so many files, and a name may be any text."""
    locks = kind(tmp_path, names=4)
    for name in ("../../etc", "a/b", "", "\0", "é", *map(str, range(50))):
        with locks.hold(name, 1):
            pass
    assert {path.name for path in tmp_path.iterdir()} == {"000.lock", "001.lock", "002.lock", "003.lock"}


@FILES
def test_folder_that_cannot_be_written_is_told(tmp_path: Path, kind: FileKind) -> None:
    """A file in the place of the folder is StorageUnavailable."""
    (tmp_path / "locks").write_text("")
    with pytest.raises(StorageUnavailable, match="folder for locks"), kind(tmp_path / "locks").hold("a", 1):
        pass


HOLDER = """
import sys
from pathlib import Path
from nproxy_mw.storage.locks import FileLocks
with FileLocks(Path(sys.argv[1])).hold("a", 5):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the name ``a``."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


@FILES
def test_lock_holds_between_processes(tmp_path: Path, holder: subprocess.Popen[str], kind: FileKind) -> None:
    """What another process holds is busy for both kinds; when it is killed, the lock is free."""
    with pytest.raises(Busy), kind(tmp_path).hold("a", 0.02):
        pass
    holder.kill()
    with kind(tmp_path).hold("a", 5):
        pass


FORKED = """
import os, sys
from pathlib import Path
from nproxy_mw.storage.flocks import Flocks
from nproxy_mw.storage.locks import FileLocks
read, write = os.pipe()
locks = {"FileLocks": FileLocks, "Flocks": Flocks}[sys.argv[2]](Path(sys.argv[1]))
with locks.hold("a", 5):
    child = os.fork()
    if child == 0:
        os.read(read, 1)
if child == 0:
    os._exit(0)
with locks.hold("a", 0):
    print("free")
os.write(write, b"1")
os._exit(os.waitpid(child, 0)[1])
"""


@FILES
def test_lock_is_not_kept_by_a_forked_child(tmp_path: Path, kind: FileKind) -> None:
    """A child that was forked inside of the block does not hold what its parent releases."""
    command = [sys.executable, "-c", FORKED, str(tmp_path), kind.__name__]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "free\n"


FORKED_BESIDE = """
import os, sys, threading
from pathlib import Path
from nproxy_mw.storage.flocks import Flocks
from nproxy_mw.storage.locks import FileLocks
locks = {"FileLocks": FileLocks, "Flocks": Flocks}[sys.argv[2]](Path(sys.argv[1]))
is_held, is_over = threading.Event(), threading.Event()
def hold():
    with locks.hold("a", 5):
        is_held.set()
        is_over.wait()
thread = threading.Thread(target=hold)
thread.start()
is_held.wait()
read, write = os.pipe()
child = os.fork()
if child == 0:
    try:
        try:
            with locks.hold("a", 0):
                os.write(write, b"held by both")
        except Exception as error:
            os.write(write, type(error).__name__.encode())
        with locks.hold("a", 30):
            os.write(write, b", then free")
    finally:
        os._exit(0)
print(os.read(read, 100).decode(), end="")
is_over.set()
os.waitpid(child, 0)
print(os.read(read, 100).decode())
"""


@FILES
def test_forked_child_waits_for_a_thread_of_its_parent(tmp_path: Path, kind: FileKind) -> None:
    """What another thread held at the fork is busy for the child, and free for it when that thread is done."""
    command = [sys.executable, "-W", "ignore", "-c", FORKED_BESIDE, str(tmp_path), kind.__name__]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "Busy, then free\n"


def test_local_storage_keeps_locks_beside_its_objects(tmp_path: Path) -> None:
    """A path and a file URL of one folder mean the same locks, which no listing shows."""
    expected = FileLocks(tmp_path / ".locks" / "names")
    assert locks_for(str(tmp_path)) == locks_for(f"file://{tmp_path}") == expected


def test_memory_needs_threads_only() -> None:
    """A storage in memory is locked between threads."""
    assert isinstance(locks_for("memory://a"), ThreadLocks)


def test_bucket_is_locked_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All processes of a user that use one URL share its locks, in a private folder; another URL has others."""
    monkeypatch.setattr(locks_module.tempfile, "gettempdir", lambda: str(tmp_path))
    first, again, other = (locks_for(f"s3://bucket/{name}") for name in ("a", "a", "b"))
    assert first == again != other
    with first.hold("x", 1):
        pass
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o077 == 0


def test_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that another user put in our place is not followed."""
    monkeypatch.setattr(locks_module.tempfile, "gettempdir", lambda: str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"nproxy-locks-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="set TMPDIR"):
        locks_for("s3://bucket")


def test_given_folder_is_used(tmp_path: Path) -> None:
    """A folder that is named is where the locks are, whatever the storage."""
    assert locks_for("s3://bucket", tmp_path) == FileLocks(tmp_path)


@FILES
def test_locks_are_for_this_user_alone(tmp_path: Path, kind: FileKind) -> None:
    """Whatever the umask: a lock that others could open, they could hold."""
    before = os.umask(0)
    try:
        with kind(tmp_path / ".locks" / "names").hold("a", 1.0):
            pass
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / ".locks").rglob("*")}
    assert {name.endswith(".lock"): mode for name, mode in modes.items()} == {True: 0o600, False: 0o700}
    assert stat.S_IMODE((tmp_path / ".locks").stat().st_mode) == 0o700
