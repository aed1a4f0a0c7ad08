"""Every command, with a fault at every one of its operations on the storage: nothing is lost.

On an S3 engine ``NPROXY_STORM=full`` tries all commands, otherwise four of them are.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from support.commands import COMMANDS, furnish, opened
from support.invariants import verify
from support.packages import SMALL

from nproxy_mw.errors import Busy, StorageUnavailable
from nproxy_mw.packages import records
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.prefixed import Prefixed
from nproxy_mw.testing.faults import Faulty

FULL = os.environ.get("NPROXY_STORM") == "full"  # read before the tests' environment is emptied
# Each point takes a second on a real engine, so the others are tried there when asked for.
ON_S3 = list(COMMANDS) if FULL else ["publish of a new version", "unpublish", "tag change", "token creation"]
KILLED_ON_S3 = (
    ON_S3 if FULL else ON_S3[:1]
)  # what a kill leaves there is what an engine that is down from there on leaves
OF_PACKAGES = [
    "publish of a new version",
    "two publishes in one swap",
    "unpublish",
    "unpublish of one version",
    "tag change",
    "deprecation",
]
KILLED = Path(__file__).parents[1] / "support" / "killed_command.py"
KINDS = {
    "fail": {"kind": "fail"},
    "lost answer": {"kind": "lost-answer"},
    "down from there": {"kind": "fail", "times": 1_000_000},
}


def fill(storage: Storage, contents: dict[str, bytes]) -> Storage:
    for key, data in contents.items():
        storage.create(key, data)
    return storage


def contents_of(storage: Storage) -> dict[str, bytes]:
    return {key: storage.read(key).data for key in storage.list()}


def new_memory() -> Storage:
    return open_storage(f"memory://{uuid.uuid4().hex}")


def in_memory(storage: Storage) -> Storage:
    """A copy of what a fault left in a bucket: on an engine, to look at it takes hundreds of requests."""
    return fill(new_memory(), contents_of(storage))


class Trial:
    """*operation* on *contents*, and what may be seen after a fault in it."""

    def __init__(self, operation: str, contents: dict[str, bytes], whole: Storage) -> None:
        self.command = COMMANDS[operation]
        self.contents = contents if self.command.needs_base else {}
        fill(whole, self.contents)
        self.before = self.command.seen(opened(whole))
        self.command.act(opened(whole))
        self.after = self.command.seen(opened(whole))
        self.unchanged = 0
        assert self.before != self.after

    def verify(self, storage: Storage, *, acknowledged: bool = False) -> None:
        """Verifies what is left. Where nothing was changed, once is enough."""
        is_unchanged = contents_of(storage) == self.contents
        self.unchanged += is_unchanged
        if acknowledged or not is_unchanged or self.unchanged == 1:
            verify(storage, self.command, self.before, self.after, acknowledged=acknowledged)


def sweep(
    new_storage: Callable[[int], Storage],
    contents: dict[str, bytes],
    operation: str,
    how: dict,
    looked_at: Callable[[Storage], Storage] = lambda storage: storage,
) -> int:
    """Runs *operation* with a fault at each operation in turn. Answers how many there were."""
    trial = Trial(operation, contents, new_storage(0))
    for at in itertools.count(1):
        storage = fill(new_storage(at), trial.contents)
        faulty = Faulty(storage, at, **how)
        try:
            trial.command.act(opened(faulty))
            acknowledged = True
        except (StorageUnavailable, Busy):
            acknowledged = False
        if not faulty.struck:
            break
        trial.verify(looked_at(storage), acknowledged=acknowledged)
    return at - 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("operation", COMMANDS)
def test_fault_anywhere_in_memory_loses_nothing(operation, kind, furnished, count_points):
    """In memory: wherever the storage fails, once or for good, with or without having done what was asked."""
    tried = sweep(lambda at: new_memory(), furnished, operation, KINDS[kind])
    assert tried >= 3
    count_points("memory", operation, kind, tried)


@pytest.mark.parametrize("kind", ["fail", "lost answer"])
@pytest.mark.parametrize("operation", COMMANDS)
def test_fault_anywhere_in_a_folder_loses_nothing(operation, kind, furnished, count_points, tmp_path):
    """The same in a folder."""
    tried = sweep(lambda at: open_storage(str(tmp_path / str(at))), furnished, operation, KINDS[kind])
    count_points("local", operation, kind, tried)


@pytest.fixture
def compacting(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The objects there are before a command where nearly every change writes a part of a record."""
    monkeypatch.setattr(records, "BOUNDS", SMALL)
    storage = new_memory()
    furnish(storage)
    return contents_of(storage)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("back_end", ["memory", "local"])
@pytest.mark.parametrize("operation", OF_PACKAGES)
def test_fault_anywhere_while_parts_are_written_loses_nothing(
    operation, back_end, kind, compacting, count_points, tmp_path
):
    """The same where the command writes, replaces or removes parts of the record."""

    def new_storage(at: int) -> Storage:
        return new_memory() if back_end == "memory" else open_storage(str(tmp_path / str(at)))

    tried = sweep(new_storage, compacting, operation, KINDS[kind])
    count_points(f"{back_end}+", operation, kind, tried)


@pytest.mark.parametrize("operation", OF_PACKAGES)
def test_kill_anywhere_while_parts_are_written_loses_nothing(operation, compacting, count_points, tmp_path):
    """A process that is killed between a part and the record that names it leaves a part that nobody misses."""
    tried = killed_everywhere(str(tmp_path / "stores"), operation, compacting, tmp_path, "small")
    count_points("local+", operation, "kill", tried)


@pytest.mark.e2e
@pytest.mark.parametrize("kind", ["fail", "lost answer"])
@pytest.mark.parametrize("operation", ON_S3)
def test_fault_anywhere_in_a_bucket_loses_nothing(operation, kind, furnished, count_points, s3_url):
    """The same on an S3 engine."""
    bucket = open_storage(f"{s3_url}/{uuid.uuid4().hex[:12]}", freshness=0)
    tried = sweep(lambda at: Prefixed(bucket, str(at)), furnished, operation, KINDS[kind], in_memory)
    count_points("s3", operation, kind, tried)


def killed_everywhere(
    url: str,
    operation: str,
    contents: dict[str, bytes],
    tmp_path: Path,
    bounds: str = "usual",
    looked_at: Callable[[Storage], Storage] = lambda storage: storage,
) -> int:
    """Lets a process of its own be killed at each operation, on a store of its own; answers how many there were."""
    trial = Trial(operation, contents, new_memory())
    dump = tmp_path / "contents"
    dump.mkdir()
    fill(open_storage(str(dump)), trial.contents)
    run = subprocess.run(
        [sys.executable, KILLED, url, operation, str(dump), bounds],
        capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    tried = int(run.stdout)
    stores = open_storage(url, freshness=0)
    for at in range(1, tried + 1):
        trial.verify(looked_at(Prefixed(stores, str(at))))
    return tried


@pytest.mark.parametrize("operation", COMMANDS)
def test_kill_anywhere_in_a_folder_loses_nothing(operation, furnished, count_points, tmp_path):
    """A process that is killed before any of its operations leaves the package before or after, whole."""
    tried = killed_everywhere(str(tmp_path / "stores"), operation, furnished, tmp_path)
    count_points("local", operation, "kill", tried)


@pytest.mark.e2e
@pytest.mark.parametrize("operation", KILLED_ON_S3)
def test_kill_anywhere_in_a_bucket_loses_nothing(operation, furnished, count_points, s3_url, tmp_path):
    """The same on an S3 engine."""
    url = f"{s3_url}/{uuid.uuid4().hex[:12]}"
    tried = killed_everywhere(url, operation, furnished, tmp_path, looked_at=in_memory)
    count_points("s3", operation, "kill", tried)
