"""What is on the disk when a write returns: the order in which names and bytes are brought there.

A power cut cannot be had in a test. What can be seen is that nothing is named before its bytes are on the disk, and
that no write returns before the folder that names it is.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.packages import ANN, packages_on, publication
from support.patching import Here, patch_here

from nproxy_mw.errors import StorageUnavailable
from nproxy_mw.storage import LocalStorage, syncing
from nproxy_mw.storage.series import in_series, stage

Step = tuple[str, str]
"""What was done, and to which path below the storage; ``~`` stands for a temporary file."""


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """Every call that changes a name, and every fsync, in their order; those that are waited for together in any."""
    monkeypatch.setattr(syncing, "_threads", lambda _: Here())
    seen: list[Step] = []

    def below(path: Any) -> str:
        text = str(Path(f"/proc/self/fd/{path}").readlink()) if isinstance(path, int) else os.fspath(path)
        found = Path(text).relative_to(tmp_path)
        return str(found.parent / "~" if found.name.startswith(".new-") else found)

    def recorded(verb: str, place: int) -> None:
        real: Callable[..., Any] = getattr(os, verb)

        def call(*arguments: Any, **options: Any) -> Any:
            result = real(*arguments, **options)
            step = below(arguments[place])
            if ".locks" not in step:
                seen.append((verb, step))
            return result

        patch_here(monkeypatch, os, verb, call)

    for verb, place in (("fsync", 0), ("mkdir", 0), ("link", 1), ("replace", 1), ("unlink", 0)):
        recorded(verb, place)
    return seen


def waits(steps: list[Step]) -> list[Step | set[str]]:
    """The steps with what is waited for together as one: a set of paths."""
    found: list[Step | set[str]] = []
    for verb, path in steps:
        if verb != "fsync":
            found.append((verb, path))
        elif found and isinstance(found[-1], set):
            found[-1].add(path)
        else:
            found.append({path})
    return found


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "store")


def test_new_object_is_on_the_disk(storage: LocalStorage, steps: list[Step]) -> None:
    """Its bytes and each new folder are before it gets its name; the name is before the write returns."""
    storage.create("a/b/c", b"1")
    assert waits(steps) == [
        ("mkdir", "store"),
        ("mkdir", "store/a"),
        ("mkdir", "store/a/b"),
        {"store/a/b/~", ".", "store", "store/a"},
        ("link", "store/a/b/c"),
        ("unlink", "store/a/b/~"),
        {"store/a/b"},
    ]


def test_replaced_object_is_on_the_disk(storage: LocalStorage, steps: list[Step]) -> None:
    """The new bytes are there before they take the name; the name before the write returns."""
    revision = storage.create("a/b", b"1")
    steps.clear()
    storage.replace("a/b", b"2", revision)
    assert steps[:3] == [("fsync", "store/a/~"), ("replace", "store/a/b"), ("fsync", "store/a")]


def test_deleted_object_stays_deleted(storage: LocalStorage, steps: list[Step]) -> None:
    """A token that was revoked by deleting it does not come back with the power."""
    storage.create("a/b", b"1")
    steps.clear()
    storage.delete("a/b")
    assert steps == [("unlink", "store/a/b"), ("fsync", "store/a")]


def test_series_is_on_the_disk_in_its_order(storage: LocalStorage, steps: list[Step]) -> None:
    """Nothing gets its name before what was written earlier is there; all of it is when the series ends."""
    storage.create("a/1", b"1")
    revision = storage.create("b/2", b"1")
    storage.create("c/0", b"1")
    steps.clear()
    with in_series(storage) as series:
        stage(series, "a/staged", b"2")
        series.replace("b/2", b"2", revision)
        series.create("c/3", b"2")
    assert waits(steps) == [
        ("link", "store/a/staged"),
        ("unlink", "store/a/~"),
        {"store/a/~", "store/b/~", "store/a"},
        ("replace", "store/b/2"),
        {"store/c/~", "store/b"},
        ("link", "store/c/3"),
        ("unlink", "store/c/~"),
        {"store/c"},
    ]


def test_object_is_deleted_after_what_was_written_before(storage: LocalStorage, steps: list[Step]) -> None:
    """What a record no longer names stays until the record that does not name it is on the disk."""
    storage.create("a/1", b"1")
    revision = storage.create("b/2", b"1")
    steps.clear()
    with in_series(storage) as series:
        series.replace("b/2", b"2", revision)
        series.delete("a/1")
    assert steps[1:] == [("replace", "store/b/2"), ("fsync", "store/b"), ("unlink", "store/a/1"), ("fsync", "store/a")]


def test_staged_object_waits_for_the_end_of_its_series(storage: LocalStorage, steps: list[Step]) -> None:
    """Even when nothing is written after it; outside of a series it waits for itself."""
    storage.create("a/1", b"1")
    steps.clear()
    with in_series(storage) as series:
        stage(series, "a/2", b"2")
        assert ("fsync", "store/a/~") not in steps
    assert waits(steps)[-1] == {"store/a/~", "store/a"}
    steps.clear()
    stage(storage, "a/3", b"3")
    assert waits(steps) == [{"store/a/~"}, ("link", "store/a/3"), ("unlink", "store/a/~"), {"store/a"}]


def test_series_that_cannot_be_brought_to_the_disk_fails(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At its end at the latest, with the sentence of the disk; and it leaves no file open."""
    storage.create("a/1", b"1")

    def refuse(_: object) -> None:
        raise OSError(errno.EIO, "EIO")

    def stage_and_break() -> None:
        with in_series(storage) as series:
            stage(series, "a/2", b"2")
            patch_here(monkeypatch, os, "fsync", refuse)

    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(StorageUnavailable, match="disk reports errors"):
        stage_and_break()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_published_version_is_on_the_disk_before_the_answer(storage: LocalStorage, steps: list[Step]) -> None:
    """Its bytes and their name before the record that names them, that before its events are listed, and all of it."""
    packages = packages_on(storage)
    packages.publish(publication(), ANN)
    steps.clear()
    packages.publish(publication("2.0.0"), ANN)
    (tarball,) = {path for verb, path in steps if verb == "link" and path.endswith(".tgz")}
    (record,) = {path for verb, path in steps if verb == "replace"}
    (index,) = {path for verb, path in steps if verb == "link" and "/index/" in path}
    place = {step: number for number, step in enumerate(steps)}

    def synced(path: str) -> int:
        return place["fsync", path]

    def folder(path: str) -> str:
        return str(Path(path).parent)

    assert (
        max(synced(f"{folder(tarball)}/~"), synced(folder(tarball)), synced(f"{folder(record)}/~"))
        < place["replace", record]
    )
    assert place["replace", record] < synced(folder(record)) < place["link", index]
    assert synced(f"{folder(index)}/~") < place["link", index] < synced(folder(index))


def test_adopted_file_is_on_the_disk(storage: LocalStorage, steps: list[Step], tmp_path: Path) -> None:
    """Its second name is, and the folder of that."""
    file = tmp_path / "file"
    file.write_bytes(b"1")
    storage.create("a/b", b"1")
    steps.clear()
    storage.adopt("c/d", file)
    assert steps == [("mkdir", "store/c"), ("fsync", "store"), ("link", "store/c/d"), ("fsync", "store/c")]


def test_what_is_not_durable_waits_for_no_disk(tmp_path: Path, steps: list[Step]) -> None:
    """A cache may lose its last objects: it is not worth an fsync."""
    storage = LocalStorage(tmp_path / "store", durable=False)
    storage.replace("a/b", b"2", storage.create("a/b", b"1"))
    storage.delete("a/b")
    assert [step for step in steps if step[0] == "fsync"] == []
    assert ("link", "store/a/b") in steps
