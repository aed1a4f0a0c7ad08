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
from nproxy_mw.testing.faults import Faulty

FULL = os.environ.get("NPROXY_STORM") == "full"  # read before the tests' environment is emptied
# Each point takes a second on a real engine, so the others are tried there when asked for.
ON_S3 = list(COMMANDS) if FULL else ["publish of a new version", "unpublish", "tag change", "token creation"]
OF_PACKAGES = ["publish of a new version", "unpublish", "unpublish of one version", "tag change", "deprecation"]
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


def sweep(new_storage: Callable[[int], Storage], contents: dict[str, bytes], operation: str, how: dict) -> int:
    """Runs *operation* with a fault at each operation in turn. Answers how many there were."""
    command = COMMANDS[operation]
    contents = contents if command.needs_base else {}
    whole = fill(new_storage(0), contents)
    before = command.seen(opened(whole))
    command.act(opened(whole))
    after = command.seen(opened(whole))
    assert before != after
    for at in itertools.count(1):
        storage = fill(new_storage(at), contents)
        faulty = Faulty(storage, at, **how)
        try:
            command.act(opened(faulty))
            acknowledged = True
        except (StorageUnavailable, Busy):
            acknowledged = False
        if not faulty.struck:
            break
        verify(storage, command, before, after, acknowledged=acknowledged)
    return at - 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("operation", COMMANDS)
def test_fault_anywhere_in_memory_loses_nothing(operation, kind, furnished, count_points):
    """In memory: wherever the storage fails, once or for good, with or without having done what was asked."""
    prefix = uuid.uuid4().hex
    tried = sweep(lambda at: open_storage(f"memory://{prefix}/{at}"), furnished, operation, KINDS[kind])
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
    storage = open_storage(f"memory://{uuid.uuid4().hex}")
    furnish(storage)
    return {key: storage.read(key).data for key in storage.list()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("back_end", ["memory", "local"])
@pytest.mark.parametrize("operation", OF_PACKAGES)
def test_fault_anywhere_while_parts_are_written_loses_nothing(
    operation, back_end, kind, compacting, count_points, tmp_path
):
    """The same where the command writes, replaces or removes parts of the record."""
    place = f"memory://{uuid.uuid4().hex}" if back_end == "memory" else str(tmp_path)
    tried = sweep(lambda at: open_storage(f"{place}/{at}"), compacting, operation, KINDS[kind])
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
    prefix = f"{s3_url}/{uuid.uuid4().hex[:12]}"
    tried = sweep(lambda at: open_storage(f"{prefix}/{at}", freshness=0), furnished, operation, KINDS[kind])
    count_points("s3", operation, kind, tried)


def killed_everywhere(
    prefix: str, operation: str, contents: dict[str, bytes], tmp_path: Path, bounds: str = "usual"
) -> int:
    """Lets a process of its own be killed at each operation, on a store of its own; answers how many there were."""
    command = COMMANDS[operation]
    contents = contents if command.needs_base else {}
    whole = fill(open_storage(f"{prefix}/0", freshness=0), contents)
    before = command.seen(opened(whole))
    command.act(opened(whole))
    after = command.seen(opened(whole))
    dump = tmp_path / "contents"
    dump.mkdir()
    fill(open_storage(str(dump)), contents)
    run = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).parents[1] / "support" / "killed_command.py"),
            prefix,
            operation,
            str(dump),
            bounds,
        ],
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    tried = int(run.stdout)
    for at in range(1, tried + 1):
        verify(open_storage(f"{prefix}/{at}", freshness=0), command, before, after, acknowledged=False)
    return tried


@pytest.mark.parametrize("operation", COMMANDS)
def test_kill_anywhere_in_a_folder_loses_nothing(operation, furnished, count_points, tmp_path):
    """A process that is killed before any of its operations leaves the package before or after, whole."""
    tried = killed_everywhere(str(tmp_path / "stores"), operation, furnished, tmp_path)
    count_points("local", operation, "kill", tried)


@pytest.mark.e2e
@pytest.mark.parametrize("operation", ON_S3)
def test_kill_anywhere_in_a_bucket_loses_nothing(operation, furnished, count_points, s3_url, tmp_path):
    """The same on an S3 engine."""
    tried = killed_everywhere(f"{s3_url}/{uuid.uuid4().hex[:12]}", operation, furnished, tmp_path)
    count_points("s3", operation, "kill", tried)
