"""What is on the disk when a write returns: the order in which names and bytes are brought there.

A power cut cannot be had in a test. What can be seen is that nothing is named before its bytes are on the disk, and
that no write returns before the folder that names it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.patching import patch_here

from nproxy_mw.storage import LocalStorage

Step = tuple[str, str]
"""What was done, and to which path below the storage; ``~`` stands for a temporary file."""


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """Every call that changes a name, and every fsync, in their order."""
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


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "store")


def test_new_object_is_on_the_disk(storage: LocalStorage, steps: list[Step]) -> None:
    """Each new folder before anything is in it; the bytes before their name; the name before the write returns."""
    storage.create("a/b/c", b"1")
    assert steps == [
        ("mkdir", "store"),
        ("fsync", "."),
        ("mkdir", "store/a"),
        ("fsync", "store"),
        ("mkdir", "store/a/b"),
        ("fsync", "store/a"),
        ("fsync", "store/a/b/~"),
        ("link", "store/a/b/c"),
        ("fsync", "store/a/b"),
        ("unlink", "store/a/b/~"),
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
