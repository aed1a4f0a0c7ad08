"""Storages to keep packages on."""

from __future__ import annotations

import pytest
from support.packages import SMALL, memory, packages_on

from nproxy_mw.packages import records
from nproxy_mw.packages.compaction import BOUNDS, PartBounds
from nproxy_mw.packages.store import PackageStore
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.port import Storage


@pytest.fixture(autouse=True, params=[BOUNDS, SMALL], ids=["usual", "small"])
def bounds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> PartBounds:
    """How large records grow before they get parts: every promise holds with and without."""
    monkeypatch.setattr(records, "BOUNDS", request.param)
    return request.param


@pytest.fixture(params=["memory", "local"])
def storage(request: pytest.FixtureRequest, tmp_path) -> Storage:
    """An empty storage of each kind."""
    return memory() if request.param == "memory" else open_storage(str(tmp_path / "store"))


@pytest.fixture
def packages(storage: Storage) -> PackageStore:
    """The packages on it."""
    return packages_on(storage)
