"""The file of an index is there when it is asked for: whatever becomes of it, and whoever else uses it."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import warnings
from functools import partial
from pathlib import Path

import pytest
from support.search import START, Host, SetClock

from nproxy_mw.copies import replace
from nproxy_mw.errors import Busy, StorageUnavailable
from nproxy_mw.packages.search.schema import SCHEMA
from nproxy_mw.storage import LocalStorage
from nproxy_mw.storage.indexes import database, files
from nproxy_mw.storage.indexes.connections import IDLE, IdleConnections
from nproxy_mw.storage.indexes.database import IndexDatabase
from nproxy_mw.storage.indexes.files import IndexFile, connect
from nproxy_mw.storage.indexes.schema import IndexSchema
from nproxy_mw.testing.races import in_processes, in_threads

NAMES = ["@acme/a", "@acme/b", "@acme/c"]


@pytest.fixture
def one(host) -> Host:
    """A host whose index holds three packages."""
    one = host()
    for name in NAMES:
        one.publish(name, package_json={"description": "thing " * 200})
    assert one.found() == NAMES
    return one


def file_of(host: Host) -> Path:
    return host.index.database.file.path


def whole(path: Path) -> bool:
    """Whether SQLite and FTS5 find nothing wrong with a file."""
    connection = sqlite3.connect(path)
    try:
        connection.execute("INSERT INTO terms (terms) VALUES ('integrity-check')")
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        connection.close()


def remove(path: Path) -> None:
    for side in path.parent.glob(f"{path.name}*"):
        side.unlink()


def garble(path: Path) -> None:
    IDLE.close()  # the last connection to be closed brings everything into the file
    data = bytearray(path.read_bytes())
    for start in range(4096, len(data), 4096):
        data[start : start + 2048] = os.urandom(2048)
    path.write_bytes(data)


def garble_text(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE packages SET summary = '{'")
    connection.close()


def garble_encoding(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE packages SET summary = CAST(X'ff' AS TEXT)")
    connection.close()


def exchange(path: Path) -> None:
    """Puts another organization's index in the place of this one."""
    other = IndexDatabase(path.parent, "beta", SCHEMA)
    with other.writing() as connection:
        connection.execute("UPDATE state SET compared = :now, checked = :now", {"now": START.timestamp()})
    IDLE.close()
    remove(path)
    other.file.path.rename(path)


DAMAGES = [
    pytest.param(remove, id="removed"),
    pytest.param(garble, id="garbled"),
    pytest.param(garble_text, id="no JSON"),
    pytest.param(garble_encoding, id="no text"),
    pytest.param(lambda path: path.write_bytes(b""), id="emptied"),
    pytest.param(lambda path: path.write_bytes(b"not a database, but some text" * 500), id="another file"),
    pytest.param(lambda path: os.truncate(path, 5000), id="cut off"),
    pytest.param(exchange, id="another organization's"),
]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
def test_damaged_index_is_made_again(one, host, damage, restarted):
    """The next answer is right, and the new file is whole."""
    IDLE.close()
    damage(file_of(one))
    again = host() if restarted else one
    assert again.found("thing") == again.listed() == NAMES
    again.publish("@acme/d")
    assert again.found() == [*NAMES, "@acme/d"]
    IDLE.close()
    assert whole(file_of(one))


@pytest.mark.parametrize("damage", DAMAGES)
def test_publish_into_a_damaged_index_is_found(one, damage):
    """A publish that finds the index damaged succeeds, and is in the answer."""
    IDLE.close()
    damage(file_of(one))
    one.publish("@acme/d")
    assert one.found() == [*NAMES, "@acme/d"]


def test_file_is_begun_by_one_alone(tmp_path, monkeypatch):
    """Who comes while another begins it waits, and takes that one: what the first wrote is not replaced."""
    begun, second = list[int](), threading.Event()
    real = IndexSchema.create

    def create(schema, connection, org):
        begun.append(1)
        if len(begun) > 1:
            second.set()
        second.wait(0.2)
        real(schema, connection, org)

    monkeypatch.setattr(IndexSchema, "create", create)
    in_threads(2, lambda _: IndexFile(tmp_path, "acme", SCHEMA).begin())
    assert begun == [1]
    assert whole(IndexFile(tmp_path, "acme", SCHEMA).path)


def test_index_that_stays_damaged_is_an_error(one, monkeypatch):
    """It is made again once for an answer, not for ever."""
    monkeypatch.setattr(IndexSchema, "is_complete", lambda *_: False)
    with pytest.raises(StorageUnavailable, match="search index"):
        one.found()


def test_file_is_its_owners_alone(one):
    """Names and descriptions of private packages are not for others on the machine."""
    umask = os.umask(0)
    try:
        one.publish("@acme/d")
        modes = {
            path: stat.S_IMODE(path.stat().st_mode)
            for path in [file_of(one).parent, *file_of(one).parent.glob("*.sqlite3*")]
        }
    finally:
        os.umask(umask)
    assert {mode & 0o077 for mode in modes.values()} == {0}
    assert len(modes) >= 2


def test_folder_that_cannot_be_written_leaves_memory(tmp_path, storage, clock, caplog):
    """A read-only or full disk costs memory, and no answer."""
    (tmp_path / "file").write_bytes(b"")
    one = Host(storage, tmp_path / "file", clock)
    one.publish("@acme/utils")
    assert one.found() == ["@acme/utils"]
    one.publish("@acme/other")
    assert one.found() == ["@acme/other", "@acme/utils"]
    assert "in memory" in caplog.text


def test_trouble_that_may_pass_is_an_error(tmp_path, storage, clock, monkeypatch):
    """What is not the folder's fault is told, and the file is used afterwards."""
    one = Host(storage, tmp_path / "index", clock)

    def fail(*_):
        raise Busy("Somebody else is at it.")

    with monkeypatch.context() as patch:
        patch.setattr(files.IndexFile, "begin", fail)
        with pytest.raises(StorageUnavailable, match="An index of this host"):
            one.found()
    assert one.found() == []
    assert one.index.database.file is not None


def test_python_without_fts5_is_told(tmp_path, storage, clock, monkeypatch):
    """The sentence says what is missing."""
    host = Host(storage, tmp_path / "index", clock)
    without = replace(SCHEMA, statements=SCHEMA.statements.replace("fts5", "fts99"))
    monkeypatch.setattr(host.index.database.file, "schema", without)
    with pytest.raises(StorageUnavailable, match="FTS5"):
        host.found()
    assert list((tmp_path / "index").glob("*sqlite3*")) == list((tmp_path / "index").glob(".new-*")) == []


def test_older_version_keeps_its_file_for_a_day(one, host):
    """A process of another version may still run; what nobody has used for a day goes."""
    folder = file_of(one).parent
    recent, old, others = (folder / name for name in ("acme.v0.sqlite3", "acme.v98.sqlite3-wal", "beta.v0.sqlite3"))
    for file in (recent, old, others):
        file.write_bytes(b"x")
    now = one.index.clock().timestamp()
    os.utime(recent, (now - 80_000, now - 80_000))
    for file in (old, others, file_of(one)):
        os.utime(file, (now - 90_000, now - 90_000))
    one.index.database.sweep(now)
    assert (recent.exists(), old.exists(), others.exists(), file_of(one).exists()) == (True, False, True, True)


def _publish_and_search(root: Path, folder: Path, number: int) -> bool:
    host = Host(LocalStorage(root), folder, SetClock())
    for version in range(5):
        name = f"@acme/p{number}-{version}"
        host.publish(name)
        if name not in host.found("acme"):
            return False
    return True


def test_processes_share_a_file(tmp_path, storage, host):
    """Two processes begin the same index at once, publish and search: each finds its own, and all is there."""
    assert in_processes(2, partial(_publish_and_search, storage.root, tmp_path / "hosts" / "one")) == [True] * 2
    one = host()
    assert len(one.found("acme")) == 10
    IDLE.close()
    assert whole(file_of(one))


_WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from support.search import Host, SetClock
from nproxy_mw.storage import LocalStorage
from nproxy_mw.storage.indexes import database, files
host = Host(LocalStorage(sys.argv[2]), Path(sys.argv[3]), SetClock())
host.found()
print("ready", flush=True)
for number in range(10_000):
    host.publish(f"@acme/{sys.argv[4]}-{number}")
    print(number, flush=True)
"""


def test_killed_writers_leave_a_whole_index(tmp_path, storage, host):
    """Whenever a process is killed, the next one finds all packages that were acknowledged."""
    published = set[str]()
    for kill in range(3):
        arguments = [Path(__file__).parent.parent, storage.root, tmp_path / "hosts" / "one", f"k{kill}"]
        with subprocess.Popen([sys.executable, "-c", _WRITER, *map(str, arguments)], stdout=subprocess.PIPE) as writer:
            for line in writer.stdout:
                if line != b"ready\n":
                    published.add(f"@acme/k{kill}-{int(line)}")
                    if int(line) >= 4 * kill:
                        writer.send_signal(signal.SIGKILL)
                        break
    one = host()
    one.found()
    one.wait()
    names = {str(name) for name in one.organization.packages.names()}
    assert published <= set(one.found()) == names
    IDLE.close()
    assert whole(file_of(one))


def test_fork_leaves_both_with_connections_of_their_own(one):
    """A child of a process with idle connections searches and publishes, and so does its parent afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that there may be threads is the point
        child = os.fork()
    if child == 0:
        try:
            inherited = IDLE.take((file_of(one), one.index.database.file.inode()))
            one.publish("@acme/child")
            os._exit(0 if inherited is None and one.found() == [*NAMES, "@acme/child"] else 2)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    one.publish("@acme/parent")
    assert one.found() == [*NAMES, "@acme/child", "@acme/parent"]
    IDLE.close()
    assert whole(file_of(one))


def test_fork_leaves_the_index_in_memory_with_the_parent(clock, storage):
    """A child makes its own."""
    one = Host(storage, None, clock)
    one.index.database.file = None
    assert one.found() == []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            one.publish("@acme/child")
            os._exit(0 if one.found() == ["@acme/child"] else 2)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def test_idle_connections_are_bounded(tmp_path):
    """The least recently used one is closed over the limit, and one is given to one thread alone."""
    idle = IdleConnections(limit=2)
    connections = [connect(None) for _ in range(3)]
    for key, connection in enumerate(connections):
        idle.put(key, connection)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connections[0].execute("SELECT 1")
    assert idle.take(0) is None
    assert idle.take(1) is connections[1]
    assert idle.take(1) is None
    idle.close()
    assert idle.take(2) is None
    connections[1].close()


def test_writer_waits_a_little_for_another(tmp_path, monkeypatch):
    """Two writers come one after the other; one that comes too late is told."""
    monkeypatch.setattr(files, "BUSY_SECONDS", 0.01)
    index = IndexDatabase(tmp_path, "acme", SCHEMA)
    with index.writing(), pytest.raises(StorageUnavailable, match="An index of this host"), index.writing():
        pass
    with index.reading() as connection:
        assert connection.execute("SELECT count(*) FROM packages").fetchone() == (0,)
    assert database.IDLE is IDLE
