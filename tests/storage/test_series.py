"""Series of writes on storages that offer them, on those that do not, and through storages that wrap others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.packages import memory

from nproxy_mw.errors import Exists
from nproxy_mw.storage import LocalStorage, Storage
from nproxy_mw.storage.freshness import FreshnessCache
from nproxy_mw.storage.prefixed import Prefixed
from nproxy_mw.storage.series import in_series, stage


def prefixed(storage: Storage) -> Storage:
    return Prefixed(storage, "orgs/acme")


def remembered(storage: Storage) -> Storage:
    return FreshnessCache(storage, 60.0)


@pytest.fixture(params=["local", "memory"])
def inner(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return LocalStorage(tmp_path) if request.param == "local" else memory()


@pytest.mark.parametrize("over", [lambda storage: storage, prefixed, remembered], ids=["bare", "prefixed", "fresh"])
def test_what_a_series_writes_can_be_read_at_once(inner: Storage, over: Callable[[Storage], Storage]) -> None:
    """Within the series, beside it and after it."""
    storage = over(inner)
    revision = storage.create("a/record", b"1")
    with in_series(storage) as series:
        stage(series, "a/staged", b"2")
        series.replace("a/record", b"2", revision)
        assert storage.read("a/staged").data == series.read("a/record").data == b"2"
        with pytest.raises(Exists):
            stage(series, "a/staged", b"3")
        series.delete("a/staged")
    assert set(storage.list()) == {"a/record"}
    assert storage.read("a/record").data == b"2"


def test_write_of_a_series_is_not_taken_for_an_old_one(tmp_path: Path) -> None:
    """What the storage confirmed before a series wrote is forgotten by the cache around it."""
    storage = FreshnessCache(LocalStorage(tmp_path), 60.0)
    old = storage.create("a", b"1")
    storage.read("a")
    with in_series(storage) as series:
        series.replace("a", b"2", old)
        changed = storage.read_if_changed("a", old)
        assert changed is not None
        assert changed.data == b"2"


def test_wrapper_sees_every_write_of_a_series(tmp_path: Path) -> None:
    """Also one that hands on whatever it does not have itself."""
    seen: list[str] = []

    class Watching:
        def __init__(self, storage: Storage) -> None:
            self.storage = storage

        def __getattr__(self, name: str) -> Any:
            return getattr(self.storage, name)

        def create(self, key: str, data: bytes) -> Any:
            seen.append(key)
            return self.storage.create(key, data)

    with in_series(Watching(LocalStorage(tmp_path))) as series:
        stage(series, "a", b"1")
        series.create("b", b"1")
    assert seen == ["a", "b"]
